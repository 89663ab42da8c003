/**
 * Which batches belong to transactions that were aborted, at isolation level read-committed.
 *
 * A fetch lists the aborted transactions in its range: producer and first offset. From there on, that producer's
 * transactional batches are skipped until the control batch that ends the transaction.
 */
import type { BatchHeader } from './batch-header.ts';
import { headerBytes } from './batch-header.ts';
import { VarintReader } from './varint.ts';

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export class AbortedTransactions {
  readonly #ahead: AbortedTransaction[];
  readonly #open = new Set<bigint>();

  constructor(listed: readonly AbortedTransaction[]) {
    this.#ahead = listed.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Must be called for each batch, in order. */
  skips(header: BatchHeader, bytes: Uint8Array): boolean {
    for (
      let first = this.#ahead[0];
      first !== undefined && first.firstOffset <= header.lastOffset;
      first = this.#ahead[0]
    ) {
      this.#open.add(first.producerId);
      this.#ahead.shift();
    }
    if (header.isControl) {
      if (isAbortMarker(header, bytes)) this.#open.delete(header.producerId);
      return true;
    }
    return header.isTransactional && this.#open.has(header.producerId);
  }
}

/** A control record's key is version (int16) and type (int16); type 0 aborts. */
function isAbortMarker(header: BatchHeader, bytes: Uint8Array): boolean {
  if (header.records < 1 || header.codec !== 'none') return false;
  const reader = new VarintReader(bytes, header.at + headerBytes);
  reader.int();
  reader.at++;
  reader.long();
  reader.int();
  if (reader.int() < 4) return false;
  return bytes[reader.at + 2] === 0 && bytes[reader.at + 3] === 0;
}
