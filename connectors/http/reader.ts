/**
 * One slot of an HTTP source: a queue of accepted requests on one side, the stage on the other.
 *
 * H1  A request is answered only after `acknowledge` covers its last record, or when the slot is given up.
 * H2  Positions count the slot's records and continue from the stored one; a record's id is derived from its position.
 * H7  While there is no room a request is refused as a whole (429); one that is stored in part is waited for.
 */
import { z } from 'zod';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import type { SourceReader } from '../connector.ts';
import { storedBefore, type StoredAt } from './idempotency.ts';
import { requestBatch, type Accepted, type Outcome } from './request-batch.ts';

const namedIds = 1_000;
const countSchema = z.int().min(0);

interface Read {
  readonly request: Accepted;
  readonly at: StoredAt;
  /** Set when the answer is something other than that it is stored. */
  settled: Outcome | undefined;
  isRefused: boolean;
}

export class HttpReader implements SourceReader {
  isBlocked = false;
  readonly #idPrefix: string;
  readonly #onClose: (reader: HttpReader) => void;
  #counter: number;
  #stored: number;
  #queue: Accepted[] = [];
  #unanswered: Read[] = [];
  #notify: (() => void) | undefined;

  constructor(idPrefix: string, position: Position | undefined, onClose: (reader: HttpReader) => void) {
    this.#idPrefix = idPrefix;
    this.#onClose = onClose;
    this.#counter = position === undefined ? 0 : numberOf(position);
    this.#stored = this.#counter;
  }

  push(request: Accepted): void {
    this.#queue.push(request);
    this.#notify?.();
  }

  async read(signal: AbortSignal): Promise<RecordBatch> {
    for (;;) {
      signal.throwIfAborted();
      const request = this.#queue.shift();
      if (request !== undefined) return this.#hand(request);
      await this.#arrival(signal);
    }
  }

  acknowledge(position: Position): void {
    this.#stored = numberOf(position);
    while (this.#unanswered[0] !== undefined && this.#unanswered[0].at.last <= this.#stored) {
      const { request, at, settled } = this.#unanswered.shift()!;
      request.settle(settled ?? { outcome: 'stored', ...idsOf(at) });
    }
  }

  duplicate(position: Position, note: string): void {
    const read = this.#readAt(position);
    if (read?.request.key === undefined) return;
    const before = storedBefore(read.request.key, note);
    read.settled = before === undefined ? { outcome: 'keyReused' } : { outcome: 'duplicate', ...idsOf(before) };
  }

  keysFull(position: Position, most: number): void {
    const read = this.#readAt(position);
    if (read !== undefined) read.settled = { outcome: 'keysFull', most };
  }

  /** Senders wait for their answers, so there is no backlog at the source. */
  lag(): number {
    return this.#queue.reduce((sum, { ranges }) => sum + ranges.start.length, 0);
  }

  /**
   * Requests that wait and were not read yet are refused at once: their senders can decide better than to wait for
   * room.
   */
  setBlocked(blocked: boolean): void {
    this.isBlocked = blocked;
    if (!blocked) return;
    for (const request of this.#queue.splice(0)) request.settle({ outcome: 'full' });
  }

  /** H7. */
  refuse(): boolean {
    const [first] = this.#unanswered;
    if (first === undefined || first.at.after < this.#stored) return false;
    for (const read of this.#unanswered.splice(0)) {
      read.isRefused = true;
      read.request.settle({ outcome: 'full' });
    }
    return true;
  }

  close(): Promise<void> {
    this.#onClose(this);
    const open = [...this.#unanswered.map(({ request }) => request), ...this.#queue];
    this.#unanswered = [];
    this.#queue = [];
    for (const request of open) request.settle({ outcome: 'unknown' });
    return Promise.resolve();
  }

  #readAt(position: Position): Read | undefined {
    const last = numberOf(position);
    return this.#unanswered.find(({ at }) => at.last === last);
  }

  #hand(request: Accepted): RecordBatch {
    const before = this.#counter;
    this.#counter += request.ranges.start.length;
    const at = { ids: this.#idPrefix, after: before, last: this.#counter };
    const read: Read = { request, at, settled: undefined, isRefused: false };
    this.#unanswered.push(read);
    return requestBatch(request, before, this.#idPrefix, () => read.isRefused);
  }

  async #arrival(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        // The signal outlives many waits.
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#notify = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
    this.#notify = undefined;
  }
}

/** An answer is not larger than its request: of many records only the first ids, and the last, are listed. */
function idsOf({ ids: prefix, after, last }: StoredAt): { ids: string[]; lastId: string } {
  const length = Math.min(last - after, namedIds);
  return { ids: Array.from({ length }, (_, i) => `${prefix}/${after + i + 1}`), lastId: `${prefix}/${last}` };
}

function numberOf(position: Position): number {
  return countSchema.parse(position);
}
