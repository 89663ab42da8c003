/**
 * What the frames of an edge say about their writers, for an edge where no writer is registered that could be asked.
 */
import { edgeStream, frameSubjects, writerIn } from '../model/names.ts';
import { decodeFrame, planIn } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { sourceOf } from './reader-chain.ts';

export interface FoundInEdge {
  /** For each source, how many of its slots have frames. */
  readonly slots: ReadonlyMap<string, number>;
  /** Generations that last frames name; 0: a frame of v0.1. */
  readonly plans: ReadonlySet<number>;
}

export async function foundIn(streams: JetStreamPort, pid: string, edge: string): Promise<FoundInEdge> {
  const stream = edgeStream(pid, edge);
  const slots = new Map<string, number>();
  const plans = new Set<number>();
  for (const { subject, data, seq } of await streams.lastOfEach(stream, frameSubjects(pid, edge))) {
    const writer = writerIn(subject);
    const source = sourceOf(writer);
    slots.set(source, Math.max(slots.get(source) ?? 0, Number(writer.slice(source.length + 1)) + 1));
    plans.add(planIn(decodeFrame(data, { stream, sequence: seq })));
  }
  return { slots, plans };
}
