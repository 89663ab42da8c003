/**
 * The mark that a decision leaves in the edge that it is about (D6 of `./decisions.ts`): what came before it was there when the
 * person decided, and as long as it is there the edge has not gone back since. No reader meets it, and no sweep removes it. A
 * frame in its place, the last one, once could be swept by readers of other shards, and nobody knew then.
 */
import { decisionMarkSubject, edgeStream } from '../model/names.ts';
import { storeInEdge, type InEdge } from './edge-room.ts';
import type { JetStreamPort } from './jetstream-port.ts';

/** Its sequence; those of earlier decisions are removed. Throws as {@link storeInEdge} does. */
export async function leaveMark(streams: JetStreamPort, at: InEdge, number: number): Promise<number> {
  const [stream, subject] = [edgeStream(at.pid, at.edge.name), decisionMarkSubject(at.pid, at.edge.name)];
  const text = textOf(number);
  const { seq } = await storeInEdge(streams, at, text.length, () => streams.publish(subject, text));
  await streams.purgeStream(stream, { filter: subject, seq });
  return seq;
}

export async function isMarkThere(
  streams: JetStreamPort,
  { pid, edge }: { readonly pid: string; readonly edge: string },
  { number, sequence }: { readonly number: number; readonly sequence: number },
): Promise<boolean> {
  const found = await streams.getMessage(edgeStream(pid, edge), { seq: sequence });
  return found?.subject === decisionMarkSubject(pid, edge) && Buffer.from(found.data).toString() === textOf(number);
}

const textOf = (number: number) => `decision ${number}`;
