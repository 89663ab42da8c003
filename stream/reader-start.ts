/**
 * Where a sink slot continues to read, if its position is still valid.
 *
 * I6  A position belongs to one incarnation of the edge's stream, and to the frames that were taken up to it. When the
 *     stream was recreated or rolled back, or the reader has passed a stored frame without seeing it, the slot stops.
 * A1  Entries of v0.1 record neither: they are taken to belong to the existing stream, if it is long enough, and to follow what
 *     it has up to there.
 */
import { edgeStream, frameSubject, shardSubjects, writerIn } from '../model/names.ts';
import type { Edge } from '../model/plan.ts';
import { positionOf, type CommitEntry } from './commit-entry.ts';
import type { TakenDecision } from './decisions.ts';
import type { EdgeView } from './edge-opening.ts';
import { checkOf } from './frame.ts';
import { decodeFrame } from './frame-reader.ts';
import { checkIn, type Accepted, type Chain, type Heads } from './frame-chain.ts';
import { frameAt, unlessDamaged, type StoredFrame } from './frame-at.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { sourceOf } from './reader-chain.ts';
import { writersOfShard, type Sources } from './writer-place.ts';

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

/** One shard of an edge. */
export interface Shard {
  readonly pid: string;
  readonly edge: Edge;
  readonly shard: number;
}

/** The last frame of every writer that the entry or the registry names, read from the leader. */
export async function readTails(
  streams: JetStreamPort,
  shard: Shard,
  entry: CommitEntry | undefined,
  view: Pick<EdgeView, 'registry'>,
): Promise<Map<string, Tail>> {
  const tails = new Map<string, Tail>();
  // In turn: frames are large, and a shard has few writers.
  for (const writer of writersIn(shard, entry, view)) {
    const last = await lastFrame(streams, shard, writer);
    tails.set(writer, last === undefined ? undefined : { sequence: last.sequence, check: checkIn(last.frame) });
  }
  return tails;
}

function writersIn(
  { pid, edge, shard }: Shard,
  entry: CommitEntry | undefined,
  { registry }: { readonly registry: { readonly sources: Sources } },
): Set<string> {
  const registered = writersOfShard(pid, edge, registry, shard).map(({ writer }) => writer);
  return new Set([...registered, ...Object.keys(entry?.chain?.writers ?? {})]);
}

async function lastFrame(streams: JetStreamPort, shard: Shard, writer: string): Promise<StoredFrame | undefined> {
  const { pid, edge } = shard;
  return frameAt(streams, edgeStream(pid, edge.name), {
    last_by_subj: frameSubject(pid, edge.name, shard.shard, writer),
  });
}

/**
 * What a position rests on that is not one of frames that were taken: each writer's last frame up to it, or that it has
 * none. Read from the leader.
 *
 * Of every writer that the registry or the entry names, and of every other that has a frame: the first frames of a new
 * source are there before the source is registered (M5 of `./members.ts`). Seed 11010136: they were not noted, and a power
 * loss took them.
 *
 * Seed sinks:1563: the edge had lost all frames of a writer when a reader was placed behind them, and lost more later; what
 * the writer then wrote under the numbers before that place counted as read, and was swept. Seed power:778: the same,
 * when the writer's last frame came after the place.
 *
 * `givenUp`: up to there, frames after the position that are gone are not missed: by a decision about the edge, or because they
 * are of plans without the reader. Others count as not seen, and the reader asks when it meets the next one, unless it had taken
 * them (`./reader-chain.ts`). Seed 13014827: a reader was placed because of its sink, and frames that somebody deleted in
 * between were not asked about.
 */
export async function headsAt(
  streams: JetStreamPort,
  shard: Shard,
  entry: CommitEntry | undefined,
  view: { readonly registry: { readonly sources: Sources } },
  position: number,
  givenUp = Infinity,
): Promise<Heads> {
  const heads: Heads = {};
  const { pid, edge } = shard;
  const stream = edgeStream(pid, edge.name);
  const writers = writersIn(shard, entry, view);
  for (const subject of await streams.subjectsOf(stream, shardSubjects(pid, edge.name, shard.shard)))
    writers.add(writerIn(subject));
  for (const writer of writers) {
    const subject = frameSubject(pid, edge.name, shard.shard, writer);
    const head = await headAt(streams, stream, subject, { position, givenUp }).catch(unlessDamaged);
    if (head !== undefined) heads[writer] = head;
  }
  return heads;
}

/** By the name that the next frame gives it; one of version 1 names none. */
async function headAt(
  streams: JetStreamPort,
  stream: string,
  subject: string,
  place: { readonly position: number; readonly givenUp: number },
): Promise<Heads[string]> {
  const { position, givenUp } = place;
  const next = await frameAt(streams, stream, { seq: position + 1, next_by_subj: subject });
  if (next === undefined) {
    const last = await frameAt(streams, stream, { last_by_subj: subject });
    if (last === undefined) return noFrame;
    // The writer was at work in between: now there is a next one.
    return last.sequence > position ? headAt(streams, stream, subject, place) : [last.sequence, checkIn(last.frame)];
  }
  const { link } = next.frame;
  const isKnown = link !== undefined && link.predecessor > 0 && link.predecessor <= Math.max(position, givenUp);
  return isKnown ? [link.predecessor, link.predecessorCheck] : lastUpTo(streams, stream, { subject, position });
}

