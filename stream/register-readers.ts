/**
 * Registers a reader of an edge: first its commit, then its entry in the registry.
 *
 * M1  A reader's first commit is stored before it is registered. A new reader starts at the end of the edge, mostly
 *     (`./reader-place.ts`). The end, the reader's last commit and the registry are read in this order, so an act that was
 *     frozen in between cannot overwrite what the reader has committed since.
 * M6  A sweeper does not wait for a reader that is not registered, so frames after its first commit may be gone by the time
 *     it is registered. They belong to plans without it and are no loss: once registered, the reader is placed again. Its
 *     commit says that this is still to be done, so it is done exactly once; and which frames the writers had there, so that
 *     it is noticed when the edge goes back below that place, and grows again.
 */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';
import type { Act } from './act.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import { endIn, type EdgeEnds } from './edge-ends.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage, StreamSettings } from './jetstream-port.ts';
import { lastCommit, lastCommits } from './last-commit.ts';
import { readPlanInForce, storedPlans } from './plan-store.ts';
import { placeOf, type ReaderPlace } from './reader-place.ts';
import { changeRegistry, readRegistry } from './registry.ts';

export interface Registering {
  /**
   * The plan whose pods of v0.1 are running (M3 of `./members.ts`); their writers are registered when they have gone
   * (`./register-writers.ts`), because they do not read frames of today.
   */
  readonly before?: Plan | undefined;
}

export interface RegisteringReaders extends Registering {
  /** Where a reader starts that is not registered yet. Default: at the end of the edge. */
  readonly readFrom?: 'start' | 'end';
  /** The ends of the edges as recorded earlier. Default: as they are now. */
  readonly ends?: EdgeEnds;
}

/** M1, then M6. */
export async function registerReaders(
  act: Act,
  plan: Plan,
  edge: Edge,
  readers: readonly string[],
  { before, readFrom = 'end', ends }: RegisteringReaders,
): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  const { created, state } = await streams.streamInfo(edgeStream(pid, edge.name));
  const end = ends === undefined ? state.last_seq : (endIn(ends, edge.name, created) ?? state.first_seq - 1);
  // Set in a recreated stream only: a number higher than that of any earlier decision (`./carry-out.ts`).
  const commits: StreamSettings = (await streams.streamInfo(edgeStream(pid, commitsEdge))).config;
  const lasts = new Map<string, (StoredMessage | null)[]>();
  for (const name of readers) lasts.set(name, await lastCommits(streams, pid, name, edge.shards));
  const registry = await readRegistry(streams, pid, edge.name);
  const isAtWork = registry !== undefined && readFrom === 'end' && ends === undefined;
  const known = isAtWork ? await newestBefore(streams, plan) : Infinity;
  const placeIn = async (shard: number): Promise<ReaderPlace> =>
    end === 0
      ? { to: 0, writers: {} }
      : placeOf(streams, { pid, edge, shard }, registry ?? { sources: {} }, {
          known,
          end: readFrom === 'start' ? 0 : end,
        });
  const beginsIn = async (slot: number): Promise<Commit> => {
    const { to, writers } = await placeIn(slot);
    const since = readFrom === 'start' ? end : to;
    const chain = { edge: created, decided: commits.first_seq ?? 0, since, writers };
    return { ...placedAt, to, chain, ...(isAtWork ? { placing: true } : {}) };
  };
  for (const name of readers.filter((reader) => registry?.readers.includes(reader) !== true)) {
    const isRunning = registry === undefined && before?.stages.some((stage) => stage.name === name) === true;
    for (const [slot, last] of (lasts.get(name) ?? []).entries()) {
      const subject = commitSubject(pid, name, slot);
      if (isRunning) await keepOrBegin(streams, subject, last, created);
      else if (last === null || registry !== undefined || !isOfV01(pid, last))
        await streams.publish(subject, JSON.stringify(await beginsIn(slot)), { expectLast: last?.seq ?? 0 });
    }
  }
  await changeRegistry(streams, { pid, edge: edge.name, opSeq }, (now) => ({
    ...(now ?? { created, sources: {}, gone: {}, kept: {} }),
    readers: [...new Set([...(now?.readers ?? []), ...readers])],
  }));
  for (const name of readers) await placeReader(streams, { pid, edge, name, known });
}

type Commit = Extract<CommitEntry, { kind: 'commit' }>;

const placedAt = { kind: 'commit', set: true, registered: true } as const;

/** M3 of `./members.ts`: a pod of v0.1 is running, and its commit is its position. */
async function keepOrBegin(
  streams: JetStreamPort,
  subject: string,
  last: StoredMessage | null,
  created: string,
): Promise<void> {
  if (last !== null) return;
  const begins: Commit = { ...placedAt, to: 0, chain: { edge: created, decided: 0, since: 0, writers: {} } };
  try {
    await streams.publish(subject, JSON.stringify(begins), { expectLast: 0 });
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
  }
}

/**
 * Only v0.1 commits without a chain. In an edge without a registry such a commit is the reader's position (M3 of
 * `./members.ts`); any other was left behind by a reader that was removed, and does not count.
 */
function isOfV01(pid: string, last: StoredMessage): boolean {
  return decodeCommitEntry(last.data, { stream: edgeStream(pid, commitsEdge), sequence: last.seq }).chain === undefined;
}

/** The newest plan before this one: the one in force, or one that was stored and never came into force. */
async function newestBefore(streams: JetStreamPort, { pipeline: { pid, generation } }: Plan): Promise<number> {
  const inForce = (await readPlanInForce(streams, pid))?.generation ?? 0;
  const stored = (await storedPlans(streams, pid)).map(({ pipeline }) => pipeline.generation);
  const before = [inForce, ...stored].filter((one) => one > 0 && one < generation);
  return before.length === 0 ? Infinity : Math.max(...before);
}

interface Reader {
  readonly pid: string;
  readonly edge: Edge;
  readonly name: string;
  /** Generation of the newest plan before its own. */
  readonly known: number;
}

/** M6. */
async function placeReader(streams: JetStreamPort, reader: Reader): Promise<void> {
  for (let slot = 0; slot < reader.edge.shards; slot++) while (!(await tryToPlace(streams, reader, slot)));
}

/**
 * Moves a first commit that is still to be placed to where the reader begins, which is read after that commit: an act that
 * was frozen in between replaces nothing. False: another writer was faster; look again.
 */
async function tryToPlace(streams: JetStreamPort, reader: Reader, slot: number): Promise<boolean> {
  const { pid, edge, name, known } = reader;
  const last = await lastCommit(streams, pid, name, slot);
  if (last === null) return true;
  const entry = decodeCommitEntry(last.data, { stream: edgeStream(pid, commitsEdge), sequence: last.seq });
  if (entry.kind !== 'commit' || entry.placing !== true) return true;
  const { placing: _, chain, ...rest } = entry;
  const { state } = await streams.streamInfo(edgeStream(pid, edge.name));
  const end = Math.max(entry.to, state.last_seq);
  const registry = await readRegistry(streams, pid, edge.name);
  if (registry === undefined) throw new TypeError('who is placed is registered');
  const { to, writers } = await placeOf(streams, { pid, edge, shard: slot }, registry, { known, end, entry });
  const placed: Commit = { ...rest, to, ...(chain === undefined ? {} : { chain: { ...chain, since: to, writers } }) };
  try {
    await streams.publish(last.subject, JSON.stringify(placed), { expectLast: last.seq });
    return true;
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    return false;
  }
}
