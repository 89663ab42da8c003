/**
 * What the entity of a pipeline is told of its readiness, so that Temporal does not call healthy what waits for a sink. Pure.
 *
 * H1  Only what has lasted is told, and another reason for the same no more often than `reasonMs`: a flapping sink does not
 *     fill a history.
 * H2  It is a level: what the entity shows (search attribute `PipelineState`) is compared with what the resource says. So a
 *     controller that starts tells nothing again, and a pipeline that is well and always was is never told of.
 * H3  While an operation runs, or waits to run, the entity knows better.
 */
import type { Readiness } from '../../model/lifecycle.ts';
import { isUnderWay } from '../../model/status.ts';
import type { Seen } from './pipeline-record.ts';

export interface ReadinessInput {
  readonly seen: Seen;
  /** What the entity shows; undefined: nothing yet. */
  readonly shown: string | undefined;
  readonly now: number;
  readonly toldAt: number;
  /** H1. */
  readonly lastingMs: number;
}

const reasonMs = 300_000;

/** undefined: the entity knows, or it is not time. */
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
