import { deepEqual, equal, match, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { parseDocument } from 'yaml';
import { lintText } from '../../crds/lint.ts';
import { ambiguitiesIn } from '../../crds/yaml-versions.ts';

const about = (text: string) => ambiguitiesIn(parseDocument(text)).map(({ error }) => error.message);

describe('readers of YAML 1.1 and 1.2', () => {
  const differing = [
    'off',
    'Off',
    'n',
    'Y',
    'yes',
    'NO',
    'on',
    '0777',
    '-012',
    '1:30',
    '1:30:00',
    '1_000',
    '0b11',
    '0o17',
  ];
  for (const text of differing) {
    it(`${text} is named as a value, as a key and in a list`, () => {
      equal(about(`a: ${text}`).length, 1);
      equal(about(`${text}: 1`).length, 1);
      equal(about(`[a, ${text}]`).length, 1);
    });

    it(`${text} in quotes is not`, () => deepEqual(about(`a: "${text}"\n'${text}': [ '${text}' ]`), []));
  }

  const agreeing = [
    'true',
    'null',
    '~',
    '12',
    '-0',
    '0x1F',
    '1.5e3',
    '2026-01-31',
    'text',
    'a:b',
    '08',
    '.inf',
    'nope',
  ];
  for (const text of agreeing) it(`${text} is the same to both`, () => deepEqual(about(`a: ${text}`), []));

  it('say where the word stands, as a warning that repeats no value', () => {
    const text = [
      'apiVersion: millrace.io/v1alpha1',
      'kind: Pipeline',
      'metadata: {name: orders}',
      'spec:',
      '  sources: [{name: in, generator: {fields: [{name: id, sequence: {}}]}}]',
      '  steps:',
      '    - name: shape',
      '      map:',
      '        set:',
      "          off: 'record.id'",
      '          0777: "record.id"',
      '  sinks: [{name: out, clickhouse: {url: "http://ch:8123", table: t, password: 0123}}]',
    ].join('\n');
    const warnings = lintText(text, 'a.yaml').filter(({ message }) => message.includes('YAML 1.1'));
    deepEqual(
      warnings.map(({ severity, line, column }) => [severity, line, column]),
      [
        ['warning', 10, 11],
        ['warning', 11, 11],
        ['warning', 12, 79],
      ],
    );
    match(warnings[0]!.message, /true or false to readers of YAML 1\.1 such as kubectl; put it in quotes/);
    ok(!warnings[2]!.message.includes('123') && !warnings[2]!.message.includes('83'));
  });

  it('a lone point is text to both', () => {
    for (const text of ['.', '+.', '-.', '._']) deepEqual(about(`a: ${text}`), []);
  });

  it('V1: never fail and never repeat a value, whatever the text', () => {
    // With a colon at its end it would be a key below `a`, and the message names that one.
    const plain = fc.stringMatching(/^[-+.:_0-9a-zA-Z]{1,12}$/).filter((text) => !text.endsWith(':'));
    const word = fc.oneof(fc.constantFrom(...differing), plain);
    fc.assert(
      fc.property(word, (text) => {
        for (const message of about(`a: ${text}`)) ok(message.startsWith('MR_SPEC_INVALID: a: is '), message);
      }),
    );
  });
});
