/** One stored frame, decoded. */
import { MillraceError } from '../model/errors.ts';
import { decodeFrame, type Frame } from './frame-reader.ts';
import type { JetStreamPort, MessageQuery } from './jetstream-port.ts';

export interface StoredFrame {
  readonly sequence: number;
  readonly frame: Frame;
}

/** Read from the leader. Undefined: there is none. Throws MR_FRAME_CORRUPT. */
export async function frameAt(
  streams: Pick<JetStreamPort, 'getMessage'>,
  stream: string,
  query: MessageQuery,
): Promise<StoredFrame | undefined> {
  const found = await streams.getMessage(stream, query);
  if (found === null) return undefined;
  return { sequence: found.seq, frame: decodeFrame(found.data, { stream, sequence: found.seq }) };
}

/** For `catch`, where a damaged frame counts as none: its reader will report it. */
export function unlessDamaged(error: unknown): undefined {
  if (error instanceof MillraceError && error.code === 'MR_FRAME_CORRUPT') return undefined;
  throw error;
}
