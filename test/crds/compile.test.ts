import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { compile } from '../../crds/compile.ts';
import { canonicalJson, hashOf, toJson } from '../../model/json.ts';
import { pidOf } from '../../model/names.ts';
import { pipelineSchema, type PipelineInput } from '../../crds/pipeline.ts';
import type { SinkStage } from '../../model/plan.ts';
import { smallSpec, storedPipeline } from './support/pipelines.ts';

const [source] = smallSpec.sources;
const [sink] = smallSpec.sinks;

function sinksOf(spec: Partial<PipelineInput['spec']>): readonly SinkStage[] {
  return compile(storedPipeline(spec)).stages.filter((stage) => stage.kind === 'sink');
}

describe('compile', () => {
  it('makes one ingestor and one sink of the smallest pipeline', () => {
    const plan = compile(storedPipeline());
    deepEqual(
      plan.stages.map(({ name, connector, slots, replicas }) => [name, connector, slots, replicas]),
      [
        ['ingestor-orders', 'kafka', 4, 1],
        ['sink-warehouse', 'clickhouse', 2, 1],
      ],
    );
    deepEqual(plan.edges, [{ name: 'records', shards: 2, maxBytes: 2 ** 30 }]);
    equal(plan.pipeline.generation, 3);
  });

  it('gives every pod 100m of CPU and 128Mi to 512Mi of memory unless asked otherwise', () => {
    deepEqual(compile(storedPipeline()).stages[0]?.resources, {
      requests: { cpu: '100m', memory: '128Mi' },
      limits: { memory: '512Mi' },
    });
  });

  it('turns quantities and durations into numbers', () => {
    const plan = compile(storedPipeline({ frame: { maxBytes: '1Mi', linger: '1s' }, buffer: { maxBytes: '4096Ki' } }));
    const [ingestor] = plan.stages;
    ok(ingestor?.kind === 'ingestor');
    deepEqual(ingestor.frame, { maxRecords: 1000, maxBytes: 2 ** 20, lingerMs: 1000 });
    equal(plan.edges[0]?.maxBytes, 2 ** 22);
  });

  it('puts the workloads into a namespace of their own, or beside the resource', () => {
    const own = compile(storedPipeline());
    equal(own.workloadNamespace, `pipeline-${pidOf('orders', own.pipeline.uid)}`);
    equal(own.stages[0]?.workload, 'ingestor-orders');
    const shared = compile(storedPipeline({ isolation: 'Shared' }));
    equal(shared.workloadNamespace, 'shop');
    equal(shared.stages[0]?.workload, 'orders-ingestor-orders');
  });

  it('keeps names of workloads short enough for labels of pods, and different', () => {
    const long = 'a'.repeat(40);
    const names = [`${long.slice(1)}b`, `${long.slice(1)}c`].map((name) => ({ ...source!, name }));
    const workloads = compile(storedPipeline({ isolation: 'Shared', sources: names }, long)).stages.map(
      ({ workload }) => workload,
    );
    ok(workloads.every((name) => name.length <= 50));
    equal(new Set(workloads).size, workloads.length);
  });

  it('lets the first sink alone own the failures of steps', () => {
    deepEqual(
      sinksOf({ sinks: [sink!, { ...sink!, name: 'b' }] }).map((stage) => stage.ownsStepFailures),
      [true, false],
    );
  });

  it('routes: when in order, otherwise the rest, and a copy to a sink with neither', () => {
    const sinks = [
      { ...sink!, name: 'big', when: 'record.a > 10' },
      { ...sink!, name: 'copy' },
      { ...sink!, name: 'small', when: 'record.a > 1' },
      { ...sink!, name: 'rest', otherwise: true },
    ];
    deepEqual(
      sinksOf({ sinks }).map((stage) => [stage.sink, stage.route]),
      [
        ['big', { unless: [], when: 'record.a > 10' }],
        ['copy', { unless: [], when: null }],
        ['small', { unless: ['record.a > 10'], when: 'record.a > 1' }],
        ['rest', { unless: ['record.a > 10', 'record.a > 1'], when: null }],
      ],
    );
  });

  it('tells a sink the topic and schema of every source', () => {
    const schema = [{ name: 'id', type: 'string' as const }];
    const [stage] = sinksOf({
      sources: [
        { ...source!, schema },
        { name: 'web', http: {} },
      ],
    });
    deepEqual(stage?.sources, {
      orders: { topic: 'orders', schema: [{ name: 'id', type: 'string', optional: false }] },
      web: { topic: null, schema: null },
    });
  });

  it('K3: leaves references as written and lists each once', () => {
    const password = '$(secret:ch/password)';
    const plan = compile(
      storedPipeline({
        sinks: ['a', 'b'].map((name) => ({ name, clickhouse: { url: '$(configMap:ch/url)', table: 't', password } })),
      }),
    );
    deepEqual(plan.credentials, [
      { kind: 'configMap', name: 'ch', key: 'url' },
      { kind: 'secret', name: 'ch', key: 'password' },
    ]);
    ok(JSON.stringify(plan).includes(password));
  });

  it('K2: refuses with the error that lint shows', () => {
    throws(() => compile(storedPipeline({ sinks: [{ name: 'none' }] })), { code: 'MR_SPEC_ONE_CONNECTOR' });
    throws(() => compile(storedPipeline({ steps: [{ name: 'a', filter: { where: 'recrod.a' } }] })), {
      code: 'MR_SPEC_EXPRESSION',
    });
    throws(() => compile(storedPipeline({ sinks: [{ ...sink!, replicas: 9 }] })), { code: 'MR_SPEC_INVALID' });
  });

  it('K2: wants what Kubernetes sets', () => {
    const { metadata, ...rest } = storedPipeline();
    const { uid: _, ...unstored } = metadata;
    throws(() => compile({ ...rest, metadata: unstored }), { code: 'MR_SPEC_INVALID', message: /uid/ });
  });

  it('K1: gives the same plan for the same pipeline, to the byte, and is JSON', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const plan = compile(storedPipeline(spec));
        equal(JSON.stringify(plan), JSON.stringify(compile(structuredClone(storedPipeline(spec)))));
        deepEqual(toJson(plan), JSON.parse(JSON.stringify(plan)));
      }),
    );
  });

  it('K2: takes every valid spec, with stages that keep their bounds', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const plan = compile(storedPipeline(spec));
        for (const stage of plan.stages) ok(stage.replicas <= stage.slots && stage.workload.length <= 50);
        equal(plan.stages.filter((stage) => stage.kind === 'sink' && stage.ownsStepFailures).length, 1);
        equal(new Set(plan.stages.map(({ workload }) => workload)).size, plan.stages.length);
      }),
    );
  });
});

