/**
 * A source slot at work: records from the source into frames of the edge.
 *
 * G2  Reading continues from the position of the slot's last frame (E3), and from nothing else.
 * G3  A frame closes when it is full or `lingerMs` after its first record; the linger grows to 100 ms while frames
 *     close nearly empty, because then a longer wait costs little and saves most of the work.
 * G4  When the position advances without records, a progress frame follows within a second (E5).
 * G5  A record that is larger than NATS accepts becomes a dead letter. It is stored before the edge's position passes
 *     it, and the position passes it before the next such record, so a crash in between repeats none.
 * G6  A batch that must be stored once gets a frame of its own (E11).
 * G7  When another plan comes into force, the next frame names it and is sent at once (E9), also while the source
 *     fails.
 * G8  What the source has given up for lack of room is in no frame that is sent later.
 * E7  A source that fails is retried indefinitely; the observer is notified of the reason.
 */
import { crc32 } from 'node:zlib';
import { assertNever, mr, type MillraceError } from '../model/errors.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import type { DeadLetter } from './dead-letter.ts';
import { firstHeaders } from './dead-letter-fit.ts';
import type { DeadLetterWriter } from './dead-letters.ts';
import type { EdgeWriter } from './edge-writer.ts';
import { FrameBuilder } from './frame-builder.ts';
import type { IngestOutlet } from './ingest-outlet.ts';
import { asSourceError } from './outside-errors.ts';
import type { PlanWatch } from './plan-watch.ts';
import type { Once, Position, RecordBatch } from './record-batch.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';
import type { SourceReaderPort } from './source-port.ts';
import type { Codec } from './frame.ts';

export interface IngestLoopOptions {
  readonly stage: string;
  readonly source: string;
  readonly slot: number;
  readonly frame: { readonly maxRecords: number; readonly maxBytes: number; readonly lingerMs: number };
  /** The hard limit of a frame: what NATS accepts. */
  readonly capBytes: number;
  readonly codec?: Codec;
  readonly reader: SourceReaderPort;
  /**
   * Called whenever the reader has shown that its position is valid: it returned records, or did not fail again for a
   * while.
   */
  readonly onRead: () => void;
  readonly outlet: IngestOutlet;
  readonly deadLetters: DeadLetterWriter;
  readonly writer: Pick<EdgeWriter, 'stream' | 'plan' | 'link'>;
  readonly plans: Pick<PlanWatch, 'generation' | 'onChange'>;
  /** Position of the slot's last frame; undefined when it never wrote one. */
  readonly openedAt: Position | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

type Turn =
  | { readonly kind: 'batch'; readonly batch: RecordBatch }
  | { readonly kind: 'failed'; readonly error: MillraceError }
  | { readonly kind: 'quiet' }
  | { readonly kind: 'plan' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'stopped' };

const maxLingerMs = 100;
const progressMs = 1_000;
/** Longer than a source takes to notice that it cannot connect. */
const calmMs = 15_000;
/** How many bytes are kept of a value that no frame can hold. */
const keptBytes = 64 * 1024;
const nothing = new Uint8Array(0);

export class IngestLoop {
  readonly #options: IngestLoopOptions;
  readonly #builder: FrameBuilder;
  /** For batches that are stored once; created when the first one arrives. */
  #whole: FrameBuilder | undefined;
  #position: Position | undefined;
  #hasStored: boolean;
  #namedPlan: number;
  /** When the oldest input arrived that is not yet in a frame being sent. */
  #dirtySince: number | undefined;
  #lingerMs: number;
  #isReading = false;
  #arrived: Turn | undefined;
  #wake: () => void = () => undefined;
  #failures = 0;
  /** How often the source has given up what it had handed over (G8). */
  #refusals = 0;
  /** Aborts a pending read when the loop ends: it would otherwise keep the loop and its buffers in memory. */
  readonly #over = new AbortController();
  readonly #reading: AbortSignal;
  /** The source is not read before this time. */
  #asksAt = 0;

  constructor(options: IngestLoopOptions) {
    this.#options = options;
    this.#builder = new FrameBuilder({ ...options.frame, capBytes: options.capBytes }, options.codec);
    this.#position = options.openedAt;
    this.#hasStored = options.openedAt !== undefined;
    this.#namedPlan = options.writer.plan;
    this.#lingerMs = options.frame.lingerMs;
    options.outlet.onFailed = () => this.#wake();
    options.outlet.onRefused = () => this.#forget();
    this.#reading = AbortSignal.any([options.signals.stop, this.#over.signal]);
    this.#reading.addEventListener('abort', () => this.#wake(), { once: true });
    options.plans.onChange = () => this.#wake();
  }

  /** Runs until the source ends or a signal stops it. Throws MR_OWNERSHIP_LOST and errors that no retry repairs. */
  async run(): Promise<Exclude<SlotEnd, 'fenced'>> {
    try {
      return await this.#work();
    } finally {
      this.#over.abort(new Error('the loop is over'));
    }
  }

