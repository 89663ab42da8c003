/** Where one writer writes: each slot of a source has a subject of its own, in one shard of the edge. */
import { edgeStream, frameSubject, writerName } from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';

export interface WriterPlace {
  readonly writer: string;
  readonly subject: string;
  readonly shard: number;
  readonly stream: string;
  /** Bytes that the stream may hold. */
  readonly maxBytes: number;
}

export function writersOfSource(plan: Plan, edge: Edge, source: string, slots: number): WriterPlace[] {
  const { pid } = plan.pipeline;
  return Array.from({ length: slots }, (_, slot) => {
    const writer = writerName(source, slot);
    const shard = slot % edge.shards;
    const subject = frameSubject(pid, edge.name, shard, writer);
    return { writer, subject, shard, stream: edgeStream(pid, edge.name), maxBytes: edge.maxBytes };
  });
}
