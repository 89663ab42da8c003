/**
 * What the lifecycle stores in an edge beside the writers: few messages, and small.
 *
 * F1  A full edge does not stop the lifecycle, because whoever would make room may be gone. It makes room as a writer does
 *     (`./room.ts`), behind all writers (E6): those of a leaving source have no pod that sweeps. If that is not enough, the
 *     edge grows beyond its limit by this message: readers start, and leaving ones are unregistered, only after it.
 *     Seed 9016846: an edit stopped the pods of a sink; another replaced that edit, found the edge full, and waited for
 *     good.
 */
import { mr } from '../model/errors.ts';
import { edgeStream } from '../model/names.ts';
import type { Edge } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { passOver } from './pass-over.ts';
import { firstBytes, StreamRoom } from './room.ts';
import { sweepAll } from './sweep.ts';

export interface InEdge {
  readonly pid: string;
  readonly edge: Edge;
}

/** Those who go on writing give back what is not used. */
const noTimer: Pick<Clock, 'after'> = { after: () => () => undefined };

/** What the server counts for a message beside its bytes: the subject, headers, and numbers. */
const overheadBytes = 512;

/**
 * Stores a message of so many bytes, and makes room for it where there is none. Throws MR_EDGE_FULL when a writer was faster to
 * use that, and what keeps JetStream from giving any.
 */
export async function storeInEdge<T>(
  streams: JetStreamPort,
  at: InEdge,
  bytes: number,
  store: () => Promise<T>,
): Promise<T> {
  try {
    return await store();
  } catch (error) {
    if (!isFull(error)) throw error;
  }
  await makeRoom(streams, at, bytes + overheadBytes);
  try {
    return await store();
  } catch (error) {
    throw isFull(error) ? fullEdge(at) : error;
  }
}

const isFull = (error: unknown) => classifyPublishFailure(error).kind === 'full';

/** F1. */
async function makeRoom(streams: JetStreamPort, at: InEdge, bytes: number): Promise<void> {
  const { pid, edge } = at;
  using room = new StreamRoom({
    ...{ streams, stream: edgeStream(pid, edge.name), clock: noTimer },
    ...{ first: firstBytes.edge, most: edge.maxBytes, exceeds: 'always' },
    full: () => fullEdge(at),
    sweep: async () => {
      await sweepAll(streams, pid, edge);
      if (await passOver(streams, pid, edge)) await sweepAll(streams, pid, edge);
    },
  });
  const reason = await room.make(bytes);
  if (reason !== undefined) throw reason;
}

function fullEdge({ pid, edge }: InEdge) {
  return mr('MR_EDGE_FULL', { edge: edgeStream(pid, edge.name), bytes: edge.maxBytes });
}
