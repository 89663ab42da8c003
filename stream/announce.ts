/**
 * Brings a plan into force, for each writer from one of its frames on and in all stages at once (E9). A lifecycle act.
 *
 * N1  Running pods are notified and name the plan in their next frame. For a writer that does not (its pod is down,
 *     frozen or cut off) the lifecycle appends a frame without records: it fences whoever owned the slot, and the
 *     next owner finds the plan in the tail. So no frame of an older plan can follow, whichever process wakes up
 *     later.
 * N2  Such a frame leaves the writer's position unchanged.
 */
import { ingestorsOf, type Plan } from '../model/plan.ts';
import { linkTo } from './edge-writer.ts';
import { appendEmpty, type LastFrame } from './empty-frame.ts';
import { frameAt } from './frame-at.ts';
import { planIn, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Act } from './act.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';

/** The last frame of a writer. */
export interface WriterTail extends WriterPlace {
  /** 0: the writer has no frame. */
  readonly sequence: number;
  readonly frame: Frame | undefined;
}

export interface Naming {
  /** Writers that name the plan, each with the first of its frames that is known to name it. */
  readonly from: readonly { readonly writer: string; readonly sequence: number }[];
  readonly behind: readonly WriterTail[];
}

/** Enough to find the first frame of a plan that came into force a moment ago. */
const longestWalk = 64;

/** Finds out which writers name the plan. */
export async function namingOf(streams: JetStreamPort, plan: Plan): Promise<Naming> {
  const from: { writer: string; sequence: number }[] = [];
  const behind: WriterTail[] = [];
  const { generation } = plan.pipeline;
  for (const place of writersOf(plan)) {
    const tail = await tailOf(streams, place);
    // A writer without any frame has lost them: a person must decide, and it must not look like a writer that has yet
    // to start.
    if (tail.frame === undefined) continue;
    if (planIn(tail.frame) < generation) behind.push(tail);
    else from.push({ writer: place.writer, sequence: await firstOf(streams, tail, generation) });
  }
  return { from, behind };
}

/** N1. False when the writer has appended meanwhile: the caller must look again. */
export async function nameFor(act: Pick<Act, 'streams' | 'clock'>, tail: WriterTail, plan: Plan): Promise<boolean> {
  return (await appendAfter(act, tail, plan.pipeline.generation)) !== undefined;
}

/** Appends a frame without records after this tail, with the tail's position. Undefined: another frame came first. */
export async function appendAfter(
  act: Pick<Act, 'streams' | 'clock'>,
  tail: WriterTail,
  plan: number,
): Promise<LastFrame | undefined> {
  const { sequence: expectLast, frame } = tail;
  const link = { ...linkTo(expectLast, frame), plan };
  return appendEmpty(act, tail, { expectLast, position: frame?.position, link });
}

export async function tailOf(streams: JetStreamPort, place: WriterPlace): Promise<WriterTail> {
  const last = await frameAt(streams, place.stream, { last_by_subj: place.subject });
  return { ...place, sequence: last?.sequence ?? 0, frame: last?.frame };
}

export async function tailsOf(streams: JetStreamPort, places: readonly WriterPlace[]): Promise<WriterTail[]> {
  const tails: WriterTail[] = [];
  for (const place of places) tails.push(await tailOf(streams, place));
  return tails;
}

function writersOf(plan: Plan): WriterPlace[] {
  return plan.edges.flatMap((edge) =>
    ingestorsOf(plan, edge).flatMap(({ source, slots }) => writersOfSource(plan, edge, source, slots)),
  );
}

/** Walks back from the tail for as long as frames exist and name the plan. */
async function firstOf(streams: JetStreamPort, { stream, sequence, frame }: WriterTail, plan: number): Promise<number> {
  let first = sequence;
  let link = frame?.link;
  for (let step = 0; step < longestWalk && link !== undefined && link.predecessor > 0; step++) {
    const before = await frameAt(streams, stream, { seq: link.predecessor });
    if (before === undefined || planIn(before.frame) < plan) return first;
    first = before.sequence;
    link = before.frame.link;
  }
  return first;
}
