import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { lintReport } from '../../cli/lint-report.ts';
import { pipelineObjectSchema } from '../../crds/crd.ts';
import type { SchemaNode } from '../../crds/crd-schema.ts';
import { firstError, lint, lintFile, lintText } from '../../crds/lint.ts';
import { displayPath, type IssuePath } from '../../crds/issue.ts';
import { isOnlyReferences, isSecretName, looksLikeSecretName, mayHoldSecret } from '../../crds/secrecy.ts';

const secret = 'hunter2';
const secretNumber = 867_530_986;
const spoken = new RegExp(`${secret}|${secretNumber}`, 'i');

/** What a person may have written where text, an object or a list should be. */
const slips: readonly (readonly [what: string, value: unknown])[] = [
  ['text', secret],
  ['a number', secretNumber],
  ['a list', [secret]],
  ['an object', { thing: secret, [secret.slice(0, 3)]: secretNumber }],
  ['text that is too long', secret.repeat(20_000)],
  ['text of two lines', `${secret}\n${secret}`],
  ['a reference that is none', `$(secret:${secret}`],
  ['a name between two references', `$(secret:a/b)${secret}$(secret:a/c)`],
  ['an address with a password', `https://app:${secret}@ch:8443`],
];

const schema = pipelineObjectSchema();
const spec = schema.properties?.['spec'];

interface Field {
  readonly path: IssuePath;
  readonly node: SchemaNode;
}

/** Every field of every source, step and sink, and the objects and lists around them. */
const fields = ['sources', 'steps', 'sinks'].flatMap((list) =>
  fieldsUnder(spec?.properties?.[list]?.items, ['spec', list, 0]),
);

function fieldsUnder(node: SchemaNode | undefined, path: IssuePath): readonly Field[] {
  if (node === undefined) return [];
  const members = Object.entries(node.properties ?? {}).flatMap(([name, member]) =>
    fieldsUnder(member, [...path, name]),
  );
  const more = node.additionalProperties ? fieldsUnder(node.additionalProperties, [...path, 'any']) : [];
  return [{ path, node }, ...members, ...more, ...fieldsUnder(node.items, [...path, 0])];
}

/** A pipeline of which only this is written. */
function pipelineWith(path: IssuePath, value: unknown): unknown {
  const whole = path.reduceRight<unknown>(
    (inner, key) => (typeof key === 'number' ? [inner] : { ...(key === 'kafka' ? {} : {}), [key]: inner }),
    value,
  );
  return { apiVersion: 'millrace.io/v1alpha1', kind: 'Pipeline', metadata: { name: 'orders' }, ...Object(whole) };
}

function everythingSaid(pipeline: unknown): string {
  const text = stringify(pipeline);
  const { issues, shown } = lintFile(text, 'orders.yaml');
  const file = { name: 'orders.yaml', issues, shown };
  return [
    JSON.stringify(lint(pipeline)),
    JSON.stringify(lintText(JSON.stringify(pipeline), 'orders.json')),
    firstError(pipeline)?.sentence ?? '',
    JSON.stringify(firstError(pipeline)?.params ?? {}),
    ...(['pretty', 'json', 'github'] as const).map((format) => lintReport([file], format)),
  ].join('\n');
}

