/**
 * The streams that were made, as the status has them: one that is not there any more is missed by this list alone.
 *
 * K1  An operation notes all streams of its plan, or nothing: from a shorter list it would follow that one never was.
 * K2  A decision is carried out beside operations. What it has not changed is not its word: an operation may have noted
 *     more since the status was read.
 */
import type { Plan } from '../../model/plan.ts';
import type { StreamStatus } from '../../model/status.ts';
import { pipelineText } from '../../stream/edge-opening.ts';
import { streamMissing } from '../../stream/stream-missing.ts';
import { pipelineStreams } from '../../stream/streams.ts';

/** K1. Throws MR_STREAM_MISSING. */
export function allOf(plan: Plan, found: readonly StreamStatus[]): readonly StreamStatus[] {
  for (const { name } of pipelineStreams(plan)) {
    if (!found.some((one) => one.name === name)) throw streamMissing(name, { pipeline: pipelineText(plan.pipeline) });
  }
  return found;
}

/** What `after` has that `before` has not. */
export function changedIn(before: readonly StreamStatus[], after: readonly StreamStatus[]): readonly StreamStatus[] {
  return after.filter((one) => !before.some(({ name, created }) => name === one.name && created === one.created));
}

/** K2. As the field of a status: absent, where nothing has changed. */
export function withChanged(
  noted: readonly StreamStatus[] = [],
  changed: readonly StreamStatus[],
): { readonly streams?: readonly StreamStatus[] } {
  if (changed.length === 0) return {};
  const others = noted.filter(({ name }) => !changed.some((one) => one.name === name));
  return { streams: [...others, ...changed] };
}
