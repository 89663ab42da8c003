/**
 * Whether what a pod may hold at once fits its memory. One pod may own every slot of its stage: with minimum
 * replicas, and whenever the other pods are gone.
 *
 * The worst case is counted. For a source slot: two frames (one fills, one is in flight) and the buffers of as many
 * in the pool. For a sink slot: a batch as rows, its copy while it is sent, and two frames.
 */
import { mr } from '../model/errors.ts';
import { bytes, quantityOf } from '../model/quantities.ts';
import { displayPath, type Issue, type IssuePath } from './issue.ts';
import type { SpecParts } from './spec-parts.ts';

/** A pod that does nothing. */
const idleBytes = 110 * 2 ** 20;
const framesOfSource = 4;
const framesOfSink = 2;
const batchesOfSink = 2;
/** No number of slots: that part does not fit the schema, which is reported elsewhere. */
const mostSlots = 1_000_000;

export function memoryAdvice({ sources, sinks, buffer, frame, resources }: SpecParts): readonly Issue[] {
  const limit = quantityOf(resources.limits.memory);
  const frameBytes = bytes(frame.maxBytes);
  const advice = (path: IssuePath, slots: number, slotBytes: number): readonly Issue[] => {
    const needed = idleBytes + slots * slotBytes;
    return needed <= limit || slots > mostSlots ? [] : [tooSmall(path, slots, needed, resources.limits.memory)];
  };
  return [
    ...sources.flatMap((source, i) =>
      source ? advice(['spec', 'sources', i], source.slots, framesOfSource * frameBytes) : [],
    ),
    ...sinks.flatMap((sink, i) => {
      if (!sink) return [];
      const slotBytes = framesOfSink * frameBytes + batchesOfSink * bytes(sink.batch.maxBytes);
      return advice(['spec', 'sinks', i], buffer.shards, slotBytes);
    }),
  ];
}

function tooSmall(path: IssuePath, slots: number, needed: number, limit: string): Issue {
  const problem = `may hold ${Math.ceil(needed / 2 ** 20)}Mi in one pod that owns all ${slots} slots, and spec.resources.limits.memory is ${limit}; raise it, or lower frame.maxBytes, batch.maxBytes or the slots`;
  return { severity: 'warning', path, error: mr('MR_SPEC_INVALID', { path: displayPath(path), problem }) };
}
