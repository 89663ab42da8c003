/**
 * Where a reader begins that is registered while writers are at work.
 *
 * P1  At the end of the edge: what is before it is of plans without the reader, because a plan comes into force when its readers
 *     are registered. Only first frames of new writers, without records, come before that (M5 of `./members.ts`).
 * P2  Records under a later plan than any that is stored tell that the commits have gone back (nats-server was restored), and
 *     with them that plan and perhaps the reader: it begins before the first of these. (Not than the one in force: a source that
 *     is put back writes under a plan that another one overtook. Seed 21005495: a person was asked, and nothing was lost.)
 *     Where the frame before the first of such a plan is gone, others may have been swept that were for the reader, so nothing
 *     counts as taken, and it asks.
 */
import { edgeStream, shardSubjects, writerIn } from '../model/names.ts';
import type { CommitEntry } from './commit-entry.ts';
import { firstOfPlan } from './first-of-plan.ts';
import { frameAt, unlessDamaged, type StoredFrame } from './frame-at.ts';
import type { Heads } from './frame-chain.ts';
import { planIn } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { headsAt, type Shard } from './reader-start.ts';
import type { Registry } from './registry.ts';
import type { WriterPlace } from './writer-place.ts';

export interface ReaderPlace {
  /** Everything up to this stream sequence is not for it. */
  readonly to: number;
  /** On what that rests. */
  readonly writers: Heads;
}

/** `known`: the generation of the newest plan before the reader's own. `end`: of the edge. */
export async function placeOf(
  streams: JetStreamPort,
  shard: Shard,
  registry: Pick<Registry, 'sources'>,
  { known, end, entry }: { readonly known: number; readonly end: number; readonly entry?: CommitEntry | undefined },
): Promise<ReaderPlace> {
  const later = await laterIn(streams, shard, known);
  const to = Math.min(end, ...later.map(({ sequence }) => sequence - 1));
  const writers = await headsAt(streams, shard, entry, { registry }, to);
  for (const { writer, isCut } of later) if (isCut) writers[writer] = [0, null];
  return { to, writers };
}

interface Later {
  readonly writer: string;
  /** Of the first frame that may be for the reader. */
  readonly sequence: number;
  /** The frame before it is gone. */
  readonly isCut: boolean;
}

/** P2. */
async function laterIn(streams: JetStreamPort, { pid, edge, shard }: Shard, known: number): Promise<Later[]> {
  const stream = edgeStream(pid, edge.name);
  const later: Later[] = [];
  for (const subject of await streams.subjectsOf(stream, shardSubjects(pid, edge.name, shard))) {
    const found = await laterOf(streams, { stream, subject }, known).catch(unlessDamaged);
    if (found !== undefined) later.push({ writer: writerIn(subject), ...found });
  }
  return later;
}

async function laterOf(
  streams: JetStreamPort,
  place: Pick<WriterPlace, 'stream' | 'subject'>,
  known: number,
): Promise<Omit<Later, 'writer'> | undefined> {
  const { stream, subject } = place;
  const last = await frameAt(streams, stream, { last_by_subj: subject });
  if (last === undefined || planIn(last.frame) <= known) return undefined;
  const first = await firstOfPlan(streams, place, known + 1, 0, last);
  const before = first.frame.link?.predecessor ?? 0;
  const isCut = before > 0 && (await streams.getMessage(stream, { seq: before })) === null;
  if (isCut) return { sequence: first.sequence, isCut };
  let at: StoredFrame | undefined = first;
  // To begin too early costs nothing: a frame without records is for nobody.
  for (let passed = 0; at?.frame.count === 0 && passed < mostEmpty; passed++)
    at = await frameAt(streams, stream, { seq: at.sequence + 1, next_by_subj: subject });
  return at === undefined ? undefined : { sequence: at.sequence, isCut };
}

/** Each is read. */
const mostEmpty = 64;
