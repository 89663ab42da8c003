/**
 * The objects of a cluster with many idle pipelines, as its API server would return them, built by the real
 * renderers.
 */
import { renderDeployment } from '../../activities/kubernetes/render/deployment.ts';
import { compile } from '../../crds/compile.ts';
import { pipelineSchema } from '../../crds/pipeline.ts';
import { kinds, type KindName } from '../../kubernetes/objects.ts';
import { hashOf } from '../../model/json.ts';
import { annotations, apiVersion, finalizer, kind, labels } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import { claimsOf } from '../../workers/controller/conditions.ts';
import type { StageFact } from '../../workers/controller/stage-fact.ts';

export const cluster = 'c0ffee00-0000-4000-8000-000000000000';
const perNamespace = 100;
const since = '2026-01-01T00:00:00Z';

export interface StoredObject {
  readonly kind: KindName;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Idle {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly objects: readonly StoredObject[];
  readonly reports: readonly PodReport[];
}

/** Namespaces with the Secret that their pipelines refer to. */
export function surroundings(pipelines: number): StoredObject[] {
  const namespaces = Array.from({ length: Math.ceil(pipelines / perNamespace) }, (_, index) => `team-${index}`);
  return [
    stored('Namespace', { name: 'kube-system', uid: cluster }),
    ...namespaces.map((namespace) => stored('Secret', { name: 'ch', namespace, resourceVersion: '5' })),
  ];
}

export function idlePipeline(index: number): Idle {
  const namespace = `team-${Math.floor(index / perNamespace)}`;
  const name = `orders-${index}`;
  const uid = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
  const metadata = { name, namespace, uid, generation: 1, finalizers: [finalizer], creationTimestamp: since };
  const plan = compile(pipelineSchema.parse({ apiVersion, kind, metadata, spec }));
  const reports = plan.stages.map((stage) => reportOf(plan, stage));
  const resource = stored(kind, { ...metadata, managedFields }, { spec, status: statusOf(plan, reports) });
  return { namespace, name, uid, reports, objects: [resource, ...owned(plan)] };
}

const spec = {
  sources: [
    {
      name: 'orders',
      kafka: {
        ...{ brokers: ['kafka-0.kafka:9092', 'kafka-1.kafka:9092'], topic: 'orders', startFrom: 'Earliest' },
        sasl: { mechanism: 'ScramSha512', username: 'app', password: '$(secret:ch/kafka)' },
      },
    },
  ],
  steps: [
    { name: 'paid', filter: { where: "record.status == 'paid'" } },
    { name: 'shape', map: { set: { total: 'record.amount * double(record.qty)' }, remove: ['internal'] } },
  ],
  sinks: [
    {
      name: 'warehouse',
      clickhouse: {
        ...{ url: 'https://ch:8443', database: 'shop', table: 'orders', username: 'app' },
        password: '$(secret:ch/password)',
      },
    },
  ],
};

/** About as much as server-side apply records for three managers. */
const managedFields = Array.from({ length: 3 }, (_, index) => ({
  ...{ manager: `manager-${index}`, operation: 'Apply', apiVersion, time: since, fieldsType: 'FieldsV1' },
  fieldsV1: Object.fromEntries(Array.from({ length: 30 }, (__, field) => [`f:field${field}`, { 'f:value': {} }])),
}));

function stored(of: KindName, metadata: StoredObject['metadata'], more: object = {}): StoredObject {
  return { apiVersion: kinds[of].apiVersion, kind: of, metadata: { resourceVersion: '10', ...metadata }, ...more };
}

function reportOf({ pipeline }: Plan, stage: Plan['stages'][number]): PodReport {
  const { name, kind: stageKind, slots } = stage;
  return {
    ...{ pid: pipeline.pid, stage: name, kind: stageKind, pod: `${name}-7d9c8b6f5-abcde`, generation: 1, at: 0 },
    ...{ stageSlots: slots, connection: { state: 'Connected', since: 0 }, flow: { state: 'Idle' } },
    ...{ recordsIn: 1_000_000, recordsOut: 1_000_000, deadLetters: 0, lag: 0 },
    slots: Array.from({ length: slots }, (_, slot) => ({ slot, position: { '0': 123_456_789 }, lag: 0 })),
  };
}

/** As lifecycle and controller leave it: there is nothing to write. */
function statusOf(plan: Plan, reports: readonly PodReport[]): object {
  const settled = [
    ['Accepted', 'True', 'Valid'],
    ['Stalled', 'False', 'Settled'],
    ['Reconciling', 'False', 'Settled'],
    ['Provisioned', 'True', 'Running'],
  ] as const;
  const done = settled.map(([type, status, reason]) => ({
    ...{ type, status, reason, message: `As the lifecycle says it (${reason}).` },
    ...{ observedGeneration: 1, lastTransitionTime: since },
  }));
  const now = Date.now();
  const stages = plan.stages.map(({ name, kind: stageKind, replicas }, index): StageFact => {
    const report = reports[index];
    const heard = report === undefined ? [] : [{ report, firstAt: now, at: now }];
    return {
      name,
      kind: stageKind,
      wanted: replicas,
      ready: replicas,
      trouble: undefined,
      heard,
      freeSince: undefined,
      isMissing: false,
      leftAt: undefined,
      isStopped: false,
    };
  });
  const status = {
    ...({
      observedGeneration: 1,
      acceptedGeneration: 1,
      phase: 'Running',
      opSeq: 1,
      deadLetters: { records: 0 },
    } as const),
    stages: stages.map(({ name, wanted, ready }) => ({ name, replicas: wanted, ready })),
    conditions: [...done],
  };
  const claims = claimsOf({
    ...{
      now,
      generation: 1,
      deleting: false,
      status,
      hearing: 'steady',
      isCutOff: false,
      nats: '127.0.0.1:4222',
      stages,
      lost: undefined,
      untold: undefined,
    },
    deadLetters: { records: 0, dropped: 0, byCode: [] },
  });
  const said = claims.map((claim) => ({ ...claim, observedGeneration: 1, lastTransitionTime: since }));
  return { ...status, conditions: [...done, ...said] };
}

/** What is made for a pipeline with a namespace of its own. */
function owned(plan: Plan): StoredObject[] {
  const context = { plan, opSeq: 1, cluster, image: 'millrace/millrace:1.0.0', natsUrl: 'nats://nats:4222' };
  const { workloadNamespace: namespace, pipeline } = plan;
  const marked = {
    labels: {
      ...{ [labels.pipelineUid]: pipeline.uid, [labels.pipeline]: pipeline.name },
      ...{ [labels.pipelineNamespace]: pipeline.namespace, [labels.managedBy]: 'millrace' },
    },
    annotations: { [annotations.cluster]: cluster, [annotations.opSeq]: '1', [annotations.generation]: '1' },
    managedFields,
  };
  const beside = (of: KindName, name: string) => stored(of, { name, namespace, ...marked });
  const copied = { ...marked.annotations, [annotations.copiedFrom]: JSON.stringify({ 'Secret/ch': '5' }) };
  const deployments = plan.stages.map((stage) => {
    const pods = { stage, replicas: stage.replicas, specHash: 'x', planName: 'plan-g1' };
    const { metadata, spec: wanted } = renderDeployment(context, pods);
    const hash = hashOf(wanted).slice(0, 16);
    const noted = { ...metadata.annotations, [annotations.appliedHash]: hash };
    const status = { observedGeneration: 1, replicas: 1, readyReplicas: stage.replicas, availableReplicas: 1 };
    return stored('Deployment', { ...metadata, annotations: noted, managedFields }, { spec: wanted, status });
  });
  return [
    stored('Namespace', { name: namespace, ...marked }),
    stored('Secret', { name: 'credentials', namespace, ...marked, annotations: copied }),
    ...deployments,
    ...plan.stages.map(({ workload }) => beside('PodDisruptionBudget', workload)),
    ...(['ConfigMap', 'NetworkPolicy', 'ServiceAccount'] as const).map((of) => beside(of, 'pipeline')),
  ];
}
