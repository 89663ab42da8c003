import assert from 'node:assert/strict';
import { lintFile, lintText } from '../../crds/lint.ts';

const lineOf = (text: string) => lintText(text, 'file')[0]?.line;

describe('what is not closed', () => {
  const rows: readonly (readonly [text: string, line: number])[] = [
    ['a: 1\nb: 2\nc: {{ name: badyaml }\nd: 3\n', 3],
    ['a: 1\nb: [1, 2\nc: 3\nd: 4\n', 2],
    ['a: 1\nb: {x: [1, 2}\nc: 3\n', 2],
    ['a: 1\nb: "text\nc: 3\nd: 4\n', 2],
    ["a: 1\nb: 'text\nc: 3\nd: 4\n", 2],
    ['a: 1\n b: 2\nc: 3\n', 1],
  ];
  for (const [text, line] of rows) {
    it(`${JSON.stringify(text)} is told on line ${line}`, () => assert.equal(lineOf(text), line));
  }
});

describe('values of fields that can hold no secret', () => {
  const rows: readonly (readonly [right: string, wrong: string])[] = [
    ['millrace.io/v1alpha1', 'millrace.io/v2'],
    ['Pipeline', 'Pipelines'],
    ['my-orders', 'My_Orders'],
    ['Running', 'Sometimes'],
    ['replicas: 1', 'replicas: 99999'],
    ['source-a', 'Source A'],
  ];
  const text = `apiVersion: millrace.io/v1alpha1
kind: Pipeline
metadata: {name: my-orders, namespace: shop}
spec:
  desiredState: Running
  sources: [{name: source-a, generator: {}, replicas: 1}]
  sinks: [{name: warehouse, clickhouse: {url: "http://ch:8123", table: orders}}]
`;
  for (const [right, wrong] of rows) {
    it(`${wrong} is shown, in the message and beside it`, () => {
      const { shown, issues } = lintFile(text.replace(right, wrong), 'file');
      assert.ok(shown.includes(wrong), shown);
      const value = wrong.replace('replicas: ', '');
      assert.ok(
        issues.some(({ message }) => message.includes(value)),
        JSON.stringify(issues),
      );
    });
  }

  it('an annotation may hold one, and is covered', () => {
    const { issues } = lintFile(text.replace('namespace: shop', 'annotations: {token: [hunter2]}'), 'file');
    assert.ok(issues.length > 0);
    assert.ok(!JSON.stringify(issues).includes('hunter2'));
  });
});
