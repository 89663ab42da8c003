import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { mock } from 'node:test';
import fc from 'fast-check';
import { compile } from '../../crds/compile.ts';
import { lint, lintText, type LintIssue } from '../../crds/lint.ts';
import { pipelineSchema, type PipelineInput } from '../../crds/pipeline.ts';
import { pipelineInput, smallSpec, storedPipeline } from './support/pipelines.ts';

const [source] = smallSpec.sources;
const [sink] = smallSpec.sinks;

/** A valid pipeline as text, with one line changed. */
function text(changed: readonly [from: string, to: string][] = []): string {
  return changed.reduce((yaml, [from, to]) => {
    ok(yaml.includes(from), from);
    return yaml.replace(from, to);
  }, template);
}

const template = `apiVersion: millrace.io/v1alpha1
kind: Pipeline
metadata: {name: orders}
spec:
  sources:
    - name: orders
      kafka:
        brokers: ["kafka:9092"]
        topic: orders
      schema:
        - {name: id, type: string}
        - {name: amount, type: float64}
  steps:
    - name: paid
      filter: {where: "record.amount > 1.0"}
  sinks:
    - name: warehouse
      clickhouse: {url: "http://ch:8123", table: orders}
`;

function only(issues: readonly LintIssue[]): LintIssue {
  equal(issues.length, 1, JSON.stringify(issues, null, 1));
  return issues[0]!;
}

