/**
 * A plan comes into force: from one frame of each writer on, and in all stages at once (E9). An act of the lifecycle.
 *
 * N1  Pods that run hear of it and name it in their next frame. For a writer that does not (its pod is down, frozen, or
 *     cut off) the lifecycle appends a frame without records: whoever owned the slot is fenced by it and finds the plan
 *     in the tail. So afterwards no frame of an older plan can come, whatever wakes up.
 * N2  Such a frame leaves the writer's position where it was.
 */
import { ingestorsOf, type Plan } from '../model/plan.ts';
import { linkTo } from './edge-writer.ts';
import { appendEmpty } from './empty-frame.ts';
import { decodeFrame, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Act } from './members.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';

/** The last frame of a writer. */
export interface WriterTail extends WriterPlace {
  /** 0: there is none. */
  readonly sequence: number;
  readonly frame: Frame | undefined;
}

export interface Naming {
  /** Writers that name the plan, and the first of their frames that is known to. */
  readonly from: readonly { readonly writer: string; readonly sequence: number }[];
  readonly behind: readonly WriterTail[];
}

/** Enough to find the first frame of a plan that came into force a moment ago. */
const longestWalk = 64;

/** Which writers name the plan. */
export async function namingOf(streams: JetStreamPort, plan: Plan): Promise<Naming> {
  const from: { writer: string; sequence: number }[] = [];
  const behind: WriterTail[] = [];
  const { generation } = plan.pipeline;
  for (const place of writersOf(plan)) {
    const tail = await tailOf(streams, place);
    // One without any frame has lost them: a person decides, and nothing may look as if it began.
    if (tail.frame === undefined) continue;
    if (planIn(tail.frame) < generation) behind.push(tail);
    else from.push({ writer: place.writer, sequence: await firstOf(streams, tail, generation) });
  }
  return { from, behind };
}

/** N1. False: the writer has moved meanwhile, so look again. */
export async function nameFor(act: Pick<Act, 'streams' | 'clock'>, tail: WriterTail, plan: Plan): Promise<boolean> {
  return appendAfter(act, tail, plan.pipeline.generation);
}

/** A frame without records after this tail, with its position. False: another came first. */
export async function appendAfter(
  act: Pick<Act, 'streams' | 'clock'>,
  tail: WriterTail,
  plan: number,
): Promise<boolean> {
  const { sequence: expectLast, frame } = tail;
  const link = { ...linkTo(expectLast, frame), plan };
  return appendEmpty(act, tail, { expectLast, position: frame?.position, link });
}

export function planIn(frame: Frame): number {
  return frame.link?.plan ?? 0;
}

export async function tailOf(streams: JetStreamPort, place: WriterPlace): Promise<WriterTail> {
  const { stream, subject } = place;
  const last = await streams.getMessage(stream, { last_by_subj: subject });
  if (last === null) return { ...place, sequence: 0, frame: undefined };
  return { ...place, sequence: last.seq, frame: decodeFrame(last.data, { stream, sequence: last.seq }) };
}

function writersOf(plan: Plan): WriterPlace[] {
  return plan.edges.flatMap((edge) =>
    ingestorsOf(plan, edge).flatMap(({ source, slots }) => writersOfSource(plan, edge, source, slots)),
  );
}

/** Back from the tail as long as the frames name the plan and are there. */
async function firstOf(streams: JetStreamPort, { stream, sequence, frame }: WriterTail, plan: number): Promise<number> {
  let first = sequence;
  let link = frame?.link;
  for (let step = 0; step < longestWalk && link !== undefined && link.predecessor > 0; step++) {
    const before = await streams.getMessage(stream, { seq: link.predecessor });
    if (before === null) return first;
    const found = decodeFrame(before.data, { stream, sequence: before.seq });
    if (planIn(found) < plan) return first;
    first = before.seq;
    link = found.link;
  }
  return first;
}
