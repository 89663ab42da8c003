/**
 * Generated records: for trials, load and demonstrations.
 *
 * Slot s makes the records i with i mod slots = s; the position is the next i, so a restart makes exactly what is
 * missing, and with M1 the same bytes.
 */
import { z } from 'zod';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import type { WallClock } from '../../model/clock.ts';
import type { ConnectorContext, Source, SourceConnector, SourceReader } from '../connector.ts';
import { Pace } from './pace.ts';
import { RecordMaker } from './record-maker.ts';
import type { GeneratorSourceConfig } from './spec.ts';

const batchRecords = 4_096;
const batchBytes = 512 * 1024;

export const source: SourceConnector<GeneratorSourceConfig> = {
  connect(config, context) {
    return Promise.resolve(new GeneratorSource(config, context));
  },
};

class GeneratorSource implements Source {
  readonly #config: GeneratorSourceConfig;
  readonly #context: ConnectorContext & { readonly slots: number };

  constructor(config: GeneratorSourceConfig, context: ConnectorContext & { readonly slots: number }) {
    this.#config = config;
    this.#context = context;
  }

  open(slot: number, position: Position | undefined): Promise<SourceReader> {
    const { slots, clock } = this.#context;
    const from = position === undefined ? 0 : z.int().min(0).parse(position);
    return Promise.resolve(new GeneratorReader(this.#config, slots, firstOfSlot(slot, slots, from), clock));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The first i of the slot that is not below `from`. */
function firstOfSlot(slot: number, slots: number, from: number): number {
  return from + ((((slot - from) % slots) + slots) % slots);
}

class GeneratorReader implements SourceReader {
  readonly #maker: RecordMaker;
  readonly #slots: number;
  readonly #end: number;
  readonly #isBounded: boolean;
  readonly #pace: Pace | undefined;
  readonly #clock: WallClock;
  readonly #capacity: number;
  readonly #bytes: Uint8Array;
  readonly #start: Int32Array;
  readonly #stop: Int32Array;
  readonly #noKey: Int32Array;
  readonly #timestamps: Float64Array;
  #next: number;

  constructor(config: GeneratorSourceConfig, slots: number, next: number, clock: WallClock) {
    this.#maker = new RecordMaker(config.fields, config.seed);
    this.#slots = slots;
    this.#next = next;
    this.#end = config.count ?? Number.MAX_SAFE_INTEGER;
    this.#isBounded = config.count !== undefined;
    this.#pace = config.rate === 0 ? undefined : new Pace(config.rate / slots);
    this.#clock = clock;
    this.#capacity = Math.min(batchRecords, Math.max(1, Math.floor(batchBytes / this.#maker.maxBytes)));
    this.#bytes = new Uint8Array(this.#capacity * this.#maker.maxBytes);
    this.#start = new Int32Array(this.#capacity);
    this.#stop = new Int32Array(this.#capacity);
    this.#noKey = new Int32Array(this.#capacity).fill(-1);
    this.#timestamps = new Float64Array(this.#capacity);
  }

  async read(signal: AbortSignal): Promise<RecordBatch | undefined> {
    signal.throwIfAborted();
    if (this.#left() === 0) return undefined;
    for (;;) {
      const due = this.#pace === undefined ? this.#capacity : this.#pace.due(this.#clock.now());
      if (due > 0) return this.#make(Math.min(due, this.#capacity, this.#left()));
      await this.#clock.sleep(this.#pace?.waitMs(this.#clock.now()) ?? 0, signal);
    }
  }

  acknowledge(): void {
    // No sender waits for an answer: the position in the edge is the only state.
  }

  lag(): number | undefined {
    return this.#isBounded ? this.#left() : undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #left(): number {
    return Math.max(0, Math.ceil((this.#end - this.#next) / this.#slots));
  }

  #make(count: number): RecordBatch {
    const maker = this.#maker;
    const bytes = this.#bytes;
    const start = this.#start;
    const stop = this.#stop;
    const slots = this.#slots;
    const first = this.#next;
    let at = 0;
    for (let row = 0; row < count; row++) {
      start[row] = at;
      at = maker.write(bytes, at, first + row * slots);
      stop[row] = at;
    }
    this.#timestamps.fill(this.#clock.now(), 0, count);
    this.#pace?.take(count);
    this.#next = first + count * slots;
    return {
      bytes,
      count,
      valueStart: start,
      valueEnd: stop,
      keyStart: this.#noKey,
      keyEnd: this.#noKey,
      timestamps: this.#timestamps,
      partition: -1,
      positionAfter: (index) => first + (index + 1) * slots,
      position: this.#next,
    };
  }
}
