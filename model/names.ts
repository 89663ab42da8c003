/**
 * Names of everything that belongs to a pipeline, in one place, so that each is derived and none is stored.
 *
 * `pid` = `<name>-<first 6 hex of sha256(uid)>`: readable, and different for a pipeline that was deleted and recreated.
 */
import { createHash } from 'node:crypto';

export const group = 'millrace.io';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;
export const kind = 'Pipeline';
export const plural = 'pipelines';

/** Removed by the last step of teardown. */
export const finalizer = `${group}/cleanup`;

const ownPrefix = 'millrace-';

/** Server-side apply: one name for each writer. */
export const fieldManagers = {
  /** Workloads and other owned objects. */
  lifecycle: `${ownPrefix}lifecycle`,
  /** status: everything but what the controller owns. */
  status: `${ownPrefix}status`,
  /** status: its conditions (`./conditions.ts`), deadLetters, ready of each stage. */
  controller: `${ownPrefix}controller`,
  /** The certificate of the admission webhook, and whom the API server believes. */
  webhook: `${ownPrefix}webhook`,
  api: `${ownPrefix}api`,
  cli: `${ownPrefix}cli`,
} as const;

/** One of these names, or one that is made of it: `millrace-cli-desiredState`. */
export function isOwnManager(name: string): boolean {
  return name.startsWith(ownPrefix);
}

export const labels = {
  pipeline: `${group}/pipeline`,
  pipelineUid: `${group}/pipeline-uid`,
  pipelineNamespace: `${group}/pipeline-namespace`,
  stage: `${group}/stage`,
  managedBy: 'app.kubernetes.io/managed-by',
  partOf: 'app.kubernetes.io/part-of',
} as const;

export const annotations = {
  /** Sequence of the operation that wrote an object last: an older operation must not overwrite it. */
  opSeq: `${group}/op-seq`,
  generation: `${group}/generation`,
  specHash: `${group}/spec-hash`,
  /** Hash of a workload's spec as the lifecycle left it: a different hash means that somebody else has changed it. */
  appliedHash: `${group}/applied-hash`,
  /** On the copied credentials: versions of the objects that they were copied from. */
  copiedFrom: `${group}/copied-from`,
  /** On the Pipeline: a person's decision (`./decision.ts`). */
  decision: `${group}/decision`,
  /** On the resource, set by a person: retry what failed. Each value counts once. */
  retry: `${group}/retry`,
  /**
   * The cluster for which an object or a stream was created (`kubernetes/cluster.ts`): a copy elsewhere does not
   * count.
   */
  cluster: `${group}/cluster`,
  /**
   * The pipeline was deleted with deletionPolicy Orphan: an object with this was left on purpose, and belongs to
   * nobody.
   */
  released: `${group}/released`,
  /** On a recreated stream of the commits: where the edges ended when that was decided. */
  edgeEnds: `${group}/edge-ends`,
} as const;

export function pidOf(name: string, uid: string): string {
  return `${name}-${createHash('sha256').update(uid).digest('hex').slice(0, 6)}`;
}

/** The pipeline's own namespace (isolation: Namespace). */
export function namespaceOf(pid: string): string {
  return `pipeline-${pid}`;
}

/** Stream of an edge. */
export function edgeStream(pid: string, edge: string): string {
  return `mr-${pid}-${edge}`;
}

/** The pipeline and the edge of a stream; undefined: it is not a stream of a pipeline. */
export function partsOfStream(stream: string): { readonly pipeline: string; readonly edge: string } | undefined {
  const [, pipeline, edge] = /^mr-(.+)-[0-9a-f]{6}-(.+)$/.exec(stream) ?? [];
  return pipeline === undefined || edge === undefined ? undefined : { pipeline, edge };
}

/** Subject of the frames that `writer` appends to `shard`. */
export function frameSubject(pid: string, edge: string, shard: number, writer: string): string {
  return `mr.${pid}.${edge}.${shard}.${writer}`;
}

/** Everything that the stream of an edge stores, but for what it stores once ({@link onceSubject}). */
export function edgeSubjects(pid: string, edge: string): string {
  return `mr.${pid}.${edge}.>`;
}

/** Takes the place of an edge name, which starts with a letter. */
export const onceToken = '_once';

/** Under it an edge knows what it has stored once (E11). Apart from the frames, so that no reader meets it. */
export function onceSubject(pid: string, edge: string, key: string): string {
  return `mr.${pid}.${onceToken}.${edge}.${key}`;
}

/** The last decision about an edge, in its stream. In the place of a shard, so that no reader meets it. */
export function decisionMarkSubject(pid: string, edge: string): string {
  return `mr.${pid}.${edge}.decided`;
}