describe('lint', () => {
  it('finds nothing in a valid pipeline', () => deepEqual(lintText(text(), 'a.yaml'), []));

  it('finds nothing in large frames and batches where the memory is for them', () =>
    deepEqual(
      lint(
        pipelineInput({
          sinks: [{ ...sink!, batch: { maxBytes: '64Mi' } }],
          buffer: { shards: 8 },
          resources: { limits: { memory: '2Gi' } },
        }),
      ),
      [],
    ));

  it('finds nothing in the example of the design', async () => {
    const example = await readFile(new URL('support/example.yaml', import.meta.url), 'utf8');
    deepEqual(lintText(example, 'example.yaml'), []);
  });

  it('points at the key of an unknown field and says what was meant', () => {
    const issue = only(lintText(text([['  sinks:', '  bufer: {}\n  sinks:']]), 'a.yaml'));
    deepEqual(issue, {
      severity: 'error',
      code: 'MR_SPEC_UNKNOWN_FIELD',
      path: '/spec/bufer',
      message: 'spec: unknown field "bufer". Did you mean "buffer"?',
      suggestion: 'buffer',
      line: 16,
      column: 3,
      endColumn: 8,
    });
  });

  it('lists what is known when nothing is near', () => {
    const issue = only(lintText(text([['        topic: orders', '        topic: orders\n        zzz: 1']]), 'a.yaml'));
    match(issue.message, /unknown field "zzz"\. Known fields: brokers, topic, startFrom/);
  });

  it('points at the object that lacks a required field', () => {
    const [issue] = lintText(text([['        topic: orders\n', '']]), 'a.yaml');
    equal(issue?.message, 'spec.sources[0].kafka.topic: is required.');
    deepEqual([issue.line, issue.column], [7, 7]);
  });

  it('points at the second of two connectors', () => {
    const issue = only(lintText(text([['      schema:', '      http: {}\n      schema:']]), 'a.yaml'));
    equal(issue.code, 'MR_SPEC_ONE_CONNECTOR');
    equal(
      issue.message,
      'spec.sources[0] must name exactly one of kafka, http, generator, but names 2 (kafka, http). Keep one.',
    );
    deepEqual([issue.line, issue.column], [10, 7]);
  });

  it('points at the word inside an expression', () => {
    const issue = only(lintText(text([['record.amount', 'recrod.amount']]), 'a.yaml'));
    equal(issue.code, 'MR_SPEC_EXPRESSION');
    deepEqual([issue.line, issue.column, issue.endColumn], [15, 24, 30]);
    equal(issue.suggestion, 'record');
  });

  it('points at the word inside an expression that stands in a block', () => {
    const issue = only(
      lintText(
        text([['filter: {where: "record.amount > 1.0"}', 'filter:\n        where: |\n          recrod.amount > 1.0']]),
        'a.yaml',
      ),
    );
    deepEqual([issue.line, issue.column, issue.endColumn], [17, 11, 17]);
  });

  it('warns of a field that the schema does not name', () => {
    const issue = only(lintText(text([['record.amount', 'record.amuont']]), 'a.yaml'));
    equal(issue.severity, 'warning');
    equal(issue.suggestion, 'amount');
  });

  it('refuses a comparison that the schema makes impossible', () => {
    match(
      only(lintText(text([['record.amount > 1.0', "record.amount == 'x'"]]), 'a.yaml')).message,
      /double == string/,
    );
  });

  it('knows which fields a step before has set or removed', () => {
    const steps = [
      { name: 'shape', map: { set: { total: 'record.amount * 2' }, remove: ['amount'] } },
      { name: 'big', filter: { where: 'record.total > 1.0 && record.amount > 1.0' } },
    ];
    const schema = [{ name: 'amount', type: 'float64' as const }];
    const issues = lint(pipelineInput({ sources: [{ ...source!, schema }], steps }));
    equal(only(issues).severity, 'error');
    match(only(issues).message, /no record has a field "amount": step "shape" has taken it away/);
  });

  it('still looks at expressions when another part is wrong', () => {
    const issues = lintText(
      text([
        ['record.amount', 'recrod.amount'],
        ['name: warehouse', 'name: Warehouse'],
      ]),
      'a.yaml',
    );
    deepEqual(
      issues.map(({ code }) => code),
      ['MR_SPEC_EXPRESSION', 'MR_SPEC_INVALID'],
    );
  });

  it('suggests the word with the right capitals', () => {
    const issue = only(lintText(text([['spec:\n', 'spec:\n  desiredState: paused\n']]), 'a.yaml'));
    equal(issue.suggestion, 'Paused');
  });

  const broken: [text: string, said: RegExp][] = [
    ['a: 1\na: 2', /a field occurs twice/],
    ['a:\n\tb: 1', /indented with a tab/],
    ['a: "b', /something is missing/],
    ['a: [1, 2', /something is missing|must be|indented/],
    ['a: b: c', /a colon stands within a value/],
    ['a: @b', /cannot begin with this character/],
    ['a: "\\q"', /an escape sequence is not known/],
  ];
  for (const [text, said] of broken) {
    it(`says in our words what is not YAML: ${JSON.stringify(text)}`, () => {
      const [issue] = lintText(text, 'a.yaml');
      match(issue?.message ?? '', /is not YAML: /);
      match(issue?.message ?? '', said);
    });
  }

  it('says what is not YAML, and where', () => {
    const issue = only(lintText('spec: [', 'a.yaml'));
    match(issue.message, /is not YAML/);
    equal(issue.line, 1);
  });

  describe('refuses a name that occurs twice, as the API server does', () => {
    const field = { name: 'id', type: 'string' } as const;
    const setting = { name: 'max_threads', value: '1' };
    const { clickhouse } = sink!;
    const rows: [path: string, spec: Partial<PipelineInput['spec']>][] = [
      ['spec.sources[1].name', { sources: [source!, source!] }],
      ['spec.sinks[1].name', { sinks: [sink!, sink!] }],
      ['spec.sources[0].schema[1].name', { sources: [{ ...source!, schema: [field, field] }] }],
      [
        'spec.sources[0].generator.fields[1].name',
        { sources: [{ name: 'made', generator: { fields: [{ name: 'a' }, { name: 'a' }] } }] },
      ],
      [
        'spec.sinks[0].clickhouse.settings[1].name',
        { sinks: [{ ...sink!, clickhouse: { ...clickhouse!, settings: [setting, setting] } }] },
      ],
    ];
    for (const [path, spec] of rows) {
      it(path, () => ok(only(lint(pipelineInput(spec))).message.includes(`${path}: must be unique`)));
    }
  });

  it('checks every document of a file', () => {
    const issues = lintText(`${text()}---\n${text([['kind: Pipeline', 'kind: Pipelin']])}`, 'a.yaml');
    equal(only(issues).suggestion, 'Pipeline');
    equal(only(issues).line, 21);
  });

  it('refuses a file without a pipeline', () =>
    match(only(lintText('# nothing\n', 'a.yaml')).message, /no pipeline in a\.yaml/));

  const refused: readonly [string, Partial<PipelineInput['spec']>, RegExp][] = [
    [
      'a frame that no message can hold',
      { frame: { maxBytes: '8Mi' } },
      /frame\.maxBytes: must be at most 4Mi, but is 8Mi/,
    ],
    [
      'a buffer that holds no two frames',
      { buffer: { maxBytes: '300Ki' } },
      /must be at least twice spec\.frame\.maxBytes \(256Ki\)/,
    ],
    ['a batch of no bytes', { sinks: [{ ...sink!, batch: { maxBytes: '0' } }] }, /batch\.maxBytes: must match/],
    [
      'a batch that waits for hours',
      { sinks: [{ ...sink!, batch: { maxDelay: '2h' } }] },
      /batch\.maxDelay: must be at most 10m, but is 2h/,
    ],
    [
      'a request above its limit',
      { resources: { requests: { memory: '1Gi' } } },
      /must be at most spec\.resources\.limits\.memory \(512Mi\), but is 1Gi/,
    ],
    [
      'more replicas than slots',
      { sources: [{ ...source!, replicas: 5 }] },
      /sources\[0\]\.replicas: must be at most slots \(4\), but is 5/,
    ],
    [
      'more sink replicas than shards',
      { sinks: [{ ...sink!, replicas: 3 }] },
      /must be at most spec\.buffer\.shards \(2\), but is 3/,
    ],
    [
      'tombstones that delete where nothing is replaced by key',
      { sinks: [{ ...sink!, tombstones: 'Delete' as const }] },
      /tombstones: must not be Delete without postgres and its upsertKey/,
    ],
    [
      'otherwise before the last sink',
      {
        sinks: [
          { ...sink!, otherwise: true },
          { ...sink!, name: 'b' },
        ],
      },
      /otherwise: must be on the last sink only/,
    ],
    [
      'otherwise with when',
      { sinks: [{ ...sink!, otherwise: true, when: 'true' }] },
      /must not stand together with `when`/,
    ],
    [
      'a malformed reference',
      { sinks: [{ name: 'w', clickhouse: { url: '$(secret:ch)', table: 't' } }] },
      /must be \$\(secret:NAME\/KEY\)/,
    ],
    [
      'a sink without connector',
      { sinks: [{ name: 'w' }] },
      /must name exactly one of clickhouse, postgres, but names 0 \(none\)/,
    ],
    ['a condition that is no bool', { sinks: [{ ...sink!, when: '1 + 1' }] }, /must be a bool, but is int/],
    ['an expression that is no CEL', { steps: [{ name: 'a', map: { set: { b: 'record.' } } }] }, /does not compile/],
  ];
  for (const [what, spec, message] of refused) {
    it(`refuses ${what}`, () => {
      const issue = only(lint(pipelineInput(spec)).filter(({ severity }) => severity === 'error'));
      match(issue.message, message);
    });
  }

  const advised: readonly [string, Partial<PipelineInput['spec']>, RegExp][] = [
    [
      'a password in the spec',
      { sinks: [{ name: 'w', clickhouse: { url: 'http://x', table: 't', password: 'hunter2' } }] },
      /put it into a Secret/,
    ],
    [
      'records that no sink takes',
      { sinks: [{ ...sink!, when: 'record.a > 1' }] },
      /drops records for which no `when` is true/,
    ],
    [
      'frames of all slots of a source that do not fit the memory of a pod',
      { sources: [{ ...source!, slots: 32 }], frame: { maxBytes: '4Mi' } },
      /may hold 622Mi in one pod that owns all 32 slots, and spec\.resources\.limits\.memory is 512Mi/,
    ],
    [
      'batches of all shards of a sink that do not fit the memory of a pod',
      { sinks: [{ ...sink!, batch: { maxBytes: '64Mi' } }], buffer: { shards: 8 } },
      /may hold 1138Mi in one pod that owns all 8 slots/,
    ],
    ['otherwise without when', { sinks: [sink!, { ...sink!, name: 'b', otherwise: true }] }, /has no effect/],
  ];
  for (const [what, spec, message] of advised) {
    it(`warns of ${what}`, () => {
      const issue = only(lint(pipelineInput(spec)));
      equal(issue.severity, 'warning');
      match(issue.message, message);
      equal(issue.message.includes('hunter2'), false);
    });
  }

  it('N1: never throws, whatever the JSON', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void lint(value)));
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (spec, item) => {
        lint({ ...pipelineInput(), spec });
        lint(pipelineInput({ ...smallSpec, steps: [item as never], sinks: [item as never, sink!] }));
      }),
    );
  });

  it('N1: never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (yaml) => void lintText(yaml, 'a.yaml')));
    fc.assert(
      fc.property(fc.nat(template.length), fc.nat(20), fc.string({ maxLength: 5 }), (at, cut, put) => {
        lintText(template.slice(0, at) + put + template.slice(at + cut), 'a.yaml');
      }),
      { numRuns: 500 },
    );
  });

  it('N1: does not expand aliases without end', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i] ?? 'a'},`.repeat(9)}]`),
    ];
    match(lintText(bomb.join('\n'), 'a.yaml')[0]?.message ?? '', /alias/i);
  });

  it('N2: what lint lets through, compile takes; what compile refuses, lint names', () => {
    const replicas = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(
        replicas,
        replicas,
        replicas,
        fc.boolean(),
        fc.constantFrom('true', 'record.a', 'recrod.a', '1'),
        (a, b, shards, otherwise, when) => {
          const spec = {
            sources: [{ ...source!, replicas: a }],
            sinks: [{ ...sink!, replicas: b, otherwise, when }],
            buffer: { shards },
          };
          const isRefused = lint(pipelineInput(spec)).some(({ severity }) => severity === 'error');
          let isCompiled = true;
          try {
            compile(storedPipeline(spec));
          } catch {
            isCompiled = false;
          }
          equal(isCompiled, !isRefused);
        },
      ),
    );
  });

  it('refuses a setting of ClickHouse that contradicts what an exactly-once insert rests on', () => {
    const settings = 'settings: [{name: max_threads, value: "2"}, {name: async_insert, value: "1"}]';
    const issue = only(lintText(text([['table: orders}', `table: orders, ${settings}}`]]), 'a.yaml'));
    equal(issue.path, '/spec/sinks/0/clickhouse/settings/1/value');
    match(issue.message, /must stay 0, but is 1: the answer must say that the batch is stored/);
  });

  it('takes what Kubernetes returns', () => {
    deepEqual(
      lint({
        ...storedPipeline(),
        metadata: { ...storedPipeline().metadata, managedFields: [{}] },
        status: { phase: 'Running' },
      }),
      [],
    );
    ok(pipelineSchema.safeParse(storedPipeline()).success);
  });

  // It runs on the thread that answers everybody, in the API and in the webhook.
  describe('N4: the work', () => {
    const unknownSinks = (count: number) => ({
      ...storedPipeline(),
      spec: { ...smallSpec, sinks: Array.from({ length: count }, (_, i) => ({ name: `w${i}`, x: 1 })) },
    });
    /** Each pointer that is made for a comparison calls it twice for each key. */
    const workFor = (count: number): number => {
      const replaceAll = mock.method(String.prototype, 'replaceAll');
      try {
        lint(unknownSinks(count));
        return replaceAll.mock.callCount();
      } finally {
        replaceAll.mock.restore();
      }
    };

    it('grows with the size of what is checked, and not with its square', () => {
      const [some, more] = [workFor(50), workFor(200)];
      ok(more <= some * 6, `for four times as many sinks it is ${some}, then ${more}`);
    });

    it('does not grow any more when there are more issues than anybody reads', () => {
      const [some, more] = [workFor(1_500), workFor(3_000)];
      ok(more <= some, `for twice as many sinks it is ${some}, then ${more}`);
      match(lint(unknownSinks(3_000)).at(-1)?.message ?? '', /: 2[0-9]{3} more issues are not listed/);
    });

    it('of rules ends with the last item that a list may have', () => {
      const sinks = Array.from({ length: 2_000 }, (_, i) => ({ name: `w${i}` }));
      const issues = lint({ ...storedPipeline(), spec: { ...smallSpec, sinks } });
      equal(issues.filter(({ code }) => code === 'MR_SPEC_ONE_CONNECTOR').length, 256);
    });
  });
});
