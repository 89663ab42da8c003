/**
 * The mark that a decision leaves in the edge that it is about (D6 of `./decisions.ts`): what came before it was there when the
 * person decided, and as long as it is there the edge has not gone back since. No reader meets it, and no sweep removes it. A
 * frame in its place, the last one, once could be swept by readers of other shards, and nobody knew then.
 */
import { decisionMarkSubject, edgeStream } from '../model/names.ts';
import { storeInEdge, type InEdge } from './edge-room.ts';
import type { JetStreamPort } from './jetstream-port.ts';

interface Named {
  readonly pid: string;
  readonly edge: string;
}

/** Its sequence. Throws as {@link storeInEdge} does. */
export async function leaveMark(streams: JetStreamPort, at: InEdge, number: number): Promise<number> {
  const text = textOf(number);
  const publish = () => streams.publish(decisionMarkSubject(at.pid, at.edge.name), text);
  return (await storeInEdge(streams, at, text.length, publish)).seq;
}

/** Those before `sequence`, which no decision names any more: an edge grows beyond its limit for last messages only. */
export async function removeEarlierMarks(
  streams: JetStreamPort,
  { pid, edge }: Named,
  sequence: number,
): Promise<void> {
  await streams.purgeStream(edgeStream(pid, edge), { filter: decisionMarkSubject(pid, edge), seq: sequence });
}

export async function isMarkThere(
  streams: JetStreamPort,
  { pid, edge }: Named,
  { number, sequence }: { readonly number: number; readonly sequence: number },
): Promise<boolean> {
  const found = await streams.getMessage(edgeStream(pid, edge), { seq: sequence });
  return found?.subject === decisionMarkSubject(pid, edge) && Buffer.from(found.data).toString() === textOf(number);
}

const textOf = (number: number) => `decision ${number}`;
