import assert from 'node:assert/strict';
import type { IngestorStage, Plan, SinkStage } from '../../../model/plan.ts';
import { namesIn } from '../../../activities/kubernetes/render/context.ts';
import {
  renderDeployment,
  renderDisruptionBudget,
  renderService,
} from '../../../activities/kubernetes/render/deployment.ts';
import { renderCredentials, renderPlan } from '../../../activities/kubernetes/render/plan.ts';
import { renderNatsAccess, renderPullSecret } from '../../../activities/kubernetes/render/pod-access.ts';
import { stageHash } from '../../../activities/kubernetes/render/stage-hash.ts';
import {
  renderNamespace,
  renderNetworkPolicy,
  renderServiceAccount,
} from '../../../activities/kubernetes/render/surroundings.ts';
import { matchesSnapshot } from '../snapshot.ts';

const resources = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } };
const ingestor: IngestorStage = {
  ...{
    kind: 'ingestor',
    name: 'ingestor-orders',
    workload: 'ingestor-orders',
    connector: 'http',
    config: {},
    resources,
  },
  ...{ slots: 4, replicas: 2, source: 'orders', writes: 'records' },
  frame: { maxRecords: 1000, maxBytes: 262144, lingerMs: 10 },
};
const sink: SinkStage = {
  ...{ kind: 'sink', name: 'sink-warehouse', workload: 'sink-warehouse', connector: 'clickhouse', resources },
  ...{ config: { password: '$(secret:ch/password)' }, slots: 2, replicas: 1, sink: 'warehouse', reads: 'records' },
  ...{ sources: { orders: { topic: null, schema: null } }, steps: [], ownsStepFailures: true },
  route: { unless: [], when: null },
  batch: { maxRecords: 50000, maxBytes: 16777216, maxDelayMs: 1000 },
};
const plan: Plan = {
  planVersion: 1,
  pipeline: {
    name: 'orders',
    namespace: 'shop',
    uid: '7b1c2d3e-0000-4000-8000-000000000001',
    pid: 'orders-abc123',
    generation: 7,
  },
  ...{
    workloadNamespace: 'pipeline-orders-abc123',
    isolation: 'Namespace',
    desiredState: 'Running',
    deletionPolicy: 'Drain',
  },
  edges: [{ name: 'records', shards: 2, maxBytes: 1073741824 }],
  stages: [ingestor, sink],
  deadLetters: { maxBytes: 1073741824, whenFull: 'Block' },
  credentials: [{ kind: 'secret', name: 'ch', key: 'password' }],
};
const context = { plan, opSeq: 3, cluster: 'c1', image: 'millrace/millrace:dev', natsUrl: 'nats://nats:4222' };

describe('manifests', () => {
  it('P3: a pod gets the credentials of its own stage, and no others', () => {
    const two: Plan = {
      ...plan,
      credentials: [...plan.credentials, { kind: 'secret', name: 'kafka', key: 'password' }],
    };
    const keysOf = (stage: IngestorStage | SinkStage) =>
      [
        ...JSON.stringify(
          renderDeployment({ ...context, plan: two }, { stage, replicas: 1, specHash: 'x', planName: 'p' }),
        ).matchAll(/"key":"([^"]+)"/g),
      ].map(([, key]) => key);
    assert.deepEqual(keysOf(sink), ['secret.ch.password']);
    assert.deepEqual(keysOf({ ...ingestor, config: { sasl: { password: '$(secret:kafka/password)' } } }), [
      'secret.kafka.password',
    ]);
    assert.deepEqual(keysOf(ingestor), []);
  });

  it('surroundings', () =>
    matchesSnapshot('surroundings', [
      renderNamespace(context),
      renderServiceAccount(context),
      renderNetworkPolicy(context),
    ]));
  it('plan and credentials', () =>
    matchesSnapshot('plan-and-credentials', [
      renderPlan(context),
      renderCredentials(context, {
        data: { 'secret.ch.password': 'eA==' },
        sources: { 'Secret/ch': '7' },
        version: '3',
      }),
    ]));
  it('an ingestor that listens', () => {
    const pods = { stage: ingestor, replicas: 2, specHash: stageHash(plan, ingestor), planName: 'plan-g7' };
    matchesSnapshot('ingestor', [
      renderDeployment(context, pods),
      renderDisruptionBudget(context, ingestor),
      renderService(context, ingestor),
    ]);
  });
  it('a sink with credentials', () => {
    const pods = {
      stage: sink,
      replicas: 1,
      specHash: stageHash(plan, sink),
      planName: 'plan-g5',
      credentialsVersion: '3',
    };
    matchesSnapshot('sink', [renderDeployment(context, pods)]);
  });
  it('S1: a pod that shows something to NATS, and what it shows', () => {
    const pods = { stage: sink, replicas: 1, specHash: stageHash(plan, sink), planName: 'plan-g5' };
    matchesSnapshot('pod-access', [
      renderNatsAccess(context, { username: 'app', password: 'secret' }),
      renderPullSecret(context, '{"auths":{}}'),
      renderServiceAccount(context, true),
      renderDeployment({ ...context, mountsNatsAccess: true }, pods),
    ]);
  });
  it('beside others, names begin with the pipeline', () => {
    assert.equal(namesIn('Shared', 'orders').plan(7), 'orders-plan-g7');
    assert.equal(namesIn('Namespace', 'orders').plan(7), 'plan-g7');
    assert.equal(namesIn('Shared', 'orders').natsAccess, 'orders-nats-access');
  });
});

describe('stage hash', () => {
  it('H1: replicas, generation and other stages do not count', () => {
    const other: Plan = {
      ...plan,
      pipeline: { ...plan.pipeline, generation: 8 },
      stages: [ingestor, { ...sink, steps: [{ name: 's', kind: 'filter', config: {}, when: null }] }],
    };
    assert.equal(stageHash(other, { ...ingestor, replicas: 9 }), stageHash(plan, ingestor));
  });
  it('H1: its own steps do', () => {
    assert.notEqual(
      stageHash(plan, { ...sink, steps: [{ name: 's', kind: 'filter', config: {}, when: null }] }),
      stageHash(plan, sink),
    );
  });
  it('H2: a new reader of its edge does not: who reads it, pods ask of NATS', () => {
    assert.equal(
      stageHash({ ...plan, stages: [ingestor, sink, { ...sink, name: 'sink-second' }] }, ingestor),
      stageHash(plan, ingestor),
    );
  });
});
