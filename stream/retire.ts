/**
 * How stages and sources leave an edge (E10), and how old plans go: acts of the lifecycle, when the plan without them is
 * in force. Every act may run again after having been cut anywhere.
 *
 * L1  A source that leaves may not begin any more, and each of its subjects gets a last frame, so that an owner that was
 *     frozen cannot append (E4). When all readers have taken what it wrote, its subjects are emptied; that it left, and
 *     up to where, stays written down, so that readers tell it from a loss; and so does where it stood, so that it goes on
 *     from there when it comes back (`./kept-position.ts`).
 * L2  A stage that leaves goes on reading until it has taken every frame of a plan that has it. Then it is taken off,
 *     and only then its commits go: whoever comes later under its name begins anew.
 * L3  A plan goes when the edge holds no frame of it, or of one before it: also what was read may be read again, by a
 *     person's decision.
 */
import { commitsEdge, edgeStream, ingestorName, slotTokens } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { appendAfter, tailOf, type WriterTail } from './announce.ts';
import { positionOf } from './commit-entry.ts';
import { commitOf, framesAfter, isDrained, type Backlog } from './drained.ts';
import { forgetQuestions } from './decisions.ts';
import { decodeFrame, planIn, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { keptOf, type Kept, type LastOfSlot } from './kept-position.ts';
import { lastCommits } from './last-commit.ts';
import type { Act } from './act.ts';
import { passOver } from './pass-over.ts';
import { forgetPlansBefore, readPlanInForce, storedPlans } from './plan-store.ts';
import { changeRegistry, readRegistry, type Registry } from './registry.ts';
import { connectorOf } from './returning.ts';
import { takenOf, type Taken } from './taken.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';
import { lostBehind } from './writer-tail.ts';

interface Leaving {
  /** Reading stages. */
  readonly readers: readonly string[];
  readonly sources: readonly string[];
}

/** Who is registered and not in the plan. */
export async function leavingOf(streams: JetStreamPort, plan: Plan): Promise<Leaving> {
  const readers: string[] = [];
  const sources: string[] = [];
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, plan.pipeline.pid, edge.name);
    if (registry === undefined) continue;
    const leaving = leavingIn(plan, edge, registry);
    readers.push(...leaving.readers);
    sources.push(...leaving.sources);
  }
  return { readers, sources };
}

function leavingIn(plan: Plan, edge: Edge, registry: Registry): Leaving {
  const readers = sinksOf(plan, edge).map(({ name }) => name);
  const sources = ingestorsOf(plan, edge).map(({ source }) => source);
  return {
    readers: registry.readers.filter((name) => !readers.includes(name)),
    sources: Object.keys(registry.sources).filter((name) => !sources.includes(name)),
  };
}

/** L1, its beginning. Their pods have been stopped. */
export async function beginLeaving(act: Act, plan: Plan): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) continue;
    const sources = leavingIn(plan, edge, registry).sources.filter((name) => registry.sources[name]?.fenced !== true);
    if (sources.length === 0) continue;
    const mark = (as: object) =>
      changeRegistry(streams, { pid, edge: edge.name, opSeq }, (now = registry) => ({
        ...now,
        sources: Object.fromEntries(
          Object.entries(now.sources).map(([name, source]) => [
            name,
            sources.includes(name) ? { ...source, ...as } : source,
          ]),
        ),
      }));
    await mark({ leaving: true });
    for (const place of placesOf(plan, edge, registry, sources)) await fence(act, place);
    // Each look of those who wait comes by here: one frame a writer is enough.
    await mark({ fenced: true });
  }
}

function placesOf(plan: Plan, edge: Edge, registry: Registry, sources: readonly string[]): WriterPlace[] {
  return sources.flatMap((source) => writersOfSource(plan, edge, source, registry.sources[source]?.slots ?? 0));
}

/** Under the plan that the writer has: no other knows it. */
async function fence(act: Act, place: WriterPlace): Promise<void> {
  for (;;) {
    const tail = await tailOf(act.streams, place);
    if (tail.frame === undefined || (await appendAfter(act, tail, planIn(tail.frame)))) return;
  }
}

/**
 * What those who leave have still to read, or still to be read. One that has not begun, and perhaps never will, is passed
 * over what is not for it.
 */
export async function unfinished(streams: JetStreamPort, plan: Plan): Promise<readonly Backlog[]> {
  const leaving = await leavingOf(streams, plan);
  const behind: Backlog[] = [];
  if (leaving.sources.length > 0) {
    const source = (name: string) => leaving.sources.includes(name);
    const stage = (name: string) => !leaving.readers.includes(name);
    behind.push(...(await isDrained(streams, plan, { source, stage })).behind);
    if (behind.length === 0) behind.push(...(await beforeLastOf(streams, plan, leaving)));
  }
  if (leaving.readers.length === 0) return behind;
  for (const edge of plan.edges) await passOver(streams, plan.pipeline.pid, edge);
  const plans = await storedPlans(streams, plan.pipeline.pid);
  for (const stage of leaving.readers) behind.push(...(await leftOf(streams, plan, stage, plans)));
  return behind;
}

