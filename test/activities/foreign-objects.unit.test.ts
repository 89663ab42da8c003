import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { compile } from '../../crds/compile.ts';
import { pipelineSchema } from '../../crds/pipeline.ts';
import type { KindName } from '../../kubernetes/objects.ts';
import type { LifecycleActivities, OperationKind } from '../../model/lifecycle.ts';
import { apiVersion, kind, labels, pidOf } from '../../model/names.ts';
import { planText } from '../../activities/kubernetes/render/plan.ts';
import { OddServer } from './odd-server.ts';
import { runActivity } from './run-activity.ts';

const cluster = 'cluster-1';
const uid = '7b1c2d3e-0000-4000-8000-000000000001';
const pipeline = { namespace: 'shop', name: 'orders', uid, cluster };
const metadata = { name: 'orders', namespace: 'shop', uid, generation: 1 };
const spec = {
  isolation: 'Shared',
  sources: [{ name: 'numbers', http: {} }],
  sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch', database: 'd', table: 't', username: 'u' } }],
};
const plan = compile(pipelineSchema.parse({ apiVersion, kind, metadata, spec }));

/** Everything that a pipeline makes beside its resource, by name. */
const names: readonly (readonly [KindName, string])[] = [
  ['ServiceAccount', 'orders-pipeline'],
  ['NetworkPolicy', 'orders-pipeline'],
  ['ConfigMap', 'orders-plan-g1'],
  ['Secret', 'orders-credentials'],
  ['Deployment', 'orders-sink-warehouse'],
  ['PodDisruptionBudget', 'orders-sink-warehouse'],
  ['Deployment', 'orders-ingestor-numbers'],
  ['Service', 'orders-ingestor-numbers'],
];

const ofAnother = { [labels.pipelineUid]: 'uid-2', [labels.pipeline]: 'orders' };
const owners: Readonly<Record<string, Record<string, string>>> = {
  nobody: {},
  'another pipeline': ofAnother,
  'another pipeline, as a stage': { ...ofAnother, [labels.stage]: 'sink-warehouse' },
};

describe('objects of others in a shared namespace', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  const content = { data: { own: 'x' }, spec: { replicas: 1, template: { spec: {} } } };

  function put(objects: readonly (readonly [KindName, string])[], labelled: Record<string, string>): void {
    server.changes.length = 0;
    server.objects = new Map();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    for (const [each, name] of objects)
      server.put(each, { name, namespace: 'shop', uid: `${each}-${name}`, labels: labelled }, content);
  }

  const run = (name: keyof LifecycleActivities, during: OperationKind, more: object = {}) =>
    runActivity(server.kube, pipeline, name, during, more);

  function assertUntouched(): void {
    const touched = server.changes.filter(({ resource }) => resource !== 'pipelines');
    const foreign = names.map(([, name]) => name);
    assert.deepEqual(
      touched.filter(({ name }) => foreign.includes(name)),
      [],
    );
  }

  for (const [whose, labelled] of Object.entries(owners)) {
    for (const [each, name] of names) {
      it(`F2: ${each} ${name} of ${whose} is not written, is named, and is waited for`, async () => {
        put([[each, name]], labelled);
        server.put(kind, metadata, { spec });
        if (name !== 'orders-plan-g1')
          server.put(
            'ConfigMap',
            { name: 'orders-plan-g1', namespace: 'shop', uid: 'plan', labels: { [labels.pipelineUid]: uid } },
            { data: { 'plan.json': planText(plan) } },
          );
        const said: string[] = [];
        for (const [act, more] of [
          ['ensureNamespace', {}],
          ['copyCredentials', {}],
          ['applyPlan', {}],
          ['applyStage', { stage: 'sink-warehouse', replicas: 1 }],
          ['applyStage', { stage: 'ingestor-numbers', replicas: 1 }],
        ] as const) {
          const outcome = await run(act, 'provision', more);
          if (!(outcome instanceof ApplicationFailure) || outcome.type !== 'MR_OBJECT_FOREIGN') continue;
          assert.notEqual(outcome.nonRetryable, true);
          said.push(outcome.message);
        }
        const touched = server.changes.filter((change) => change.name === name && change.resource !== 'pipelines');
        const isOwn = (body: string) => body.includes(`"kind":"${each}"`) || body === '';
        assert.deepEqual(
          touched.filter(({ body, verb }) => verb === 'DELETE' || isOwn(body)),
          [],
        );
        assert.match(said.join(' '), new RegExp(`${each} shop/${name} is in the way: it belongs to`));
      });
    }

    it(`D1: a teardown leaves alone what belongs to ${whose}`, async () => {
      put(names, labelled);
      for (const [act, more] of [
        ['scaleStage', { stage: 'sink-warehouse', replicas: 0 }],
        ['pruneStages', { keep: [] }],
        ['takeBackPlan', {}],
        ['releaseObjects', { pid: pidOf('orders', uid) }],
        ['deleteNamespace', {}],
      ] as const) {
        await run(act, 'teardown', more);
        assertUntouched();
      }
    });
  }
});
