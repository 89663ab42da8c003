import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hideBeforehand, stableLoadText, stableText } from '../../../connectors/stable-text.ts';
import { shortened } from '../../../model/text.ts';
import { Secrets } from '../../../workers/pod/secrets.ts';

const ref = { kind: 'secret', name: 'pg', key: 'value' } as const;
const reference = '$(secret:pg/value)';

function knowing(value: string): Secrets {
  const secrets = new Secrets();
  secrets.learn(ref, value);
  return secrets;
}

describe('texts without the values of Secrets', () => {
  const forms: readonly [form: string, of: (value: string) => string][] = [
    ['as it is', (value) => value],
    ['percent-encoded', (value) => encodeURIComponent(value)],
    [
      'percent-encoded in lower case',
      (value) => encodeURIComponent(value).replace(/%../g, (byte) => byte.toLowerCase()),
    ],
    ['in a form', (value) => encodeURIComponent(value).replaceAll('%20', '+')],
    ['in base64', (value) => Buffer.from(value).toString('base64').replace(/=+$/, '')],
    ['in base64url', (value) => Buffer.from(value).toString('base64url')],
    ['in JSON', (value) => JSON.stringify(value).slice(1, -1)],
    ['in SQL', (value) => value.replaceAll("'", "''")],
    ['in SQL of ClickHouse', (value) => value.replaceAll(/[\\']/g, '\\$&')],
  ];
  const secretText = fc
    .string({ unit: 'grapheme', minLength: 4, maxLength: 40 })
    .filter((text) => text.trim().length >= 4 && !/[<>]/.test(text));
  for (const [form, of] of forms) {
    it(`S1: hides a value ${form}`, () => {
      fc.assert(
        fc.property(secretText, (value) => {
          assert.equal(knowing(value).hide(`<${of(value)}>`), `<${reference}>`);
        }),
      );
    });
  }

  it('S1: a line of the log stays JSON, whatever the value is', () => {
    fc.assert(
      fc.property(secretText, (value) => {
        const line = `${JSON.stringify({ n: 123_456, err: { message: `<${value}>`, list: [value] } })}\n`;
        const hidden: unknown = JSON.parse(knowing(value).hideInLine(line));
        assert.deepEqual(hidden, { n: 123_456, err: { message: `<${reference}>`, list: [reference] } });
      }),
    );
  });

  const parts: readonly [value: string, text: string, hidden: string][] = [
    ['db.example', 'getaddrinfo ENOTFOUND db.example', `getaddrinfo ENOTFOUND ${reference}`],
    ['127.0.0.1', 'refused at 127.0.0.1:5432', `refused at ${reference}:5432`],
    [
      'https://app:p%40ssword@CH.example:8443/x',
      'ch.example:8443 refuses p@ssword',
      `${reference} refuses ${reference}`,
    ],
    ['one:9092,two.example:9092', 'two.example is not one:9092', `${reference} is not ${reference}`],
    ['first line\nsecond line', 'before second line', `before ${reference}`],
    [' padded ', 'is padded?', `is ${reference}?`],
  ];
  for (const [value, text, hidden] of parts) {
    it(`S2: hides what programs take out of ${JSON.stringify(value)}`, () => {
      assert.equal(knowing(value).hide(text), hidden);
    });
  }

  it('S2: the longest value wins, and each has its own reference', () => {
    const secrets = knowing('hunter');
    secrets.learn({ ...ref, key: 'long' }, 'hunter2');
    assert.equal(secrets.hide('hunter2 and hunter'), '$(secret:pg/long) and $(secret:pg/value)');
  });

  it('S1: hides the beginning of a value in a message that is cut within it', () => {
    const text = shortened(`${'x'.repeat(392)} hunter3secretvalue`);
    assert.equal(knowing('hunter3secretvalue').hide(text), `${'x'.repeat(392)} ${reference}…`);
  });

  it('S3, S4: leaves short values, and those of ConfigMaps', () => {
    assert.equal(knowing('abc').hide('abc abcd'), 'abc abcd');
    const secrets = new Secrets();
    secrets.learn({ ...ref, kind: 'configMap' }, 'db.example');
    assert.equal(secrets.hide('at db.example'), 'at db.example');
  });

  it('a value that was read before a rotation is still hidden', () => {
    const secrets = knowing('hunter2-old');
    secrets.learn(ref, 'hunter2-new');
    assert.equal(secrets.hide('hunter2-old, hunter2-new'), `${reference}, ${reference}`);
  });

  describe('in what a server says, without what differs each time', () => {
    afterEach(() => hideBeforehand((text) => text));
    const contexts = [
      (value: string) => `role ${value} rows`,
      (value: string) => `process ${value}`,
      (value: string) => `limit ${value} ms of 7 MiB`,
      (value: string) => `from 10.0.0.1:${value}`,
      (value: string) => `query_id: ${value}, 12 rows`,
    ];
    const values = [
      'swordfish 12',
      '4711-swordfish',
      '90210',
      '12.5 swordfish',
      'sword 12 rows fish',
      '2026-01-31T09:30:00Z',
    ];
    for (const value of values)
      it(`S1: ${value} is hidden before numbers go`, () => {
        const secrets = knowing(value);
        hideBeforehand((text) => secrets.hide(text));
        for (const context of contexts)
          for (const stable of [stableText, stableLoadText]) {
            const said = stable(context(value));
            assert.ok(!/sword|fish|4711|90210|2026/.test(said), said);
          }
      });
  });
});
