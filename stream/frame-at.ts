/** One stored frame, decoded. */
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