describe('secrets in a pipeline', () => {
  it('has all fields of all connectors and steps in its table', () => {
    const names = fields.map(({ path }) => displayPath(path.filter((key) => key !== 0)));
    for (const known of [
      'spec.sources.kafka.sasl.password',
      'spec.sources.http.auth.token',
      'spec.sinks.postgres.host',
    ]) {
      assert.ok(names.includes(known), known);
    }
    assert.ok(names.length > 100);
  });

  // The text of a step is an expression, whose words are repeated where one is not known.
  for (const { path, node } of fields.filter((field) => mayHoldSecret(field.node) && field.path[1] !== 'steps')) {
    it(`S1: ${displayPath(path)} is never repeated, whatever is wrong with it`, () => {
      for (const [what, value] of slips) {
        const pipeline = pipelineWith(path, value);
        if (lint(pipeline).every(({ path: at }) => !at.startsWith(pointer(path)))) continue;
        assert.doesNotMatch(everythingSaid(pipeline), spoken, `${what} in ${node.type ?? '?'}`);
      }
    });
  }

  for (const { path } of fields.filter(
    (field) => isSecretName(String(field.path.at(-1))) && field.path[1] !== 'steps',
  )) {
    it(`V1: ${displayPath(path)} is not shown, though it is well formed`, () => {
      for (const value of [
        secret,
        ` ${secret}`,
        `"${secret}"`,
        `*${secret}`,
        `!${secret}`,
        `${secret}: x`,
        `#${secret}`,
      ]) {
        assert.doesNotMatch(everythingSaid(pipelineWith(path, value)), spoken, value);
      }
    });
  }

  for (const name of [
    'pasword',
    'passwd',
    'Password',
    'passwort',
    'pass',
    'pwd',
    'dbPassword',
    'auth_token',
    'apikey',
    'pw',
  ]) {
    it(`S2: what stands under "${name}" is neither repeated nor shown`, () => {
      for (const value of [secret, secretNumber, [secret], { [name]: secret }]) {
        for (const path of [['kafka', 'sasl', name], ['kafka', name], ['http', 'auth', name], [name]]) {
          assert.doesNotMatch(everythingSaid(pipelineWith(['spec', 'sources', 0, ...path], value)), spoken);
        }
      }
    });
  }

  it('S1: what cannot be a secret is still said', () => {
    const said = (path: IssuePath, value: unknown) => everythingSaid(pipelineWith(['spec', ...path], value));
    assert.match(said(['sources', 0, 'replicas'], 'two'), /must be a .*number, but is "two"/);
    assert.match(said(['sources', 0, 'kafka', 'fetch', 'maxWait'], '5 apples'), /but is "5 apples"/);
    assert.match(said(['sources', 0, 'kafka', 'sasl', 'mechanism'], 'scramsha512'), /did you mean "ScramSha512"/);
    assert.match(said(['desiredState'], 'running'), /but is "running"/);
  });

  it('S2: what stands where a name should be is repeated only when it is near one, or has a value', () => {
    const said = (sasl: unknown) => everythingSaid(pipelineWith(['spec', 'sources', 0, 'kafka', 'sasl'], sasl));
    assert.doesNotMatch(said({ [secret]: null }), spoken);
    assert.doesNotMatch(said({ [`password:${secret}`]: 'x', [`${'p'.repeat(50)}${secret}`]: 'x' }), spoken);
    assert.match(said({ usernam: null }), /unknown field "usernam"\. Did you mean "username"/);
    assert.match(said({ domain: 'x' }), /unknown field "domain"/);
  });

  it('S1: a secret that is not shown is told by its kind', () => {
    const [issue] = lint(pipelineWith(['spec', 'sources', 0, 'http', 'auth', 'token'], secretNumber)).filter(
      ({ path }) => path.endsWith('/token'),
    );
    assert.equal(issue?.message, 'spec.sources[0].http.auth.token: must be text, but is a number.');
  });

  it('V1: lines and columns of what is shown are those of the file', () => {
    const text = `spec: {sources: [{name: a, http: {auth: {token: "${secret}"}}}]} # token: ${secret}\n`;
    const { shown } = lintFile(text, 'a.yaml');
    assert.equal(shown, text.replaceAll(`"${secret}"`, '•'.repeat(9)).replaceAll(secret, '•'.repeat(7)));
  });

  it('V1: references, names and expressions are shown', () => {
    const text = [
      'spec:',
      '  sources: [{name: orders, kafka: {topic: orders, sasl: {username: app, password: $(secret:kafka/password)}}}]',
      '  steps: [{name: shape, map: {set: {token: record.id}, remove: [key]}}]',
      '',
    ].join('\n');
    assert.equal(lintFile(text, 'a.yaml').shown, text);
  });

  it('V1: no field of the schema is taken for a secret by a slip of its name', () => {
    const taken = fields
      .map(({ path }) => String(path.at(-1)))
      .filter((name) => looksLikeSecretName(name) && !isSecretName(name));
    assert.deepEqual([...new Set(taken)], []);
  });

  it('V2: text that is no YAML shows and repeats no secret', () => {
    const around = `spec:\n  sources:\n    - name: a\n      kafka:\n        sasl: {username: app, password: VALUE}\n        topic: x\n  sinks: []\n`;
    const value = fc.constantFrom(
      `"${secret}`,
      `'${secret}`,
      `*${secret}`,
      `&${secret}`,
      `!${secret}`,
      `%${secret}`,
      `@${secret}`,
      `|${secret}`,
      `>${secret} x`,
      `"\\q${secret}"`,
      `[${secret}`,
      `{${secret}`,
      `${secret}: : `,
      `"a" ${secret}`,
      `|\n              ${secret}`,
      `- ${secret}\n              - ${secret}`,
      secret,
    );
    const cut = fc.nat({ max: around.length });
    fc.assert(
      fc.property(value, cut, fc.constantFrom('', '}', ']', '\t', '"', ': ', '- '), (put, at, extra) => {
        const broken = (around.slice(0, at) + extra + around.slice(at)).replace('VALUE', put);
        const { issues, shown } = lintFile(broken, 'a.yaml');
        const messages = issues.map(({ message }) => message).join('\n');
        // A cut through the name of the field makes it another one, which may be well formed.
        assert.doesNotMatch(messages, spoken, broken);
        if (broken.includes('password: '))
          assert.doesNotMatch(lintReport([{ name: 'a', issues, shown }], 'pretty'), spoken, broken);
      }),
      { numRuns: 500 },
    );
  });

  it('a text that is only references is told from one that is not', () => {
    for (const text of ['$(secret:a/b)', '$(secret:a/b):$(configMap:c/d)', 'x'].slice(0, 2))
      assert.ok(isOnlyReferences(text));
    for (const text of ['', secret, `$(secret:a/b)${secret}`, `$(secret:${secret}`]) assert.ok(!isOnlyReferences(text));
  });
});

function pointer(path: IssuePath): string {
  return path.map((key) => `/${key}`).join('');
}