/**
 * Readers that have not committed the last frame of a source that leaves. It holds no records, but a batch may begin with
 * it, and could not be repeated when it is gone.
 */
async function beforeLastOf(streams: JetStreamPort, plan: Plan, leaving: Leaving): Promise<readonly Backlog[]> {
  const { pid } = plan.pipeline;
  const behind: Backlog[] = [];
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) continue;
    const stages = registry.readers.filter((name) => !leaving.readers.includes(name));
    for (const place of placesOf(plan, edge, registry, leavingIn(plan, edge, registry).sources)) {
      const tail = await tailOf(streams, place);
      const slot = place.shard;
      for (const stage of stages) {
        const entry = await commitOf(streams, pid, stage, slot);
        const committed = entry === undefined ? tail.sequence : positionOf(entry);
        if (committed >= tail.sequence) continue;
        behind.push({ stage, slot, frames: await framesAfter(streams, pid, edge.name, slot, committed) });
      }
    }
  }
  return behind;
}

/** L2. */
async function leftOf(
  streams: JetStreamPort,
  plan: Plan,
  stage: string,
  plans: readonly Plan[],
): Promise<readonly Backlog[]> {
  const has = plans
    .filter((one) => one.stages.some(({ name }) => name === stage))
    .map(({ pipeline }) => pipeline.generation);
  const behind: Backlog[] = [];
  for await (const { edge, slot, committed, tail, unread } of unreadOf(streams, plan, [stage])) {
    if (unread.kind === 'none' || behind.some((one) => one.slot === slot)) continue;
    const isLeft = unread.kind === 'unknown' || has.some((one) => isBetween(one, planIn(unread.frame), tail, plans));
    if (!isLeft) continue;
    behind.push({ stage, slot, frames: await framesAfter(streams, plan.pipeline.pid, edge.name, slot, committed) });
  }
  return behind;
}

/** A frame of version 1 is read under the oldest plan that is kept. */
function isBetween(generation: number, first: number, { frame }: WriterTail, plans: readonly Plan[]): boolean {
  const oldest = Math.min(...plans.map(({ pipeline }) => pipeline.generation));
  const last = frame === undefined ? 0 : planIn(frame);
  return generation >= Math.max(first, oldest) && generation <= Math.max(last, oldest);
}

interface Unread {
  readonly edge: Edge;
  readonly slot: number;
  /** Of the reader. */
  readonly committed: number;
  readonly tail: WriterTail;
  readonly unread:
    | { readonly kind: 'none' }
    /** A replica that lags did not show it. */
    | { readonly kind: 'unknown' }
    | { readonly kind: 'frame'; readonly frame: Frame };
}

/** For each of these readers and each writer, the first frame with records that the reader has not taken. */
async function* unreadOf(streams: JetStreamPort, plan: Plan, readers: readonly string[]): AsyncGenerator<Unread> {
  const { pid } = plan.pipeline;
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) continue;
    const { created } = await streams.streamInfo(edgeStream(pid, edge.name));
    for (const stage of registry.readers.filter((name) => readers.includes(name))) {
      const entries = [];
      for (let slot = 0; slot < edge.shards; slot++) entries.push(await commitOf(streams, pid, stage, slot));
      for (const place of placesOf(plan, edge, registry, Object.keys(registry.sources))) {
        const slot = place.shard;
        const tail = await tailOf(streams, place);
        const entry = entries[slot];
        const unread = await firstUnread(streams, tail, takenOf(entry, created, place.writer));
        yield { edge, slot, committed: entry === undefined ? 0 : positionOf(entry), tail, unread };
      }
    }
  }
}

async function firstUnread(streams: JetStreamPort, tail: WriterTail, taken: Taken): Promise<Unread['unread']> {
  const { stream, subject, sequence: last } = tail;
  for (let next = taken.upTo + 1; next <= last;) {
    const message = await streams.directGet(stream, { seq: next, next_by_subj: subject });
    if (message === null) return { kind: 'unknown' };
    const frame = decodeFrame(message.data, { stream, sequence: message.seq });
    if (frame.count > 0) return { kind: 'frame', frame };
    next = message.seq + 1;
  }
  return { kind: 'none' };
}

/**
 * L1 and L2, their end. Their pods are gone, and everything is read or given up. Readers first: a source's frames go only
 * when no registered reader has yet to pass them (E6), and one that leaves with the source need not.
 */
