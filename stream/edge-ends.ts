/**
 * Where the edges of a pipeline ended when a person gave up what its commits knew of them.
 *
 * X1  A decision covers what was there when it was taken. The ends come into being with the stream of the commits that is
 *     made again, in what that says of itself, so whoever repeats an attempt that was cut finds those of the first.
 * X2  They are of one life of an edge: of one that was made after them, nothing is covered.
 */
import { z } from 'zod';
import { annotations, commitsEdge, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { decodeRecord } from './commit-record.ts';
import { findStream } from './find-stream.ts';
import type { JetStreamPort, StreamSettings } from './jetstream-port.ts';

const schema = z.record(z.string(), z.object({ created: z.string(), end: z.number().int().nonnegative() }));

/** By the names of edges. */
export type EdgeEnds = Readonly<z.output<typeof schema>>;

/** As they were noted (X1), or as they are now. */
export async function endsOf(streams: JetStreamPort, plan: Plan): Promise<EdgeEnds> {
  const { pid } = plan.pipeline;
  const commits = edgeStream(pid, commitsEdge);
  const noted = (await findStream(streams, commits))?.config.metadata?.[annotations.edgeEnds];
  if (noted !== undefined) return decodeRecord(Buffer.from(noted), schema, commits, 0);
  const ends: Record<string, EdgeEnds[string]> = {};
  for (const { name } of plan.edges) {
    const info = await findStream(streams, edgeStream(pid, name));
    if (info !== undefined) ends[name] = { created: info.created, end: info.state.last_seq };
  }
  return ends;
}

/** What the stream of the commits is to say of itself. The next operation takes it away again. */
export function saidOf(ends: EdgeEnds): Readonly<Record<string, string>> {
  return { [annotations.edgeEnds]: JSON.stringify(ends) };
}

export function saysEnds({ metadata }: Pick<StreamSettings, 'metadata'>): boolean {
  return metadata?.[annotations.edgeEnds] !== undefined;
}

/** X2. Undefined: nothing is covered. */
export function endIn(ends: EdgeEnds, edge: string, created: string): number | undefined {
  const noted = ends[edge];
  return noted?.created === created ? noted.end : undefined;
}
