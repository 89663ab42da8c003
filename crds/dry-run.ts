/**
 * What applying a pipeline would do, for `--dry-run` and `dryRun=true`: the fields that change and what that takes.
 * Pure.
 *
 * Fields are named and their values are not shown: any of them may be a secret.
 */
import { MillraceError } from '../model/errors.ts';
import type { Plan } from '../model/plan.ts';
import type { Stored } from '../model/stored-pipeline.ts';
import { changesBetween, type ChangeClass, type Changes } from './changes.ts';
import { compile } from './compile.ts';
import type { PipelineSpec } from './pipeline.ts';

type StoredPipeline = Stored<PipelineSpec>;

const effects: Readonly<Record<ChangeClass, string>> = {
  none: 'nothing that runs is touched',
  metadata: 'no pod and no stream is touched',
  streams: 'the limits of streams change, and no pod is replaced',
  rolling: 'pods are replaced a few at a time, and records go on moving',
  drain: 'a stage goes; what it has read or must still write is finished first',
  refused: 'cannot be done in place',
};

export interface DryRun {
  readonly effect: 'created' | 'configured' | 'unchanged';
  /** Sentences, as `changes spec.sinks[warehouse].replicas`. */
  readonly changes: string[];
}

/** `before` is null when there is none yet; `after` is what Kubernetes would store. */
export function dryRunOf(before: StoredPipeline | null, after: StoredPipeline): DryRun {
  if (before === null) return { effect: 'created', changes: [...whatItTakes(null, after)] };
  const fields = changedFields(written(before), written(after), '');
  if (fields.length === 0) return { effect: 'unchanged', changes: [] };
  return { effect: 'configured', changes: [...fields, ...whatItTakes(before, after)] };
}

/** The parts that a person writes. */
function written({ metadata: { labels = {}, annotations = {} }, spec }: StoredPipeline): object {
  return { metadata: { labels, annotations }, spec };
}

function whatItTakes(before: StoredPipeline | null, after: StoredPipeline): readonly string[] {
  try {
    const plan = compile(after);
    if (before === null) return plan.stages.map(({ name }) => `starts ${name}`);
    const wasThere = compile(before);
    const sources = [...wasThere.stages, ...plan.stages].filter(({ kind }) => kind === 'ingestor');
    const isSource = (name: string) => sources.some((stage) => stage.name === name);
    return inWords(changesBetween(wasThere, plan), wasThere, plan, isSource);
  } catch (error) {
    // The stored spec may be one that was refused: then there is no plan to compare with.
    if (error instanceof MillraceError && error.handling === 'refuse')
      return [`what runs now is not known: ${error.sentence}`];
    throw error;
  }
}

/** The positions of sources are in the pipeline's streams, and not known here. */
function inWords(changes: Changes, before: Plan, after: Plan, isSource: (stage: string) => boolean): readonly string[] {
  const back = '; a source of this name that was here before goes on where it stood';
  const away = '; should the source come back under its name, it goes on where it stood';
  const runs = after.desiredState === 'Running';
  const isImmediate = after.deletionPolicy === 'Immediate';
  const givesUp = isImmediate && (changes.class === 'drain' || before.deletionPolicy !== 'Immediate');
  return [
    ...(changes.isStateChanged ? [`goes from ${before.desiredState} to ${after.desiredState}`] : []),
    ...changes.addedStages.map((name) => `${runs ? 'starts' : 'adds'} ${name}${isSource(name) ? back : ''}`),
    ...changes.changedStages.map((name) => `${runs ? 'replaces the pods of' : 'changes'} ${name}`),
    ...changes.removedStages.map(
      (name) => `${isImmediate ? 'removes' : 'drains and removes'} ${name}${isSource(name) ? away : ''}`,
    ),
    ...changes.refusals,
    ...(givesUp ? [givenUp] : []),
    effectOf(changes.class, { runs, isImmediate }),
  ];
}

/** A removal may also be under way already, which is not known here. */
const givenUp =
  'with deletionPolicy: Immediate nothing waits: what a stage that goes, or is going already, has not written is given up';

function effectOf(change: ChangeClass, { runs, isImmediate }: { runs: boolean; isImmediate: boolean }): string {
  if (change === 'rolling' && !runs) return 'no pod runs: they start with the change when the pipeline is resumed';
  if (change === 'drain' && isImmediate) return 'a stage goes at once';
  return effects[change];
}

/** `changes spec.sinks[warehouse].replicas`: items by their name, as a person finds them in the file. */
function changedFields(before: unknown, after: unknown, path: string): readonly string[] {
  if (isNamedList(before) && isNamedList(after)) return changedItems(before, after, path);
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changedFields(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [`${after === undefined ? 'removes' : before === undefined ? 'adds' : 'changes'} ${path}`];
}

/** Each changed item once; the list itself only if the order of the remaining items has changed. */
function changedItems(before: readonly Named[], after: readonly Named[], path: string): readonly string[] {
  const of = (list: readonly Named[], name: string) => list.find((item) => item.name === name);
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  const stays = (list: readonly Named[]) =>
    list.flatMap(({ name }) => (of(before, name) && of(after, name) ? [name] : [])).join();
  const moved = stays(before) === stays(after) ? [] : [`changes the order of ${path}`];
  return [...names.flatMap((name) => changedFields(of(before, name), of(after, name), `${path}[${name}]`)), ...moved];
}

interface Named {
  readonly name: string;
}

function isNamedList(value: unknown): value is readonly Named[] {
  return Array.isArray(value) && value.every((item) => isObject(item) && typeof item['name'] === 'string');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