/** Where what follows does not tell: found by halving. */
async function lastUpTo(
  streams: JetStreamPort,
  stream: string,
  { subject, position }: { readonly subject: string; readonly position: number },
): Promise<Heads[string]> {
  const after = async (seq: number) => {
    const next = await streams.getMessage(stream, { seq, next_by_subj: subject });
    return next === null || next.seq > position ? undefined : next;
  };
  let last = await after(1);
  for (let [from, to] = [last?.seq ?? Infinity, position]; from < to;) {
    const middle = Math.ceil((from + to) / 2);
    const next = await after(middle);
    if (next === undefined) to = middle - 1;
    else [last, from] = [next, next.seq];
  }
  if (last === undefined) return noFrame;
  return [last.seq, checkIn(decodeFrame(last.data, { stream, sequence: last.seq }))];
}

const noFrame: Heads[string] = [0, null];

type Decided = Pick<TakenDecision, 'sequence' | 'choice' | 'upTo'>;

/**
 * As {@link readTails}, but where there are frames after `position`, each writer's last frame up to it, by the name that the next
 * one gives it. For who goes back behind its position and will not meet that next frame in its turn. Seed asked:742: the edge went
 * back and grew past the position while a person was asked about the sink; the reader was placed among frames that it had not
 * taken.
 */
export async function tailsUpTo(
  streams: JetStreamPort,
  shard: Shard,
  entry: CommitEntry | undefined,
  view: Pick<EdgeView, 'registry'>,
  position: number,
): Promise<Map<string, Tail>> {
  const heads = Object.entries(await headsAt(streams, shard, entry, view, position));
  // A frame of version 1 is named by none.
  const isNamed = ([writer]: readonly [string, unknown]) => {
    const [sequence, check] = entry?.chain?.writers[writer] ?? noFrame;
    return sequence === 0 || check !== null;
  };
  return new Map(
    heads
      .filter(isNamed)
      .map(([writer, [sequence, check]]) => [writer, sequence === 0 ? undefined : { sequence, check }]),
  );
}

/**
 * The first frame up to the committed position of which it is known that it was not there when that was committed; Infinity:
 * of none. The edge went back before it and has grown again, so everything from it on is new. Of each writer the entry names the
 * last frame up to the position: what comes after that is new, and so is another frame under its number. A writer that lost
 * nothing is asked nothing, and went on; what it had written before a person decided about the others was given up with what
 * they had lost, also when somebody had deleted its last frame (seed asked:498).
 */
export async function firstAnew(
  streams: JetStreamPort,
  at: Shard,
  entry: CommitEntry | undefined,
  view: Pick<EdgeView, 'created' | 'registry'>,
): Promise<number> {
  if (entry?.chain?.edge !== view.created) return Infinity;
  const { writers } = entry.chain;
  const [stream, committed] = [edgeStream(at.pid, at.edge.name), positionOf(entry)];
  let first = Infinity;
  for (const writer of writersIn(at, entry, view)) {
    const subject = frameSubject(at.pid, at.edge.name, at.shard, writer);
    const [sequence, check] = writers[writer] ?? noFrame;
    const next = await streams.getMessage(stream, { seq: sequence + 1, next_by_subj: subject });
    if (next !== null) first = Math.min(first, next.seq);
    if (sequence === 0) continue;
    const there = await streams.getMessage(stream, { seq: sequence });
    const isTaken = there?.subject === subject && (check === null || check === checkOf(there.data));
    if (there !== null && !isTaken) first = Math.min(first, sequence);
  }
  return first > committed ? Infinity : first;
}

/** Where a reader goes on after a decision: see {@link entryAfter}. `anew`: {@link firstAnew}. */
export function positionAfter(
  entry: CommitEntry | undefined,
  view: EdgeView,
  anew: number,
  { choice, upTo }: Omit<Decided, 'sequence'>,
): number {
  const isOtherStream = entry?.chain !== undefined && entry.chain.edge !== view.created;
  if (choice === 'reread' || isOtherStream) return 0;
  const begun = entry === undefined ? view.lastSequence : entry.to;
  return Math.min(begun, upTo ?? view.lastSequence, view.lastSequence, anew - 1);
}

/**
 * The entry after a decision.
 *
 * `accept-loss` continues after everything that existed, `reread` from the first frame that exists. Nothing of a
 * recreated stream has been read, so both start at its beginning. Frames that were appended after the decision,
 * perhaps under sequences that were used before, are not given up by it, nor are those that came before it in place of others. Nor are those that come under them when the
 * stream goes back once more: the position rests on `heads` ({@link headsAt}). Seed 5006778: two power losses, and what
 * came after the second had numbers that the decision about the first had given up.
 *
 * `frame`: the one that the decision is about, if it is there.
 */
export function entryAfter(
  to: number,
  last: CommitEntry | undefined,
  { created, lastSequence }: EdgeView,
  {
    decision,
    heads,
    frame,
  }: { readonly decision: Decided; readonly heads: Heads; readonly frame: Accepted | undefined },
): CommitEntry {
  const before = last?.chain?.edge === created ? (last.chain.accepted ?? []) : [];
  const accepted = [...before, ...(frame === undefined ? [] : [frame])].slice(-mostAccepted);
  const chain = { edge: created, decided: decision.sequence, since: lastSequence, writers: heads };
  return { kind: 'commit', to, set: true, chain: { ...chain, ...(accepted.length === 0 ? {} : { accepted }) } };
}

/** Each is a decision of a person; those that were made long ago are of frames that have been swept. */
const mostAccepted = 32;

/** Distinguishes incarnations of an edge and decisions about it, in tokens and in dead letters. */
export function epochOf({ edge, decided }: Pick<Chain, 'edge' | 'decided'>): string {
  const made = Date.parse(edge).toString(36);
  return decided === 0 ? made : `${made}.${decided}`;
}
