/** The response to Fetch v11, split into each partition's bytes, which are neither inspected nor copied. */
import type { AbortedTransaction } from './aborted.ts';
import { BigEndianReader } from './big-endian.ts';

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Uint8Array;
}

export interface FetchResponse {
  /** The client library waits this long before its next request on the connection. */
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/** Of a request for one topic. */
export function decodeFetchResponse(payload: Uint8Array): FetchResponse {
  const reader = new FetchReader(payload);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id: sessions are not used
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.skip(reader.int16());
    for (let left = reader.int32(); left > 0; left--) partitions.push(reader.partition());
  }
  return { clientSideThrottleTime, errorCode, partitions };
}

class FetchReader extends BigEndianReader {
  skip(bytes: number): void {
    this.at += bytes;
  }

  partition(): FetchedPartition {
    const partition = this.int32();
    const errorCode = this.int16();
    const highWatermark = Number(this.int64());
    this.int64(); // last stable offset: the broker sends nothing after it at read-committed
    const logStartOffset = Number(this.int64());
    const aborted: AbortedTransaction[] = [];
    for (let left = this.int32(); left > 0; left--) {
      aborted.push({ producerId: this.int64(), firstOffset: Number(this.int64()) });
    }
    this.int32(); // preferred read replica: only for clients that name a rack
    const length = Math.max(0, this.int32());
    const records = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return { partition, errorCode, highWatermark, logStartOffset, aborted, records };
  }
}