export async function finishLeaving(act: Act, plan: Plan): Promise<void> {
  for (const edge of plan.edges) {
    const { pid } = plan.pipeline;
    const before = await readRegistry(act.streams, pid, edge.name);
    if (before === undefined) continue;
    for (const stage of leavingIn(plan, edge, before).readers) await removeReader(act, plan, edge, stage);
    const registry = (await readRegistry(act.streams, pid, edge.name)) ?? before;
    for (const source of leavingIn(plan, edge, registry).sources) {
      // Given up with Immediate while a sink is in the middle of them: a later operation takes it off.
      if (await isInBatch(act.streams, plan, edge, registry, source)) continue;
      await removeSource(act, plan, edge, registry, source);
    }
  }
}

/** A batch that was begun may hold frames of the source: it is repeated whole or not at all, so they stay as long as it is open. */
async function isInBatch(
  streams: JetStreamPort,
  plan: Plan,
  edge: Edge,
  registry: Registry,
  source: string,
): Promise<boolean> {
  for (const place of placesOf(plan, edge, registry, [source])) {
    const tail = await tailOf(streams, place);
    for (const stage of registry.readers) {
      const entry = await commitOf(streams, plan.pipeline.pid, stage, place.shard);
      if (entry !== undefined && entry.kind !== 'commit' && entry.from <= tail.sequence) return true;
    }
  }
  return false;
}

async function removeSource(act: Act, plan: Plan, edge: Edge, registry: Registry, source: string): Promise<void> {
  const { streams, opSeq } = act;
  const place = { pid: plan.pipeline.pid, edge: edge.name, opSeq };
  const tails: WriterTail[] = [];
  for (const writer of placesOf(plan, edge, registry, [source])) tails.push(await tailOf(streams, writer));
  const upTo = Math.max(registry.gone[source] ?? 0, ...tails.map(({ sequence }) => sequence));
  const kept = await keptIn(streams, plan, edge, { source, tails });
  // First that it is gone, and where it stood: readers meet an empty subject afterwards, and so does another attempt.
  await changeRegistry(streams, place, (now = registry) => ({
    ...now,
    gone: { ...now.gone, [source]: Math.max(now.gone[source] ?? 0, upTo) },
    kept: now.sources[source] === undefined || kept === undefined ? now.kept : { [source]: kept, ...now.kept },
  }));
  for (const { stream, subject, sequence } of tails) {
    if (sequence > 0) await streams.purgeStream(stream, { filter: subject, seq: sequence + 1 });
  }
  for (const { writer } of tails) await forgetQuestions(streams, place.pid, writer);
  await forgetQuestions(streams, place.pid, slotTokens(ingestorName(source), '*'));
  await changeRegistry(streams, place, (now = registry) => {
    const { [source]: _, ...sources } = now.sources;
    return { ...now, sources };
  });
}

/** Undefined: nobody knows any more what it was. */
async function keptIn(
  streams: JetStreamPort,
  { pipeline: { pid } }: Plan,
  edge: Edge,
  { source, tails }: { readonly source: string; readonly tails: readonly WriterTail[] },
): Promise<Kept | undefined> {
  const connector = connectorOf(await storedPlans(streams, pid), source);
  if (connector === undefined) return undefined;
  const { created } = await streams.streamInfo(edgeStream(pid, edge.name));
  const lasts: LastOfSlot[] = [];
  for (const { shard, writer, sequence, frame } of tails) {
    const lost = await lostBehind(streams, { pid, shard, created }, { writer, sequence, check: frame?.check ?? 0 });
    lasts.push({ position: frame?.position, isLost: lost !== undefined });
  }
  return keptOf(connector, lasts);
}

async function removeReader(act: Act, plan: Plan, edge: Edge, stage: string): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  const stream = edgeStream(pid, commitsEdge);
  const lasts = (await lastCommits(streams, pid, stage, edge.shards)).filter((last) => last !== null);
  await changeRegistry(streams, { pid, edge: edge.name, opSeq }, (now) => {
    if (now === undefined) throw new TypeError('who leaves was registered');
    return { ...now, readers: now.readers.filter((name) => name !== stage) };
  });
  await forgetQuestions(streams, pid, slotTokens(stage, '*'));
  // What is there by now of one that has come back meanwhile is later than these.
  for (const { subject, seq } of lasts) await streams.purgeStream(stream, { filter: subject, seq: seq + 1 });
}

/** L3. */
export async function prunePlans(streams: JetStreamPort, plan: Plan): Promise<void> {
  const { pid } = plan.pipeline;
  const inForce = await readPlanInForce(streams, pid);
  if (inForce === undefined || (await storedPlans(streams, pid)).length <= 1) return;
  let oldest = inForce.generation;
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) return;
    for (const { stream, subject } of placesOf(plan, edge, registry, Object.keys(registry.sources))) {
      const first = await streams.directGet(stream, { seq: 1, next_by_subj: subject });
      // Lost, or a replica that lags did not show it.
      if (first === null) return;
      oldest = Math.min(oldest, planIn(decodeFrame(first.data, { stream, sequence: first.seq })));
    }
  }
  await forgetPlansBefore(streams, pid, oldest);
}
