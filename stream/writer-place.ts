/** Where one writer writes: each slot of a source has a subject of its own, in one shard of the edge. */
import { edgeStream, frameSubject, writerName } from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';

export interface WriterPlace {
  readonly writer: string;
  readonly subject: string;
  readonly shard: number;
  readonly stream: string;
  readonly pid: string;
  readonly edge: Edge;
}

export function writersOfSource(plan: Plan, edge: Edge, source: string, slots: number): WriterPlace[] {
  return writersOf(plan.pipeline.pid, edge, source, slots);
}

function writersOf(pid: string, edge: Edge, source: string, slots: number): WriterPlace[] {
  return Array.from({ length: slots }, (_, slot) => {
    const writer = writerName(source, slot);
    const shard = slot % edge.shards;
    const subject = frameSubject(pid, edge.name, shard, writer);
    return { writer, subject, shard, stream: edgeStream(pid, edge.name), pid, edge };
  });
}

/** How many slots each source has. */
export type Sources = Readonly<Record<string, { readonly slots: number }>>;

/** All of these sources, as the registry names them, that write to one shard. */
export function writersOfShard(
  pid: string,
  edge: Edge,
  { sources }: { readonly sources: Sources },
  shard: number,
): WriterPlace[] {
  const all = Object.entries(sources).flatMap(([source, { slots }]) => writersOf(pid, edge, source, slots));
  return all.filter((place) => place.shard === shard);
}
