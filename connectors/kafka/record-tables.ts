/**
 * Tables into which a record batch is decoded: one entry per record, grown when needed and reused for the next batch.
 *
 * Offsets are written as two 32-bit words, low word first: a BigInt a record would cost more than the rest of the row.
 */
import type { Header } from '../../stream/record-batch.ts';

const firstCapacity = 1024;

export class RecordTables {
  count = 0;
  capacity = 0;
  valueStart = new Int32Array(0);
  valueEnd = new Int32Array(0);
  keyStart = new Int32Array(0);
  keyEnd = new Int32Array(0);
  timestamps = new Float64Array(0);
  offsets = new BigInt64Array(0);
  offsetWords = new Int32Array(0);
  /** Made when the first record with headers comes. */
  headers: (readonly Header[] | undefined)[] | undefined;

  clear(): void {
    this.count = 0;
    this.headers = undefined;
  }

  /** Room for `more` records after the present ones. */
  reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.capacity) return;
    this.capacity = Math.max(firstCapacity, this.capacity * 2, needed);
    this.valueStart = grown(this.valueStart, new Int32Array(this.capacity));
    this.valueEnd = grown(this.valueEnd, new Int32Array(this.capacity));
    this.keyStart = grown(this.keyStart, new Int32Array(this.capacity));
    this.keyEnd = grown(this.keyEnd, new Int32Array(this.capacity));
    this.timestamps = grown(this.timestamps, new Float64Array(this.capacity));
    this.offsets = grown(this.offsets, new BigInt64Array(this.capacity));
    this.offsetWords = new Int32Array(this.offsets.buffer);
  }

  offsetAt(index: number): number {
    return Number(this.offsets[index]);
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
