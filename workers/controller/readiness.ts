/**
 * The readiness that the entity of a pipeline is told, so that Temporal does not show a pipeline as healthy that waits
 * for a sink. Pure.
 *
 * H1  Only a state that lasts is reported, and a mere change of reason at most once per `reasonMs`: a flapping sink
 *     must not fill a history.
 * H2  Levels are compared: what the entity shows (search attribute `PipelineState`) with what the resource says. So a
 *     controller that starts repeats nothing, and a pipeline that was always well costs no signal.
 * H3  While an operation runs, or waits to run, nothing is reported: the entity knows more.
 */
import type { Readiness } from '../../model/lifecycle.ts';
import { isUnderWay } from '../../model/status.ts';
import type { Seen } from './pipeline-record.ts';

export interface ReadinessInput {
  readonly seen: Seen;
  /** The state that the entity shows; undefined: none yet. */
  readonly shown: string | undefined;
  readonly now: number;
  readonly toldAt: number;
  /** H1. */
  readonly lastingMs: number;
}

const reasonMs = 300_000;

/** Undefined: the entity shows it already, or it has not lasted long enough. */
export function readinessToTell({ seen, shown, now, toldAt, lastingMs }: ReadinessInput): Readiness | undefined {
  const { status, deleting, generation } = seen;
  if (deleting || status.operation !== undefined || status.observedGeneration !== generation) return undefined;
  if (!isUnderWay(status.phase)) return undefined;
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || now - Date.parse(ready.lastTransitionTime) < lastingMs) return undefined;
  const isReady = ready.status === 'True';
  const wasReady = shown === undefined || shown === 'Running';
  if (isReady ? wasReady : shown === ready.reason) return undefined;
  if (now - toldAt < (isReady === wasReady ? reasonMs : lastingMs)) return undefined;
  const { reason, message, lastTransitionTime } = ready;
  return { isReady, reason, message, since: lastTransitionTime };
}
