/** The response to Fetch v11, taken apart down to each partition's bytes; those are not looked into and not copied. */
import type { AbortedTransaction } from './aborted.ts';

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

class FetchReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int16(): number {
    this.at += 2;
    return this.view.getInt16(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.view.getInt32(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.view.getBigInt64(this.at - 8);
  }

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
