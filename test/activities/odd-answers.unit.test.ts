import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { createActivities } from '../../activities/index.ts';
import { planText } from '../../activities/kubernetes/render/plan.ts';
import { compile } from '../../crds/compile.ts';
import { pipelineSchema } from '../../crds/pipeline.ts';
import type { Asked } from '../../kubernetes/asked.ts';
import type { LifecycleActivities, OperationKind, PipelineRef } from '../../model/lifecycle.ts';
import { apiVersion, finalizer, kind, labels, namespaceOf, pidOf } from '../../model/names.ts';
import { oddAnswers, status } from './odd-answers.ts';
import { OddServer } from './odd-server.ts';
import { noAccess } from './no-access.ts';
import { recordingStreams } from './recording-streams.ts';

const cluster = 'cluster-1';
const uid = '7b1c2d3e-0000-4000-8000-000000000001';
const pipeline: PipelineRef = { namespace: 'shop', name: 'orders', uid, cluster };
const pid = pidOf('orders', uid);
const workloadNamespace = namespaceOf(pid);

/** Every activity that reads the API; what it may change when all is well is not looked at here. */
const activities: readonly (readonly [name: keyof LifecycleActivities, input: (kind: OperationKind) => object])[] = [
  ['fetchSpec', () => ({ pipeline })],
  ['locatePipeline', (during) => ({ op: op(during), step: 's' })],
  ['ensureNamespace', place],
  ['copyCredentials', place],
  ['applyPlan', place],
  ['takeBackPlan', place],
  ['ensureStreams', place],
  ['applyStage', (during) => ({ ...place(during), stage: 'sink-warehouse', replicas: 1 })],
  ['waitStage', (during) => ({ ...place(during), stage: 'sink-warehouse', replicas: 1 })],
  ['recordRevision', place],
  ['listStages', place],
  ['scaleStage', (during) => ({ ...place(during), stage: 'sink-warehouse', replicas: 0 })],
  ['waitStageGone', (during) => ({ ...place(during), stage: 'sink-warehouse' })],
  ['waitDrained', (during) => ({ ...place(during), until: 'drainedOrImmediate' })],
  ['pruneStages', (during) => ({ ...place(during), keep: ['ingestor-numbers', 'sink-warehouse'] })],
  ['deleteStreams', (during) => ({ ...place(during), pid })],
  ['forgetLeases', (during) => ({ ...place(during), pid })],
  ['deleteNamespace', place],
  ['waitNamespaceGone', place],
  ['removeFinalizer', (during) => ({ op: op(during), step: 's' })],
  ['waitPipelineReady', () => ({ pipeline, generation: 1 })],
  ['removePipeline', () => ({ namespace: 'shop', name: 'orders' })],
  ['waitPipelineGone', () => pipeline],
];

/** Activities that only a teardown runs: with a pipeline that is alive they do nothing at all. */
const destructive = ['deleteStreams', 'forgetLeases', 'deleteNamespace', 'removeFinalizer'];

