/**
 * The lifecycle's part of a status, and how a change is merged into it. Pure.
 *
 * M1  Only fields of the lifecycle are kept: the controller's conditions and counters are never written from here.
 * M2  A condition's lastTransitionTime changes only when its status does.
 * M3  `opSeq` never decreases: a status that a newer operation wrote is left unchanged.
 * M4  `ready` of a stage is the controller's, too. So is NotReady: a phase that is not changed stays as it was read.
 * M5  `observedGeneration` and `acceptedGeneration` do not decrease when an older operation ends after a newer spec was
 *     read, and never exceed the resource's generation: after a restore of etcd it is lower. A refusal of a newer spec
 *     stays when an older operation reports that its own was valid.
 * M6  What another has written of these fields, by hand or by a program, is not believed: it counts as absent.
 */
import { foreignParts } from '../../kubernetes/status-owners.ts';
import { conditionsOf } from '../../model/conditions.ts';
import type { StatusPatch } from '../../model/lifecycle.ts';
import { statusSchema } from '../../crds/status.ts';
import type { Condition, PipelineStatus } from '../../model/status.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';

const lifecycleConditions: readonly string[] = conditionsOf('lifecycle');

export type OwnStatus = Omit<PipelineStatus, 'deadLetters' | 'stages' | 'streams'> &
  Pick<StatusPatch, 'stages' | 'streams'>;

/** What the lifecycle wrote before. A status that does not parse counts as empty: it is written again. */
export function ownStatus(resource: KubeObject): OwnStatus {
  const parsed = statusSchema.safeParse(resource['status'] ?? {});
  if (!parsed.success) return {};
  const { deadLetters: _, conditions, stages, streams, ...own } = parsed.data;
  // M6.
  const foreign = new Set(foreignParts(resource.metadata).map(({ part }) => part));
  const believed = Object.fromEntries(
    Object.entries(own).filter(([field]) => !(rewritten.has(field) && foreign.has(field))),
  );
  return {
    ...believed,
    ...(streams === undefined ? {} : { streams }),
    ...(stages === undefined ? {} : { stages: stages.map(({ name, replicas }) => ({ name, replicas })) }),
    conditions: (conditions ?? []).filter(
      ({ type }) => lifecycleConditions.includes(type) && !foreign.has(`conditions/${type}`),
    ),
  };
}

/** What every operation writes by itself; the rest holds what nothing else knows. */
const rewritten: ReadonlySet<string> = new Set([
  'phase',
  'observedGeneration',
  'acceptedGeneration',
  'opSeq',
  'operation',
]);

export interface MergeInput {
  readonly opSeq: number;
  /** Generation that the patch's conditions speak about. */
  readonly generation: number;
  /** Of the resource, as it was read for this write. */
  readonly newest: number;
  /** RFC 3339. */
  readonly now: string;
}

/** undefined: nothing to write. */
export function mergeStatus(before: OwnStatus, patch: StatusPatch, input: MergeInput): OwnStatus | undefined {
  if ((before.opSeq ?? 0) > input.opSeq) return undefined;
  const { operation, conditions = [], ...fields } = patch;
  const { operation: operationBefore, ...rest } = before;
  const operationNow = operation === undefined ? operationBefore : (operation ?? undefined);
  const after: OwnStatus = {
    ...rest,
    ...fields,
    ...generationsOf(before, fields, input.newest),
    ...(operationNow === undefined ? {} : { operation: operationNow }),
    opSeq: input.opSeq,
    conditions: mergeConditions(before.conditions ?? [], conditions, input),
  };
  return JSON.stringify(after) === JSON.stringify(before) ? undefined : after;
}

/** M5. */
function generationsOf(before: OwnStatus, patch: StatusPatch, newest: number): Partial<OwnStatus> {
  const highest = (a: number | undefined, b: number | undefined) =>
    a === undefined && b === undefined ? undefined : Math.min(Math.max(a ?? 0, b ?? 0), newest);
  const observed = highest(before.observedGeneration, patch.observedGeneration);
  const accepted = highest(before.acceptedGeneration, patch.acceptedGeneration);
  return {
    ...(observed === undefined ? {} : { observedGeneration: observed }),
    ...(accepted === undefined ? {} : { acceptedGeneration: accepted }),
  };
}

function mergeConditions(
  before: readonly Condition[],
  changes: NonNullable<StatusPatch['conditions']>,
  { generation, newest, now }: MergeInput,
): Condition[] {
  return lifecycleConditions.flatMap((type) => {
    const old = before.find((condition) => condition.type === type);
    const change = changes.find((condition) => condition.type === type);
    if (change === undefined) return old === undefined ? [] : [old];
    const about = old?.observedGeneration ?? 0;
    if (type === 'Accepted' && old !== undefined && generation < about && about <= newest) return [old];
    const since = old?.status === change.status ? old.lastTransitionTime : now;
    return [{ ...change, observedGeneration: generation, lastTransitionTime: since }];
  });
}
