import assert from 'node:assert/strict';
import { lint } from '../../crds/lint.ts';
import { apiVersion, kind } from '../../model/names.ts';

const made = {
  name: 'made',
  generator: {
    fields: [
      { name: 'id', kind: 'Sequence' },
      { name: 'kind', kind: 'Choice' },
    ],
  },
};
const typed = {
  name: 'typed',
  http: {},
  schema: [
    { name: 'id', type: 'string' },
    { name: 'kind', type: 'string' },
  ],
};
const open = { name: 'open', http: {} };

const filter = (where: string, some: object = {}) => ({ name: 'wanted', filter: { where }, ...some });
const map = (change: object, some: object = {}) => ({ name: 'shape', map: change, ...some });

function issues(sources: readonly object[], steps: readonly object[], when?: string) {
  const sinks = [
    { name: 'first', clickhouse: { url: 'http://ch:8123', table: 'a' }, ...(when === undefined ? {} : { when }) },
    ...(when === undefined
      ? []
      : [{ name: 'rest', clickhouse: { url: 'http://ch:8123', table: 'b' }, otherwise: true }]),
  ];
  const found = lint({ apiVersion, kind, metadata: { name: 'orders' }, spec: { sources, steps, sinks } });
  return found.filter(({ code }) => code === 'MR_SPEC_EXPRESSION');
}

describe('a field that an expression names', () => {
  const no = 'no record has a field';
  const rows: [title: string, sources: readonly object[], steps: readonly object[], said: string | undefined][] = [
    // What is known to be wrong on every record.
    ['that no generator makes', [made], [filter("record.knid == 'a'")], `error ${no} "knid"`],
    ['that no generator makes, as an index', [made], [filter("record['knid'] == 'a'")], `error ${no} "knid"`],
    ['within a call', [made], [filter("string(record.knid) == 'a'")], `error ${no} "knid"`],
    ['within a macro', [made], [filter('[1].exists(x, x == record.knid)')], `error ${no} "knid"`],
    ['that a step has removed', [open], [map({ remove: ['a'] }), filter('record.a == 1')], `error ${no} "a"`],
    ['that a step has moved', [open], [map({ rename: { a: 'b' } }), filter('record.a == 1')], `error ${no} "a"`],
    [
      'that a step has set and removed',
      [made],
      [map({ set: { a: '1' }, remove: ['a'] }), filter('record.a == 1')],
      `error ${no} "a"`,
    ],
    ['that meta has not', [open], [filter("meta.knid == 'a'")], 'error meta has no field "knid"'],
    ['that meta has not, as an index', [open], [filter("meta['knid'] == 'a'")], 'error meta has no field "knid"'],
    ['that meta has not, where it is asked for', [open], [filter('has(meta.knid)')], 'error meta has no field "knid"'],
    // What depends on the data.
    ['that a schema does not name', [typed], [filter("record.knid == 'a'")], 'warning the schema has no field "knid"'],
    ['of which nothing is known', [open], [filter("record.knid == 'a'")], undefined],
    ['where one source may have it', [made, open], [filter("record.knid == 'a'")], undefined],
    [
      'that one of the generators makes',
      [made, { name: 'other', generator: { fields: [{ name: 'knid', kind: 'Sequence' }] } }],
      [filter('record.knid == 1')],
      undefined,
    ],
    [
      'that some records lose',
      [open],
      [map({ remove: ['a'] }, { when: 'meta.partition == 1' }), filter('record.a == 1')],
      undefined,
    ],
    [
      'that was removed and is set again',
      [open],
      [map({ remove: ['a'] }), map({ set: { a: '1' } }), filter('record.a == 1')],
      undefined,
    ],
    ['that a step sets', [made], [map({ set: { knid: '1' } }), filter('record.knid == 1')], undefined],
    ['that a step moves there', [made], [map({ rename: { kind: 'knid' } }), filter("record.knid == 'a'")], undefined],
    ['of which a part was removed', [open], [map({ remove: ['a.b'] }), filter('record.a.c == 1')], undefined],
    ['that the step itself removes', [open], [map({ set: { b: 'record.a' }, remove: ['a'] })], undefined],
    ['that the expression asks for', [made], [filter('has(record.knid) && record.knid == 1')], undefined],
  ];
  for (const [title, sources, steps, said] of rows) {
    it(`${said ?? 'is nothing to say'}: ${title}`, () => {
      const [issue, ...more] = issues(sources, steps);
      assert.deepEqual(more, []);
      if (said === undefined) return assert.equal(issue, undefined, issue?.message);
      assert.ok(issue);
      const [severity = '', ...words] = said.split(' ');
      assert.equal(issue.severity, severity);
      assert.ok(issue.message.includes(words.join(' ')), issue.message);
      return undefined;
    });
  }

  it('is looked at in the condition of a sink, too, and what was meant is suggested', () => {
    const [issue] = issues([made], [], "record.knid == 'a'");
    assert.deepEqual([issue?.severity, issue?.suggestion, issue?.path], ['error', 'kind', '/spec/sinks/0/when']);
  });
});