describe('odd answers of what is taken for the Kubernetes API', () => {
  let server: OddServer;
  let streamChanges: string[];
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());
  beforeEach(() => {
    streamChanges = [];
    server.changes.length = 0;
    server.oddity = () => null;
    healthyCluster(server);
  });

  /** Runs an activity, and says what came out. */
  async function outcomeOf(name: keyof LifecycleActivities, input: object): Promise<unknown> {
    let now = 0;
    const all = createActivities({
      kube: server.kube,
      cluster,
      streams: () => recordingStreams({ pid, uid }, streamChanges),
      clock: { now: () => now, sleep: async (ms) => void (now += ms * 100) },
      log: pino({ level: 'silent' }),
      ...{ image: 'i', natsUrl: 'n', podAccess: noAccess, streamReplicas: 1, pollMs: 500 },
    });
    const act = all[name] as (given: object) => Promise<unknown>;
    try {
      return {
        is: 'done',
        value: await new MockActivityEnvironment({ attempt: 2 }, { logger: new DefaultLogger('ERROR') }).run(
          act,
          input,
        ),
      };
    } catch (error) {
      return error;
    }
  }

  function assertNothingLost(): void {
    const lost = server.changes.filter(
      ({ verb, body }) => verb === 'DELETE' || body.includes('"finalizers"') || /"replicas":0/.test(body),
    );
    assert.deepEqual(lost, []);
    assert.deepEqual(streamChanges, []);
  }

  function assertRetried(outcome: unknown): void {
    assert.ok(outcome instanceof ApplicationFailure, JSON.stringify(outcome));
    assert.notEqual(outcome.nonRetryable, true, `${outcome.type ?? ''}: ${outcome.message}`);
  }

  const targets: Readonly<Record<string, (asked: Asked) => boolean>> = {
    everywhere: () => true,
    'for the pipeline': ({ resource, name }) => resource === 'pipelines' && name === 'orders',
    'for its namespace': ({ resource, name }) => resource === 'namespaces' && name === workloadNamespace,
    'for lists': ({ verb }) => verb === 'LIST',
  };

  for (const [what, answer] of Object.entries(oddAnswers)) {
    for (const [where, isOdd] of Object.entries(targets)) {
      it(`C1: ${what}, ${where}: no activity takes it for a deletion`, async () => {
        server.oddity = (asked) => (isOdd(asked) && (asked.verb === 'GET' || asked.verb === 'LIST') ? answer : null);
        for (const [name, input] of activities) {
          const outcome = await outcomeOf(name, input('teardown'));
          // To delete the resource is what a person has asked for; what follows from it is not its doing.
          if (name === 'removePipeline') server.changes.length = 0;
          assertNothingLost();
          if (where === 'everywhere' && !(name === 'waitDrained' || destructive.includes(name))) assertRetried(outcome);
          const code = outcome instanceof ApplicationFailure ? outcome.type : undefined;
          assert.notEqual(code, 'MR_PIPELINE_REPLACED', name);
        }
      });
    }
  }

  it('P3: with a pipeline that is alive a teardown deletes nothing, and says so', async () => {
    for (const [name, input] of activities.filter(([each]) => destructive.includes(each) || each === 'scaleStage')) {
      const outcome = await outcomeOf(name, input('teardown'));
      assert.ok(outcome instanceof ApplicationFailure, name);
      assert.deepEqual([outcome.type, outcome.nonRetryable], ['MR_PIPELINE_NOT_DELETED', true], name);
      assertNothingLost();
    }
  });

  it('P2: in another cluster, where the pipeline is not, nothing is taken for a deletion', async () => {
    server.objects.clear();
    server.put('Namespace', { name: 'kube-system', uid: 'cluster-2' });
    for (const [name, input] of activities.filter(([each]) => destructive.includes(each) || each === 'fetchSpec')) {
      const outcome = await outcomeOf(name, input('teardown'));
      assertRetried(outcome);
      assert.ok(outcome instanceof ApplicationFailure && outcome.type === 'MR_CLUSTER_FOREIGN', name);
      assertNothingLost();
    }
  });

  it('P2: of a pipeline whose cluster is not known nothing is taken for a deletion', async () => {
    server.objects.clear();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    const { cluster: _, ...unknown } = pipeline;
    const outcome = await outcomeOf('fetchSpec', { pipeline: unknown });
    assert.ok(outcome instanceof ApplicationFailure && outcome.type === 'MR_CLUSTER_UNKNOWN');
  });

  it('P2: a pipeline that its own API server says is gone is gone, and what is left of it may go', async () => {
    server.objects.delete('/apis/millrace.io/v1alpha1/namespaces/shop/pipelines/orders');
    const outcome = await outcomeOf('fetchSpec', { pipeline });
    assert.ok(outcome instanceof ApplicationFailure && outcome.type === 'MR_PIPELINE_REPLACED');
    assert.deepEqual(await outcomeOf('deleteStreams', { ...place('teardown'), pid }), { is: 'done', value: undefined });
    assert.deepEqual(streamChanges, [`deleteStream mr-${pid}-main`]);
  });

  it('a pipeline that is being deleted is taken down', async () => {
    healthyCluster(server, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    for (const [name, input] of activities.filter(([each]) => destructive.includes(each))) {
      assert.deepEqual(await outcomeOf(name, input('teardown')), { is: 'done', value: undefined }, name);
    }
    assert.ok(server.changes.some(({ body }) => body.includes('"finalizers":[]')));
    assert.ok(server.changes.some(({ verb, resource }) => verb === 'DELETE' && resource === 'namespaces'));
  });

  it('S1: what refuses a step of a teardown is retried, and of another operation is not', async () => {
    healthyCluster(server, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    server.oddity = ({ verb }) => (verb === 'PATCH' ? status(422, 'Invalid') : null);
    assertRetried(await outcomeOf('removeFinalizer', { op: op('teardown'), step: 's' }));
    healthyCluster(server);
    server.oddity = ({ verb }) => (verb === 'PATCH' || verb === 'APPLY' ? status(422, 'Invalid') : null);
    const outcome = await outcomeOf('ensureNamespace', place('provision'));
    assert.ok(outcome instanceof ApplicationFailure);
    assert.deepEqual([outcome.type, outcome.nonRetryable], ['MR_KUBERNETES_REFUSED', true]);
  });
});

function op(during: OperationKind) {
  return { pipeline, id: 'op', kind: during, seq: 1, generation: 1, startedAt: '2026-01-01T00:00:00Z' };
}

function place(during: OperationKind) {
  return { op: op(during), step: 's', workloadNamespace, isolation: 'Namespace', generation: 1 };
}

function healthyCluster(server: OddServer, more: { deletionTimestamp?: string } = {}): void {
  server.objects = new Map();
  const spec = {
    sources: [{ name: 'numbers', generator: { fields: [{ name: 'id', kind: 'Sequence' }] } }],
    sinks: [
      {
        name: 'warehouse',
        clickhouse: { url: 'http://ch', database: 'd', table: 't', username: 'u', password: '$(secret:ch/password)' },
      },
    ],
  };
  const metadata = { name: 'orders', namespace: 'shop', uid, generation: 1 };
  const plan = compile(pipelineSchema.parse({ apiVersion, kind, metadata, spec }));
  const owned = { labels: { [labels.pipelineUid]: uid }, annotations: {} };
  const inside = { ...owned, namespace: workloadNamespace };
  server.put('Namespace', { name: 'kube-system', uid: cluster });
  server.put(kind, { ...metadata, finalizers: [finalizer], ...more }, { spec });
  server.put('Namespace', { name: workloadNamespace, uid: 'n', ...owned });
  server.put('Secret', { name: 'ch', namespace: 'shop', uid: 's' }, { data: { password: 'eA==' } });
  server.put('ConfigMap', { name: 'plan-g1', uid: 'c', ...inside }, { data: { 'plan.json': planText(plan) } });
  for (const { name, workload } of plan.stages) {
    const at = { ...inside, name: workload, uid: workload, labels: { ...owned.labels, [labels.stage]: name } };
    const volumes = [{ name: 'plan', configMap: { name: 'plan-g1' } }];
    server.put('Deployment', at, { spec: { replicas: 1, template: { spec: { volumes } } } });
  }
}
