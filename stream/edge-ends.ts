/**
 * Where the edges of a pipeline ended when a person gave up the positions in its lost commits.
 *
 * X1  A decision covers what existed when it was made. The ends are stored in the metadata of the recreated stream of
 *     the commits, when that stream is created. So a retry after an interrupted attempt finds the ends of the first
 *     attempt.
 * X2  They belong to one incarnation of an edge: nothing of an edge that was created later is covered.
 */
import { z } from 'zod';
import { annotations, commitsEdge, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { decodeRecord } from './commit-record.ts';
import { findStream } from './find-stream.ts';
import type { JetStreamPort, StreamSettings } from './jetstream-port.ts';

const schema = z.record(z.string(), z.object({ created: z.string(), end: z.number().int().nonnegative() }));

/** Keyed by the name of the edge. */
export type EdgeEnds = Readonly<z.output<typeof schema>>;

/** As they were recorded (X1), or as they are now. */
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

/** The metadata for the stream of the commits. The next operation removes it again. */
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
