/**
 * What differs between two plans of one pipeline, and what it takes to get from one to the other.
 *
 * H1  Two plans that differ only in generation are no change.
 * H2  Values that are part of positions and subjects (shards, slots, connector of a source, namespace of the workloads)
 *     never change in place: such a change is `refused`, whatever else differs.
 */
import { canonicalJson, toJson } from '../model/json.ts';
import type { IngestorStage, Plan, Stage } from '../model/plan.ts';

/** From the smallest to the largest intervention. */
export type ChangeClass =
  /** Nothing differs. */
  | 'none'
  /** Only what Millrace itself does later, such as deletionPolicy: no pod and no stream is touched. */
  | 'metadata'
  /** Limits of streams. */
  | 'streams'
  /** Pods are replaced a few at a time; slots move to the new ones. Includes new stages. */
  | 'rolling'
  /** A stage is removed: what it has yet to read or write is finished first. */
  | 'drain'
  /** Not possible in place. */
  | 'refused';

export interface Changes {
  readonly class: ChangeClass;
  readonly addedStages: readonly string[];
  readonly removedStages: readonly string[];
  readonly changedStages: readonly string[];
  /** True when the wanted state (Running, Paused, Stopped) differs. */
  readonly isStateChanged: boolean;
  /** Sentences about what cannot change. */
  readonly refusals: readonly string[];
}

export function changesBetween(before: Plan, after: Plan): Changes {
  const addedStages = namesNotIn(after.stages, before.stages);
  const removedStages = namesNotIn(before.stages, after.stages);
  const pairs = after.stages.flatMap((stage) => {
    const old = before.stages.find(({ name }) => name === stage.name);
    return old === undefined ? [] : [[old, stage] as const];
  });
  const changedStages = pairs.filter(([old, stage]) => !isSame(old, stage)).map(([, stage]) => stage.name);
  const refusals = [...planRefusals(before, after), ...pairs.flatMap(([old, stage]) => stageRefusals(old, stage))];
  const found = { addedStages, removedStages, changedStages, refusals };
  return { ...found, class: classOf(before, after, found), isStateChanged: before.desiredState !== after.desiredState };
}

function classOf(before: Plan, after: Plan, found: Omit<Changes, 'class' | 'isStateChanged'>): ChangeClass {
  if (found.refusals.length > 0) return 'refused';
  if (found.removedStages.length > 0) return 'drain';
  if (found.addedStages.length + found.changedStages.length > 0) return 'rolling';
  if (!isSame(before.edges, after.edges) || !isSame(before.deadLetters, after.deadLetters)) return 'streams';
  return isSame(withoutGeneration(before), withoutGeneration(after)) ? 'none' : 'metadata';
}

function planRefusals(before: Plan, after: Plan): readonly string[] {
  const moved =
    before.workloadNamespace === after.workloadNamespace
      ? []
      : [`isolation: the workloads live in namespace ${before.workloadNamespace} and cannot move`];
  const resharded = after.edges.flatMap(({ name, shards }) => {
    const old = before.edges.find((edge) => edge.name === name);
    return old === undefined || old.shards === shards
      ? []
      : [`buffer.shards: edge ${name} has ${old.shards} shards and cannot have ${shards}`];
  });
  return [...moved, ...resharded];
}

function stageRefusals(before: Stage, after: Stage): readonly string[] {
  if (before.kind !== after.kind) return [`stage ${before.name} is of kind ${before.kind} and cannot become another`];
  return before.kind === 'ingestor' && after.kind === 'ingestor' ? sourceRefusals(before, after) : [];
}

function sourceRefusals(before: IngestorStage, after: IngestorStage): readonly string[] {
  const connector =
    before.connector === after.connector
      ? []
      : [`source ${before.source} reads ${before.connector} and cannot read ${after.connector}; give it another name`];
  const slots =
    before.slots === after.slots
      ? []
      : [`source ${before.source} has ${before.slots} slots and cannot have ${after.slots}`];
  return [...connector, ...slots];
}

function namesNotIn(stages: readonly Stage[], others: readonly Stage[]): readonly string[] {
  return stages.filter(({ name }) => !others.some((other) => other.name === name)).map(({ name }) => name);
}

function withoutGeneration(plan: Plan): unknown {
  return { ...plan, pipeline: { ...plan.pipeline, generation: 0 } };
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(toJson(a)) === canonicalJson(toJson(b));
}
