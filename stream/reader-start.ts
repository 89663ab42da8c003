/**
 * Where a sink slot continues to read, if its position is still valid.
 *
 * I6  A position belongs to one incarnation of the edge's stream, and to the frames that were taken up to it. When the
 *     stream was recreated or rolled back, or the reader has passed a stored frame without seeing it, the slot stops.
 * A1  Entries of v0.1 record neither: they are taken to belong to the existing stream, if it is long enough.
 */
import { edgeStream, frameSubject } from '../model/names.ts';
import type { Edge } from '../model/plan.ts';
import { positionOf, type CommitEntry } from './commit-entry.ts';
import type { TakenDecision } from './decisions.ts';
import type { EdgeView } from './edge-opening.ts';
import { checkIn, type Chain } from './frame-chain.ts';
import { decodeFrame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { sourceOf } from './reader-chain.ts';
import { writersOfShard } from './writer-place.ts';

/** The last frame of a writer; undefined: the writer has none. */
export type Tail = { readonly sequence: number; readonly check: number | null } | undefined;

export type Start =
  | { readonly kind: 'ready'; readonly chain: Chain }
  /** `found`: the part of a sentence after "but". `loss`: in words that stay equal while it is the same loss. */
  | { readonly kind: 'lost'; readonly found: string; readonly loss: string };

/** Pure. `tails`: those of every writer that the entry or the registry names. */
export function startOf(entry: CommitEntry | undefined, view: EdgeView, tails: ReadonlyMap<string, Tail>): Start {
  if (entry === undefined) return lost('its commits are gone');
  const committed = positionOf(entry);
  const { chain } = entry;
  if (chain !== undefined && chain.edge !== view.created) {
    return lost(`that was of the stream made at ${chain.edge}, and this one was made at ${view.created}`);
  }
  if (committed > view.lastSequence) return lost(`the stream ends at ${view.lastSequence}`, endsBefore);
  if (chain === undefined) {
    return { kind: 'ready', chain: { edge: view.created, decided: 0, since: committed, writers: {} } };
  }
  const writers = new Map(Object.entries(chain.writers));
  for (const [writer, tail] of tails) {
    const head = writers.get(writer);
    if (head !== undefined && head[0] > 0) {
      if (isStillThere(head, tail, committed)) continue;
      if (!hasLeft(writer, head[0], view))
        return lost(wordsFor(writer, head[0], tail), `frame ${head[0]} of ${writer} is not there`);
      writers.delete(writer);
    } else if (tail === undefined || tail.sequence > committed) continue;
    else if (head === undefined && tail.sequence <= chain.since) continue;
    else if (!hasLeft(writer, tail.sequence, view))
      return lost(`frame ${tail.sequence} of ${writer} was never seen`, `frames of ${writer} were never seen`);
  }
  return { kind: 'ready', chain: { ...chain, writers: Object.fromEntries(writers) } };
}

function hasLeft(writer: string, taken: number, { registry }: EdgeView): boolean {
  return (registry.gone[sourceOf(writer)] ?? 0) >= taken;
}

/** A frame after the committed position names its predecessor, so only a tail before that position needs a check. */
function isStillThere([sequence, check]: readonly [number, number | null], tail: Tail, committed: number): boolean {
  if (tail === undefined) return false;
  if (tail.sequence > committed) return true;
  return tail.sequence === sequence && (check === null || check === tail.check);
}

function wordsFor(writer: string, taken: number, tail: Tail): string {
  if (tail === undefined) return `frame ${taken} of ${writer}, which was taken, and all others of it are gone`;
  if (tail.sequence === taken) return `frame ${taken} of ${writer} is another one than the one that was taken`;
  return `the last frame of ${writer} is ${tail.sequence}, and ${taken} was taken`;
}

/** Without the number, because the end moves while others write. */
export const endsBefore = 'the stream ends before that';

function lost(found: string, loss = found): Start {
  return { kind: 'lost', found, loss };
}

/** The last frame of every writer that the entry or the registry names, read from the leader. */
export async function readTails(
  streams: JetStreamPort,
  { pid, edge, shard }: { readonly pid: string; readonly edge: Edge; readonly shard: number },
  entry: CommitEntry | undefined,
  { registry }: Pick<EdgeView, 'registry'>,
): Promise<Map<string, Tail>> {
  const registered = writersOfShard(pid, edge, registry, shard).map(({ writer }) => writer);
  const tails = new Map<string, Tail>();
  const stream = edgeStream(pid, edge.name);
  // In turn: frames are large, and a shard has few writers.
  for (const writer of new Set([...registered, ...Object.keys(entry?.chain?.writers ?? {})])) {
    const last = await streams.getMessage(stream, { last_by_subj: frameSubject(pid, edge.name, shard, writer) });
    const check = last === null ? null : checkIn(decodeFrame(last.data, { stream, sequence: last.seq }));
    tails.set(writer, last === null ? undefined : { sequence: last.seq, check });
  }
  return tails;
}

/**
 * The entry after a decision.
 *
 * `accept-loss` continues after everything that existed, `reread` from the first frame that exists. Nothing of a
 * recreated stream has been read, so both start at its beginning. Frames that were appended after the decision,
 * perhaps under sequences that were used before, are not given up by it. Nor are those that come under them when the
 * stream goes back once more: the last frames of the writers, `tails`, are what the position rests on. Seed 5006778: two
 * power losses, and what came after the second had numbers that the decision about the first had given up.
 */
export function entryAfter(
  entry: CommitEntry | undefined,
  view: EdgeView,
  decision: Pick<TakenDecision, 'sequence' | 'choice' | 'upTo'>,
  tails: ReadonlyMap<string, Tail>,
): CommitEntry {
  const isOtherStream = entry?.chain !== undefined && entry.chain.edge !== view.created;
  const begun = entry === undefined ? view.lastSequence : entry.to;
  const end = Math.min(decision.upTo ?? view.lastSequence, view.lastSequence);
  const to = decision.choice === 'reread' || isOtherStream ? 0 : Math.min(begun, end);
  const writers = headsAt(to, tails);
  const chain = { edge: view.created, decided: decision.sequence, since: view.lastSequence, writers };
  return { kind: 'commit', to, set: true, chain };
}

/**
 * What a position rests on that is not one of frames that were taken: the writers' last frames, if they come before it, and
 * that a writer had none.
 */
export function headsAt(position: number, tails: ReadonlyMap<string, Tail>): Chain['writers'] {
  const heads: Chain['writers'] = {};
  for (const [writer, tail] of tails) {
    if (tail === undefined) heads[writer] = noFrame;
    else if (tail.sequence <= position) heads[writer] = [tail.sequence, tail.check];
  }
  return heads;
}

/**
 * Seed sinks:1563: the edge had lost all frames of a writer when a reader was placed behind them, and lost more later; what
 * the writer then wrote under the numbers before that place counted as read, and was swept.
 */
const noFrame: Chain['writers'][string] = [0, null];

/** Distinguishes incarnations of an edge and decisions about it, in tokens and in dead letters. */
export function epochOf({ edge, decided }: Pick<Chain, 'edge' | 'decided'>): string {
  const made = Date.parse(edge).toString(36);
  return decided === 0 ? made : `${made}.${decided}`;
}