describe('the canonical form', () => {
  it('does not depend on the order of keys', () => {
    equal(canonicalJson({ b: [1, { d: 1, c: 2 }], a: null }), '{"a":null,"b":[1,{"c":2,"d":1}]}');
    equal(hashOf({ a: 1, b: 2 }), hashOf({ b: 2, a: 1 }));
  });

  it('is the same for a spec and what Kubernetes returns for it', () => {
    const parsed = pipelineSchema.parse(storedPipeline());
    equal(hashOf(parsed.spec), hashOf(JSON.parse(JSON.stringify(parsed.spec))));
  });

  it('differs for different values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        equal(hashOf(a) === hashOf(b), isDeepStrictEqual(plain(a), plain(b)));
      }),
    );
  });
});

/** Without -0, which JSON does not tell from 0. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/);
const names = (maxLength: number) => fc.uniqueArray(name, { minLength: 1, maxLength });

/** Valid specs. */
const specs: fc.Arbitrary<Partial<PipelineInput['spec']>> = fc
  .record({
    isolation: fc.constantFrom('Namespace' as const, 'Shared' as const),
    sources: names(3),
    sinks: names(3),
    steps: fc.uniqueArray(name, { maxLength: 3 }),
    slots: fc.integer({ min: 1, max: 64 }),
    shards: fc.integer({ min: 1, max: 64 }),
    when: fc.option(fc.constantFrom('record.a > 1', 'has(record.b)', 'meta.partition == 0'), { nil: undefined }),
  })
  .chain((drawn) =>
    fc
      .record({
        replicas: fc.integer({ min: 1, max: drawn.slots }),
        writers: fc.integer({ min: 1, max: drawn.shards }),
      })
      .map(({ replicas, writers }) => ({
        isolation: drawn.isolation,
        buffer: { shards: drawn.shards },
        sources: drawn.sources.map((of) => ({ ...source!, name: of, slots: drawn.slots, replicas })),
        steps: drawn.steps.map((of) => ({ name: of, filter: { where: 'record.a == 1' } })),
        sinks: drawn.sinks.map((of) => ({
          ...sink!,
          name: of,
          replicas: writers,
          ...(drawn.when === undefined ? {} : { when: drawn.when }),
        })),
      })),
  );
