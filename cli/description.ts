/**
 * The text of `millrace describe`: what the pipeline is, what it does, what is wrong, where to look next, in the order
 * in which a person on call asks. Pure: the resource and its events in, text out.
 */
import { inOrder, isWell } from '../model/conditions.ts';
import type { StoredPipeline } from '../client/wire.ts';
import type { Condition, DecisionStatus, PlanInForceStatus } from '../model/status.ts';
import { conditionOf } from '../client/settled.ts';
import { membersOf, sinkKinds, sourceKinds, stepKinds } from '../crds/unions.ts';
import { workloadNamespaceOf } from '../kubernetes/pipelines.ts';
import { counted } from '../model/text.ts';
import { age } from './age.ts';
import { columns, fields } from './columns.ts';

export interface EventLine {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly at: string | null;
  readonly count: number;
}

/** `events` null: they could not be read. */
export function description(pipeline: StoredPipeline, events: readonly EventLine[] | null, nowMs: number): string {
  const sections = [
    headline(pipeline, nowMs),
    facts(pipeline, nowMs),
    operation(pipeline, nowMs),
    conditions(pipeline, nowMs),
    stages(pipeline),
    eventTable(events, nowMs),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function headline(pipeline: StoredPipeline, nowMs: number): string {
  const ready = conditionOf(pipeline.status, 'Ready');
  const name = pipeline.metadata.name;
  if (pipeline.metadata.deletionTimestamp !== undefined) {
    return `${name} is being deleted, for ${age(pipeline.metadata.deletionTimestamp, nowMs)} now.\n`;
  }
  if (!ready) return `${name}: Millrace has not looked at it yet. Is the controller running?\n`;
  const since = `since ${age(ready.lastTransitionTime, nowMs)}`;
  const what = ready.status === 'True' ? `ready (${ready.reason}) ${since}` : `not ready (${ready.reason}) ${since}`;
  // The phase and the reason of Ready: a pipeline whose newest spec is refused may still be paused.
  const { phase } = pipeline.status ?? {};
  const isStill = phase === 'Paused' || phase === 'Stopped';
  const also = isStill && ready.status !== 'True' ? `${phase.toLowerCase()}, and ` : '';
  return `${name} is ${also}${what}: ${ready.message}\n`;
}

function facts(pipeline: StoredPipeline, nowMs: number): string {
  const { metadata, spec, status } = pipeline;
  const pairs: [string, string][] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace ?? 'default'],
    ['Age', age(metadata.creationTimestamp, nowMs)],
    ...flows(pipeline),
    ['Wanted', spec.desiredState],
    ['Generation', carriedOut(pipeline)],
  ];
  pairs.push(['Workloads in', workloadNamespaceOf(pipeline)]);
  if (status?.revision !== undefined) pairs.push(['Revision', status.revision]);
  if (status?.planInForce) pairs.push(['Records by', inForce(status.planInForce)]);
  if (status?.decision) pairs.push(['Decision', decided(status.decision, nowMs)]);
  if (status?.deadLetters) pairs.push(['Dead letters', lettersOf(status.deadLetters)]);
  if (status?.workflow) pairs.push(['Temporal', status.workflow.url ?? status.workflow.id]);
  return fields(pairs);
}

/** A refused generation counts as observed as well. */
function carriedOut({ metadata, status }: StoredPipeline): string {
  const generation = metadata.generation ?? 0;
  const { observedGeneration: observed = 0, acceptedGeneration: accepted = 0 } = status ?? {};
  if (observed < generation) return `${generation}, carried out: ${observed}`;
  if (conditionOf(status, 'Accepted')?.status !== 'False') return `${generation}, carried out`;
  return `${generation}, refused; ${accepted === 0 ? 'none' : accepted} in force`;
}

function lettersOf({ records, dropped = 0 }: { records: number; dropped?: number | undefined }): string {
  return dropped === 0 ? String(records) : `${records}, and ${dropped} that were dropped to make room`;
}

const shownWriters = 3;

