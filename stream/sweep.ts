/**
 * E6: the writer sweeps. Trims one writer's subject up to the smallest position that all reading stages have committed.
 *
 * W1  A frame that some registered reader has not committed is never removed (E10): a reader without a commit has
 *     committed nothing, and with no reader registered nothing is removed.
 * W2  A stale writer may sweep: committed positions only increase, so what it removes is committed for good. Unless the
 *     edge went back and grew again between its look and its request: then it may remove frames that came under those
 *     numbers, and their readers ask about them (I6).
 * W3  A commit counts only while the frame that it names exists as the reader took it; that frame is therefore kept as
 *     well. Otherwise the commit may be from before the stream was recreated or rolled back, and says nothing about the
 *     frames that exist now.
 * W4  The writer's last frame stays: its next owner continues from it (E3). Where the frame of W3 was found, nothing from
 *     it on is removed, and so neither is the last. Elsewhere the last is looked up; if it is missing, or comes before
 *     what this writer wrote, the stream was rolled back and nothing is swept.
 * W5  Frames are large, and a writer that meets a full edge sweeps many times a second: frames are looked at only when the
 *     positions have moved since the last sweep.
 * W6  A writer that finds no room sweeps behind all others as well, now and then: a source that has come to its end has no
 *     loop any more, one whose pod cannot start has none yet, and what they wrote would keep the edge full for good.
 * W7  Commits are read before the registry: a reader that is registered in between has none among them, and so has
 *     committed nothing (W1). Read the other way round, it is not among the readers while the others' commits are past
 *     what it needs; a sweeper that froze in between removed that.
 *
 * Positions may be read from a replica that lags: it then removes less. The registry is read from the leader.
 */
import { commitsEdge, edgeStream } from '../model/names.ts';
import type { Clock } from '../model/clock.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { commitsOfShard } from './last-commit.ts';
import { readRegistry, type Registry } from './registry.ts';
import type { Edge } from '../model/plan.ts';
import { writersOfShard } from './writer-place.ts';
import { isThere, takenOf, type Taken } from './taken.ts';

export interface SweepTarget {
  readonly pid: string;
  readonly edge: string;
  /** The writer's own subject, and its name in commits. */
  readonly subject: string;
  readonly writer: string;
  /** Slot of the reading stages that sees this subject. */
  readonly shard: number;
  /** When the stream was created that the writer writes to. */
  readonly created: string;
}

interface Bound {
  /** Sequence of the first frame that must be kept. */
  readonly first: number;
  /** A frame of that number is there, so the writer keeps one. */
  readonly isHeld: boolean;
}

const keepAll: Bound = { first: 0, isHeld: false };

/**
 * The last commit of each registered reader of a shard. Undefined: not on the replica yet that answered; the first is
 * stored before the reader is registered.
 */
type Commits = readonly (CommitEntry | undefined)[];

function commitsIn(
  registry: Registry | undefined,
  created: string,
  pid: string,
  commitOf: (reader: string) => StoredMessage | undefined,
): Commits {
  if (registry?.created !== created) return [];
  const stream = edgeStream(pid, commitsEdge);
  return registry.readers.map((stage) => {
    const last = commitOf(stage);
    return last === undefined ? undefined : decodeCommitEntry(last.data, { stream, sequence: last.seq });
  });
}

/** `swept`: below that nothing is left (W5). */
async function firstToStay(
  streams: JetStreamPort,
  target: SweepTarget,
  commits: Commits,
  swept: number,
): Promise<Bound> {
  const { created, writer } = target;
  if (commits.length === 0) return keepAll;
  const takens = commits.map((commit) => takenOf(commit, created, writer));
  if (Math.min(...takens.map(firstNeeded)) <= swept) return { first: swept, isHeld: true };
  const bounds = await Promise.all(takens.map((taken) => boundOf(streams, target, taken)));
  return bounds.reduce((least, one) => (one.first < least.first ? one : least));
}

/** The first frame that the reader needs: the one that it took last, if it can tell which that was (W3). */
function firstNeeded({ upTo, check }: Taken): number {
  return check === null ? upTo + 1 : upTo;
}

/** W3. */
async function boundOf(streams: JetStreamPort, { pid, edge, subject }: SweepTarget, taken: Taken): Promise<Bound> {
  const first = firstNeeded(taken);
  if (taken.check === null) return { first, isHeld: false };
  const isHeld = await isThere(streams, { stream: edgeStream(pid, edge), subject }, taken);
  return isHeld ? { first, isHeld } : keepAll;
}