  async #work(): Promise<Exclude<SlotEnd, 'fenced'>> {
    for (;;) {
      const turn = await this.#next();
      switch (turn.kind) {
        case 'batch':
          await this.#take(turn.batch);
          break;
        case 'quiet':
          this.#adaptLinger();
          await this.#close();
          break;
        case 'plan':
          await this.#namePlan();
          break;
        case 'failed':
          await this.#retryLater(turn.error);
          break;
        case 'ended':
        case 'stopped':
          await this.#close();
          await this.#options.outlet.ready();
          return turn.kind;
        default:
          return assertNever(turn);
      }
    }
  }

  /** Waits for the first of: a batch, the time to close the frame, a frame that could not be stored. */
  async #next(): Promise<Turn> {
    for (;;) {
      if (this.#options.outlet.hasFailed) await this.#options.outlet.ready();
      // A batch that arrived meanwhile is not acknowledged: the next owner reads it again.
      if (isStopped(this.#options.signals)) return { kind: 'stopped' };
      if (this.#options.plans.generation > this.#namedPlan) return { kind: 'plan' };
      const waitMs = this.#waitMs();
      if (waitMs !== undefined && waitMs <= 0) return { kind: 'quiet' };
      const pauseMs = this.#asksAt - this.#options.clock.monotonic();
      if (pauseMs <= 0 && !this.#isReading && this.#arrived === undefined) this.#read();
      const turn = this.#arrived ?? (await this.#arrival(pauseMs > 0 ? Math.min(pauseMs, waitMs ?? pauseMs) : waitMs));
      if (turn === undefined) continue;
      this.#arrived = undefined;
      return turn;
    }
  }

  /** Creates a new promise for each wait: each race against one long-lived promise would leave a reaction behind. */
  async #arrival(waitMs: number | undefined): Promise<Turn | undefined> {
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (waitMs !== undefined) cancel = this.#options.clock.after(waitMs, resolve);
    });
    cancel?.();
    return this.#arrived;
  }

  #waitMs(): number | undefined {
    if (this.#dirtySince === undefined) return undefined;
    const limit = this.#builder.count > 0 ? this.#lingerMs : this.#hasStored ? progressMs : 0;
    return this.#dirtySince + limit - this.#options.clock.monotonic();
  }

  #read(): void {
    this.#isReading = true;
    void this.#readOnce().then((turn) => {
      this.#isReading = false;
      this.#arrived = turn;
      this.#wake();
    });
  }

  async #readOnce(): Promise<Turn> {
    const { reader, signals, source, observer } = this.#options;
    if (isStopped(signals)) return { kind: 'stopped' };
    const calm = this.#failures > 0 ? new AbortController() : undefined;
    if (calm !== undefined) void this.#calmDown(calm.signal);
    try {
      const batch = await reader.read(this.#reading);
      if (this.#failures > 0) observer.connection(undefined);
      this.#failures = 0;
      this.#options.onRead();
      return batch === undefined ? { kind: 'ended' } : { kind: 'batch', batch };
    } catch (error) {
      if (isStopped(signals)) return { kind: 'stopped' };
      return { kind: 'failed', error: asSourceError(source, error) };
    } finally {
      calm?.abort(new Error('the source has answered'));
    }
  }

  /** A source without new records returns nothing: if it has not failed again for a while, it counts as connected. */
  async #calmDown(signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(calmMs, signal);
    } catch {
      return;
    }
    this.#failures = 0;
    this.#options.onRead();
    this.#options.observer.connection(undefined);
  }

  async #retryLater(error: MillraceError): Promise<void> {
    const { observer, clock, random } = this.#options;
    observer.connection(error);
    this.#asksAt = clock.monotonic() + backoffMs(outsideBackoff, this.#failures++, random);
    await this.#close();
  }

  async #take(batch: RecordBatch): Promise<void> {
    if (isRefused(batch)) return;
    const { observer, clock } = this.#options;
    observer.took(batch.count, batch.bytes.length);
    if (batch.once !== undefined) {
      await this.#takeWhole(batch, batch.once);
      return;
    }
    let next = 0;
    while (next < batch.count) {
      if (this.#builder.count === 0) this.#dirtySince = clock.monotonic();
      next = this.#builder.append(batch, next, clock.now());
      if (next === batch.count) break;
      if (next > 0) this.#position = batch.positionAfter(next - 1);
      if (this.#builder.count > 0) {
        this.#lingerMs = this.#options.frame.lingerMs;
        await this.#close();
      } else {
        await this.#reject(batch, next++);
      }
      if (isRefused(batch)) return;
    }
    this.#position = batch.position;
    this.#dirtySince ??= clock.monotonic();
    if (this.#builder.isFull) {
      this.#lingerMs = this.#options.frame.lingerMs;
      await this.#close();
    }
  }

  /** G6. The batch's frame holds nothing else, so the open frame is sent first. */
  async #takeWhole(batch: RecordBatch, once: Once): Promise<void> {
    await this.#close();
    if (isRefused(batch)) return;
    const { capBytes, clock, writer } = this.#options;
    const builder = (this.#whole ??= new FrameBuilder({ maxRecords: Infinity, maxBytes: capBytes, capBytes }));
    if (builder.append(batch, 0, clock.now()) < batch.count) {
      // The source checked the batch against the limit of the server that it was connected to before.
      const bytes = batch.bytes.length;
      builder.clear();
      throw mr('MR_FRAME_TOO_LARGE', { stream: writer.stream, bytes, limit: capBytes });
    }
    await this.#send(builder, batch.position, once);
    // If this frame names a plan, a later one must name it again (G7).
    this.#position = batch.position;
    await this.#options.outlet.ready();
  }

  /** G8. A plan that was to be named by the discarded frame is named by the next one. */
  #forget(): void {
    this.#refusals++;
    this.#builder.clear();
    this.#whole?.clear();
    this.#dirtySince = undefined;
    this.#namedPlan = this.#options.writer.plan;
  }

  /** Sends the content of the open frame, and the position even when the frame is empty. */
  async #close(): Promise<void> {
    if (this.#dirtySince === undefined) return;
    await this.#send(this.#builder, this.#position);
    this.#dirtySince = undefined;
  }

  /** G7. The content of the open frame is sent along. */
  async #namePlan(): Promise<void> {
    await this.#options.outlet.ready();
    this.#namedPlan = this.#options.plans.generation;
    if (this.#options.writer.plan >= this.#namedPlan) return;
    await this.#send(this.#builder, this.#position);
    this.#dirtySince = undefined;
  }

  async #send(builder: FrameBuilder, position: Position | undefined, once?: Once): Promise<void> {
    const { outlet, clock, writer, plans } = this.#options;
    const refusals = this.#refusals;
    await outlet.ready();
    if (refusals !== this.#refusals) return;
    const records = builder.count;
    const frame = builder.finish(position, clock.now(), writer.link(plans.generation));
    outlet.send({ frame, position, records, builder, once });
    if (position !== undefined) this.#hasStored = true;
  }

  /** G5. */
  async #reject(batch: RecordBatch, index: number): Promise<void> {
    const { outlet, deadLetters, signals, observer } = this.#options;
    await outlet.ready();
    const letter = this.#letterOf(batch, index);
    const covers = coveredBy(batch, index, letter);
    if (JSON.stringify(covers) !== JSON.stringify(deadLetters.covers)) {
      await deadLetters.append([letter], covers, signals.abort);
      observer.deadLettered([letter]);
    }
    this.#position = batch.positionAfter(index);
    await this.#send(this.#builder, this.#position);
    await outlet.ready();
    this.#dirtySince = undefined;
  }

  #letterOf(batch: RecordBatch, index: number): DeadLetter {
    const { stage, source, slot } = this.#options;
    const start = batch.valueStart[index]!;
    const end = batch.valueEnd[index]!;
    const keyEnd = batch.keyEnd[index]!;
    const bytes = Math.max(0, end - start);
    const keyBytes = Math.max(0, keyEnd - batch.keyStart[index]!);
    const all = batch.headers?.[index] ?? [];
    const headers = firstHeaders(all);
    const error = mr('MR_RECORD_TOO_LARGE', { bytes, limit: this.#builder.largestRecord });
    return {
      stage,
      slot,
      source,
      index,
      sequence: null,
      step: null,
      partition: batch.partition < 0 ? null : batch.partition,
      offset: batch.offsets === undefined ? null : batch.offsets[index]!.toString(),
      code: error.code,
      text: error.sentence,
      ...(bytes > keptBytes ? { truncatedFrom: bytes } : {}),
      ...(keyBytes > keptBytes ? { keyTruncatedFrom: keyBytes } : {}),
      ...(headers.length < all.length ? { headersTruncatedFrom: all.length } : {}),
      value: end < 0 ? null : new Uint8Array(batch.bytes.subarray(start, Math.min(end, start + keptBytes))),
      key:
        keyEnd < 0
          ? null
          : new Uint8Array(
              batch.bytes.subarray(batch.keyStart[index], Math.min(keyEnd, batch.keyStart[index]! + keptBytes)),
            ),
      headers,
      timestamp: batch.timestamps[index]!,
    };
  }

  #adaptLinger(): void {
    const { maxRecords, maxBytes, lingerMs } = this.#options.frame;
    const nearlyEmpty = this.#builder.count < maxRecords / 10 && this.#builder.bytes < maxBytes / 10;
    this.#lingerMs = nearlyEmpty ? Math.min(Math.max(maxLingerMs, lingerMs), this.#lingerMs * 2) : lingerMs;
  }
}

/**
 * Distinguishes this record from every other one, including one that gets the same position after a crash: a source
 * that counts its records may give a number twice.
 */
function coveredBy(batch: RecordBatch, index: number, { timestamp, value, key, truncatedFrom }: DeadLetter): Position {
  const check = crc32(key ?? nothing, crc32(value ?? nothing));
  const place =
    batch.offsets === undefined
      ? { position: batch.positionAfter(index) }
      : { partition: batch.partition, offset: batch.offsets[index]!.toString() };
  return { ...place, timestamp, bytes: truncatedFrom ?? value?.length ?? 0, check };
}

function isRefused(batch: RecordBatch): boolean {
  return batch.isRefused?.() === true;
}

function isStopped(signals: SlotSignals): boolean {
  return signals.stop.aborted;
}