/** The frames from which an edit applies (E9). */
function inForce({ generation, from }: PlanInForceStatus): string {
  const places = from.slice(0, shownWriters).map(({ writer, sequence }) => `frame ${sequence} of ${writer}`);
  const more = from.length > shownWriters ? [`and of ${counted(from.length - shownWriters, 'more writer')}`] : [];
  const since = places.length === 0 ? '' : ` since ${[...places, ...more].join(', ')}`;
  return `generation ${generation}${since}`;
}

function decided({ text, at, problem }: DecisionStatus, nowMs: number): string {
  return `${text}, ${age(at, nowMs)} ago: ${problem === undefined ? 'carried out' : `not carried out: ${problem}`}`;
}

/** For a refused spec the stages of the accepted one are shown: those run. */
function flows(pipeline: StoredPipeline): [string, string][] {
  if (conditionOf(pipeline.status, 'Accepted')?.status !== 'False') return [['Flow', flow(pipeline)]];
  const named = (kind: string) =>
    (pipeline.status?.stages ?? []).flatMap(({ name }) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
  const [sources, sinks] = [named('ingestor-'), named('sink-')];
  const inForce = sinks.length === 0 ? 'none' : `${sources.join(', ')} -> ${sinks.join(', ')}`;
  return [
    ['Flow', inForce],
    ['Refused', flow(pipeline)],
  ];
}

function flow({ spec }: StoredPipeline): string {
  const sources = spec.sources.map((source) => named(source.name, source));
  const steps = spec.steps.map((step) => named(step.name, step));
  const sinks = spec.sinks.map((sink) => named(sink.name, sink));
  return [sources.join(', '), ...steps, sinks.join(', ')].join(' -> ');
}

function named(name: string, member: object): string {
  const [found] = membersOf(member, [...sourceKinds, ...stepKinds, ...sinkKinds]);
  return found ? `${name} (${found.kind})` : name;
}

function operation({ status }: StoredPipeline, nowMs: number): string {
  const running = status?.operation;
  if (!running) return '';
  const pairs: [string, string][] = [
    ['Doing', `${running.type}, since ${age(running.startedAt, nowMs)}`],
    ['Step', running.attempt === undefined ? running.step : `${running.step} (attempt ${running.attempt})`],
  ];
  if (running.lastError !== undefined) pairs.push(['Last error', running.lastError]);
  pairs.push(['Workflow', running.id]);
  return `Operation:\n${fields(pairs, '  ')}`;
}

/**
 * Conditions that are not as they should be come first; both groups in the order of the table, causes first. What a cause
 * says is not said again by those that follow from it.
 */
function conditions({ status }: StoredPipeline, nowMs: number): string {
  const all = inOrder(status?.conditions ?? []);
  const wrong = all.filter((condition) => !isWell(condition));
  const saidBy = new Map<string, string>();
  const messageOf = ({ type, message }: Condition): string => {
    if (message === '') return message;
    const before = saidBy.get(message);
    if (before === undefined) saidBy.set(message, type);
    return before === undefined ? message : `as ${before} says`;
  };
  const rows = [...wrong, ...all.filter((condition) => isWell(condition))].map((condition) => [
    isWell(condition) ? '' : '!',
    condition.type,
    condition.status,
    age(condition.lastTransitionTime, nowMs),
    condition.reason,
    messageOf(condition),
  ]);
  if (rows.length === 0) return '';
  return `Conditions (! = not as it should be; the first names the cause):\n${indent(
    columns(['', 'TYPE', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'], rows),
  )}`;
}

function stages({ status }: StoredPipeline): string {
  const rows = (status?.stages ?? []).map((stage) => [stage.name, `${stage.ready}/${stage.replicas}`]);
  return rows.length === 0 ? '' : `Stages:\n${indent(columns(['NAME', 'READY'], rows))}`;
}

function eventTable(events: readonly EventLine[] | null, nowMs: number): string {
  if (events === null) return 'Events: unknown, they could not be read\n';
  if (events.length === 0) return 'Events: none in the last hour\n';
  const rows = events.map((event) => [
    age(event.at, nowMs),
    event.type,
    event.count > 1 ? `${event.reason} (x${event.count})` : event.reason,
    event.message,
  ]);
  return `Events:\n${indent(columns(['AGE', 'TYPE', 'REASON', 'MESSAGE'], rows))}`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
