/**
 * The room for what a slot writes: its edge, and its dead letters.
 *
 * D3  With `whenFull: DropOldest` the oldest dead letters are dropped to make room, in whole frames, and never the last
 *     frame of a writer: that one records what is covered and how many there were.
 */
import { mr } from '../model/errors.ts';
import { deadEdge, edgeStream } from '../model/names.ts';
import { edgeOf, type Plan } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { dropOldestLetters } from './dead-letter-drop.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { passOver } from './pass-over.ts';
import { firstBytes, StreamRoom } from './room.ts';
import { sweepAll } from './sweep.ts';

export interface SlotRoomOptions {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly clock: Clock;
  readonly onFailure?: (error: unknown) => void;
}

/** It reads something of every writer, and a writer that waits looks for room several times a second. */
const sweepAllMs = 2_000;

/**
 * `sweep`: behind the writer; once more when readers that have not begun were passed over what is not for them; then behind
 * all (W6 of `./sweep.ts`).
 */
export function edgeRoom(options: SlotRoomOptions, edge: string, sweep: () => Promise<void>): StreamRoom {
  const { streams, plan, clock } = options;
  const { pid } = plan.pipeline;
  const stream = edgeStream(pid, edge);
  const swept = new Map<string, number>();
  let sweptAllAt = -Infinity;
  return new StreamRoom({
    ...options,
    stream,
    first: firstBytes.edge,
    most: edgeOf(plan, edge).maxBytes,
    exceeds: 'forLastMessages',
    full: (bytes) => mr('MR_EDGE_FULL', { edge: stream, bytes }),
    sweep: async () => {
      await sweep();
      if (await passOver(streams, pid, edgeOf(plan, edge))) await sweep();
      if (clock.monotonic() - sweptAllAt < sweepAllMs) return;
      await sweepAll(streams, pid, edgeOf(plan, edge), swept);
      sweptAllAt = clock.monotonic();
    },
  });
}

/** `onDropped` is called with the letters that were dropped. */
export function deadLetterRoom(options: SlotRoomOptions, onDropped: (records: number) => void): StreamRoom {
  const { streams, plan } = options;
  const { pid } = plan.pipeline;
  const { maxBytes, whenFull } = plan.deadLetters;
  const drop = async (bytes: number): Promise<boolean> => {
    const dropped = await dropOldestLetters(streams, pid, Math.max(bytes, maxBytes / 64));
    if (dropped.letters > 0) onDropped(dropped.letters);
    return dropped.bytes > 0;
  };
  return new StreamRoom({
    ...options,
    stream: edgeStream(pid, deadEdge),
    first: firstBytes.deadLetters,
    most: maxBytes,
    // With Block a person decides how much is kept.
    exceeds: whenFull === 'DropOldest' ? 'forLastMessages' : 'never',
    full: (bytes) => mr('MR_DEAD_LETTERS_FULL', { bytes }),
    ...(whenFull === 'DropOldest' ? { drop } : {}),
  });
}
