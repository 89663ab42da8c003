/**
 * How large a frame can get, in bytes of the message that carries it. The frame builder, the sources that refuse a
 * record on arrival and the messages that name a limit all ask here, so that none accepts what another cannot store.
 *
 * Z1  A frame is never larger than {@link worstFrameBytes} of its records: tables count at their widest, because a
 *     single record may widen them for all (a key, a distant timestamp, a gap in the offsets).
 * Z2  A record that {@link largestRecord} allows fits a frame by itself, with a position of up to `positionBytes`.
 */
import { checksumBytes, headerBytes, runBytes } from './frame.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { RecordBatch } from './record-batch.ts';

/** Lengths of value and key, a wide timestamp, a run. */
const recordTableBytes = 4 + 4 + 8 + runBytes;
/** Before the text of a record's headers. */
const headerEntryBytes = 8;
/** An allowance: most positions are far shorter. */
export const leastPositionBytes = 1024;
/** `max_payload` also counts the headers of the message: names, fence, ids. */
const messageHeaderBytes = 1024;
/** The default of NATS, used until the server has reported its limit. */
const defaultMaxPayload = 2 ** 20;

/** `records`: the sum of {@link worstRecordBytes}. */
export function worstFrameBytes(records: number, positionBytes: number): number {
  return headerBytes + records + positionBytes + checksumBytes;
}

/** `bytes`: value, key and header text together; `hasHeaders`: there are any headers. */
export function worstRecordBytes(bytes: number, hasHeaders: boolean): number {
  return bytes + recordTableBytes + (hasHeaders ? headerEntryBytes : 0);
}

/** Value, key and header text of the largest record that a frame of at most `capBytes` holds. */
export function largestRecord(capBytes: number, positionBytes = leastPositionBytes): number {
  return capBytes - worstFrameBytes(worstRecordBytes(0, true), positionBytes);
}

/** Value and key bytes of this many records without headers that fit one frame together. */
export function largestTogether(capBytes: number, records: number, positionBytes = leastPositionBytes): number {
  return capBytes - worstFrameBytes(records * worstRecordBytes(0, false), positionBytes);
}

/** The largest frame that the server accepts now. */
export function frameCap({ maxPayload }: Pick<JetStreamPort, 'maxPayload'>): number {
  return (maxPayload ?? defaultMaxPayload) - messageHeaderBytes;
}

/** Value, key and header text of one record. */
export function recordBytes(batch: RecordBatch, index: number): number {
  const value = batch.valueEnd[index]! < 0 ? 0 : batch.valueEnd[index]! - batch.valueStart[index]!;
  const key = batch.keyEnd[index]! < 0 ? 0 : batch.keyEnd[index]! - batch.keyStart[index]!;
  const headers = batch.headers?.[index];
  return value + key + (headers === undefined || headers.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(headers)));
}
