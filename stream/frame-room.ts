/** How large things may be, so that what carries them stays under the server's `max_payload`. */
import type { JetStreamPort } from './jetstream-port.ts';

export interface FrameRoom {
  /** A record above this is for the dead letters. */
  readonly recordBytes: number;
  /** A frame of dead letters, whose entries carry their reasons. */
  readonly deadLetterBytes: number;
}

const defaultMaxPayload = 2 ** 20;
const tablesAndHeaders = 64 * 1024;
const reasons = 32 * 1024;

export function frameRoom(streams: JetStreamPort): FrameRoom {
  const maxPayload = streams.maxPayload ?? defaultMaxPayload;
  return { recordBytes: maxPayload - tablesAndHeaders, deadLetterBytes: maxPayload - tablesAndHeaders + reasons };
}