/** The frames of all shards. */
export function frameSubjects(pid: string, edge: string): string {
  return `mr.${pid}.${edge}.*.*`;
}

/** Everything a reader of `shard` sees, in one order. */
export function shardSubjects(pid: string, edge: string, shard: number): string {
  return `mr.${pid}.${edge}.${shard}.>`;
}

/** A writer of an edge: slot `slot` of source or stage `owner`. */
export function writerName(owner: string, slot: number): string {
  return `${owner}-${slot}`;
}

/** The writer of a subject that `frameSubject` has made. */
export function writerIn(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/** The edge on which sinks keep their intents and committed positions. */
export const commitsEdge = 'commits';
/** The edge of dead letters. */
export const deadEdge = 'dead';

/** The stage that reads a source. */
export function ingestorName(source: string): string {
  return `ingestor-${source}`;
}

/** A slot, as tokens of a subject; `*`: every slot of the stage. */
export function slotTokens(stage: string, slot: number | '*'): string {
  return `${stage}.${slot}`;
}

/** `*`: of every stage, or of every slot; both together match {@link planSubject}, too. */
export function commitSubject(pid: string, stage: string, slot: number | '*'): string {
  return `mr.${pid}.${commitsEdge}.${slotTokens(stage, slot)}`;
}

/**
 * Messages of the lifecycle to the pods of a pipeline, one per subject, in the stream of the commits. No shard has a
 * name like `plan`, so a request for the commits of a shard returns none of these.
 */
const meta = (pid: string, what: string) => `mr.${pid}.${commitsEdge}.meta.${what}`;

/** All that the lifecycle tells the pods. */
export function metaSubjects(pid: string): string {
  return meta(pid, '>');
}

/** Which plan is in force. */
export function planSubject(pid: string): string {
  return meta(pid, 'plan');
}

/** The plan of one generation. */
export function storedPlanSubject(pid: string, generation: number): string {
  return meta(pid, `plan.g${generation}`);
}

/** The readers and writers of an edge, and when its stream was created. */
export function registrySubject(pid: string, edge: string): string {
  return meta(pid, `edge.${edge}`);
}

/** A person's last decision about an edge or a stage. */
export function decisionSubject(pid: string, scope: string): string {
  return meta(pid, `decision.${scope}`);
}

/** The question of `who` to a person about an edge or a stage. */
export function questionSubject(pid: string, scope: string, who: string): string {
  return meta(pid, `question.${scope}.${who}`);
}

/** Every question to a person. */
export function questionSubjects(pid: string): string {
  return meta(pid, 'question.>');
}

/** Shared by all pipelines: leases of slots, and the last report of each pod. Both in memory. */
export const leaseStream = 'mr-leases';
export const reportStream = 'mr-reports';

export function leaseSubject(pid: string, stage: string, slot: number): string {
  return `mr-lease.${pid}.${slotTokens(stage, slot)}`;
}

/** Of every slot and pod of a pipeline. */
export function leaseSubjects(pid: string): string {
  return `mr-lease.${pid}.>`;
}

export function reportSubject(pid: string, stage: string, pod: string): string {
  return `mr-report.${pid}.${stage}.${pod}`;
}

/** Of every pod of a pipeline. */
export function reportSubjects(pid: string): string {
  return `mr-report.${pid}.>`;
}

/** Under it the pods of a pipeline receive answers, and nobody else does. */
export function inboxOf(pid: string): string {
  return `_INBOX_${pid}`;
}

/** The immutable ConfigMap with the plan of one generation. */
export function planConfigMap(generation: number): string {
  return `plan-g${generation}`;
}

/** The Secret with the copied keys that a spec refers to. Keys: `secret.<name>.<key>`, `configMap.<name>.<key>`. */
export const credentialsSecret = 'credentials';

/** The Secret with what pods show to NATS. Keys: the files of the folder that they mount. */
export const natsAccessSecret = 'nats-access';

/** The Secret with which the kubelet pulls the image. */
export const imagePullSecret = 'image-pull';

export function credentialKey(ref: { kind: 'secret' | 'configMap'; name: string; key: string }): string {
  return `${ref.kind}.${ref.name}.${ref.key}`;
}

/** The other way round: a name has no dot (`./credentials.ts`). */
export function credentialOf(text: string): { kind: 'secret' | 'configMap'; name: string; key: string } | undefined {
  const [, kind, name, key] = /^(secret|configMap)\.([^.]+)\.(.+)$/.exec(text) ?? [];
  if (name === undefined || key === undefined) return undefined;
  return { kind: kind === 'secret' ? 'secret' : 'configMap', name, key };
}

export { entityWorkflowId, operationWorkflowId } from './workflow-ids.ts';