/** Sequence of the last frame of the writer; undefined: it has none. */
async function lastOf(streams: JetStreamPort, { pid, edge, subject }: SweepTarget): Promise<number | undefined> {
  const last = await streams.getMessage(edgeStream(pid, edge), { last_by_subj: subject });
  return last?.seq;
}

/** Returns the sequence below which the subject is now empty. `swept`: what this returned before. */
export async function sweep(
  streams: JetStreamPort,
  target: SweepTarget,
  lastSequence: number,
  swept = 0,
): Promise<number> {
  const { pid, edge, shard, created } = target;
  // W7.
  const commitOf = await commitsOfShard(streams, pid, shard);
  const registry = await readRegistry(streams, pid, edge);
  return sweepBehind(streams, target, commitsIn(registry, created, pid, commitOf), { lastSequence, swept });
}

/** `lastSequence`: the writer's last frame, which is kept; absent for whoever is not the writer. */
async function sweepBehind(
  streams: JetStreamPort,
  target: SweepTarget,
  commits: Commits,
  { lastSequence, swept }: { readonly lastSequence?: number; readonly swept: number },
): Promise<number> {
  const bound = await firstToStay(streams, target, commits, swept);
  let first = Math.min(bound.first, lastSequence ?? Infinity);
  if (first <= Math.max(1, swept)) return first;
  if (!bound.isHeld) {
    // W4, where no other frame is known to stay.
    const last = await lastOf(streams, target);
    if (last === undefined || last < (lastSequence ?? 0)) return 0;
    first = Math.min(first, last);
  }
  await streams.purgeStream(edgeStream(target.pid, target.edge), { filter: target.subject, seq: first });
  return first;
}

/**
 * Behind every writer that is registered, whether or not it has a pod. `swept`: by subject, below which sequence nothing is
 * left (W5); kept from one call to the next.
 */
export async function sweepAll(
  streams: JetStreamPort,
  pid: string,
  edge: Edge,
  swept = new Map<string, number>(),
): Promise<void> {
  // W7.
  const commitOfShards = [];
  for (let shard = 0; shard < edge.shards; shard++) commitOfShards.push(await commitsOfShard(streams, pid, shard));
  const registry = await readRegistry(streams, pid, edge.name);
  if (registry === undefined) return;
  const { created, state } = await streams.streamInfo(edgeStream(pid, edge.name));
  for (const [shard, commitOf] of commitOfShards.entries()) {
    const commits = commitsIn(registry, created, pid, commitOf);
    for (const place of writersOfShard(pid, edge, registry, shard)) {
      const target = { ...place, edge: edge.name, created };
      const before = sweptIn(swept.get(place.subject) ?? 0, state.last_seq);
      swept.set(place.subject, await sweepBehind(streams, target, commits, { swept: before }));
    }
  }
}

/** W5, in a stream that may have gone back since: then below that number new frames may come. */
function sweptIn(swept: number, lastSequence: number): number {
  return swept > lastSequence + 1 ? 0 : swept;
}

/**
 * Sweeps behind one writer: soon after each frame, and every `everyMs` while something is left to remove. A writer
 * that has become idle still sweeps, because otherwise its committed frames would keep the edge full for the others;
 * one that has nothing left to sweep costs nothing.
 */
export class Sweeper {
  readonly #streams: JetStreamPort;
  readonly #target: SweepTarget;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #onFailure: (error: unknown) => void;
  #lastSequence = 0;
  /** Below that nothing is left. */
  #swept = 0;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(
    streams: JetStreamPort,
    target: SweepTarget,
    clock: Clock,
    onFailure: (error: unknown) => void,
    everyMs = 2_000,
  ) {
    this.#streams = streams;
    this.#target = target;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#everyMs = everyMs;
  }

  /** The writer's last frame is now this one. Cheap: call it after every frame. */
  wrote(lastSequence: number): void {
    this.#lastSequence = lastSequence;
    if (this.#closed) return;
    this.#cancel ??= this.#clock.after(this.#everyMs, () => this.now());
  }

  /** Sweeps at once, unless a sweep is running: the edge is full. */
  now(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
    });
  }

  /** Sweeps at once, and resolves when done. */
  async done(): Promise<void> {
    await this.#running;
    this.now();
    await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #sweep(): Promise<void> {
    const lastSequence = this.#lastSequence;
    try {
      const swept = sweptIn(this.#swept, lastSequence);
      this.#swept = await sweep(this.#streams, this.#target, lastSequence, swept);
      if (this.#swept >= lastSequence && this.#lastSequence === lastSequence) return;
    } catch (error) {
      this.#onFailure(error);
    }
    this.wrote(this.#lastSequence);
  }
}
