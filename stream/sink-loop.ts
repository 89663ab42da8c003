/**
 * A sink slot at work: frames of its shard into batches of rows, exactly once.
 *
 *   intent {from, to} → write → dead letters of the batch → commit {to}
 *
 * K1  At most one batch is announced and not committed. After a crash that same range of frames is read again and
 *     written again under the same token, so what the sink has it recognises, and what it has not it gets.
 * K2  Dead letters of a batch are stored before its commit, and once (D1).
 * K3  A retryable failure is retried for ever with the same arguments, and the observer knows why.
 * K4  Intent, dead letters and commit are fenced (E4); a sink that keeps the position itself fences the write as well.
 * K5  After `stop` the write in progress finishes and is committed; none begins after it (I12).
 *
 * The next batch is prepared while one is written: two row buffers take turns.
 */
import { MillraceError, mr } from '../model/errors.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Intent } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import type { DeadLetterWriter } from './dead-letters.ts';
import { asSinkError } from './outside-errors.ts';
import type { ShardReader } from './shard-reader.ts';
import { SinkBatch, type BatchContext } from './sink-batch.ts';
import type { BatchRange, RefusedRow, RowBufferPort, SinkSlotPort } from './sink-port.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';

export interface SinkLoopOptions<Rows extends RowBufferPort> extends BatchContext {
  readonly batch: { readonly maxRecords: number; readonly maxBytes: number; readonly maxDelayMs: number };
  /** What the token of a range begins with: the pipeline's uid, and what tells this edge stream from one made anew. */
  readonly tokenPrefix: string;
  readonly sinkSlot: SinkSlotPort<Rows>;
  readonly log: CommitLog;
  readonly deadLetters: DeadLetterWriter;
  /** Frames of the shard from a sequence on. */
  readonly read: (firstSequence: number) => ShardReader;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export class SinkLoop<Rows extends RowBufferPort> {
  readonly #options: SinkLoopOptions<Rows>;
  readonly #batches: [SinkBatch<Rows>, SinkBatch<Rows>];
  /** The next batch is assembled beside the write of this one: it must not outlive the loop, nor keep its memory. */
  readonly #over = new AbortController();
  #reader: ShardReader | undefined;
  #committed = 0;
  #failures = 0;

  constructor(options: SinkLoopOptions<Rows>) {
    this.#options = options;
    const fresh = () => new SinkBatch(options.sinkSlot.newRows(), options);
    this.#batches = [fresh(), fresh()];
  }

  /** The stream sequence up to which everything is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Frames of the shard that are not committed, as far as the last delivery told (I10): those in a batch, too. */
  get backlog(): number {
    const inBatches = this.#batches.reduce((sum, { to, frames }) => sum + (to > this.#committed ? frames : 0), 0);
    return (this.#reader?.backlog ?? 0) + inBatches;
  }

  /** Runs until the signals say so. Throws errors of handling `fence`, and what no retry repairs. */
  async run(): Promise<Exclude<SlotEnd, 'fenced' | 'ended'>> {
    try {
      const announced = await this.#recover();
      this.#reader = this.#options.read((announced?.after ?? this.#committed) + 1);
      this.#options.observer.position(this.#committed);
      if (announced !== undefined) await this.#repeat(this.#reader, announced);
      await this.#work(this.#reader);
      return 'stopped';
    } finally {
      this.#over.abort();
      await this.#reader?.close();
    }
  }

  /** Where to go on; an intent that was not committed must be repeated first (K1). */
  async #recover(): Promise<Intent | undefined> {
    const { log, sinkSlot, signals } = this.#options;
    const last = log.last;
    this.#committed = log.committed;
    const intent = last?.kind === 'intent' ? last : undefined;
    if (sinkSlot.positionIn === 'commitLog') return intent;
    const stored = await this.#untilDone(() => sinkSlot.storedPosition(signals.abort));
    // The announced batch may or may not be in the sink; repeating it is safe either way and tells its refusals again.
    if (intent !== undefined && (stored === intent.after || stored === intent.to)) return intent;
    this.#committed = stored;
    return undefined;
  }

  async #repeat(reader: ShardReader, intent: Intent): Promise<void> {
    const batch = this.#batches[0];
    while (batch.to < intent.to) {
      const frame = reader.take();
      if (frame === undefined) {
        await reader.wait(this.#options.signals.stop);
        this.#options.signals.stop.throwIfAborted();
        continue;
      }
      if (frame.sequence > intent.to) {
        throw mr('MR_FRAME_CORRUPT', {
          stream: this.#options.stream,
          sequence: intent.to,
          problem: 'the frames of a batch that was begun are gone',
        });
      }
      batch.add(frame);
    }
    await this.#store(batch, { from: intent.from, to: intent.to, after: intent.after, token: intent.token });
  }

  async #work(reader: ShardReader): Promise<void> {
    let turn = 0;
    let next = this.#assemble(reader, this.#batches[turn]!);
    for (;;) {
      const batch = await next;
      if (batch === undefined) return;
      turn = 1 - turn;
      next = this.#assemble(reader, this.#batches[turn]!);
      // It is awaited below; should the commit fail first, its failure says enough.
      next.catch(() => undefined);
      if (!(await this.#commit(batch))) return;
    }
  }

  /** Fills a batch with whole frames up to its limits. Undefined: asked to stop; what it holds is left to the next run. */
  async #assemble(reader: ShardReader, batch: SinkBatch<Rows>): Promise<SinkBatch<Rows> | undefined> {
    const { clock, signals } = this.#options;
    const { maxRecords, maxBytes, maxDelayMs } = this.#options.batch;
    batch.clear();
    let closesAt: number | undefined;
    while (!signals.stop.aborted && !this.#over.signal.aborted) {
      const frame = reader.take();
      if (frame !== undefined) {
        batch.add(frame);
        closesAt ??= clock.monotonic() + maxDelayMs;
        if (batch.rows.rows >= maxRecords || batch.rows.bytes >= maxBytes || batch.recordBytes >= 4 * maxBytes)
          return batch;
        // A frame is some milliseconds of work: leases, health and the write beside it must get their turn.
        await clock.turn();
        if (clock.monotonic() < closesAt) continue;
        return batch;
      }
      const waitMs = closesAt === undefined ? undefined : closesAt - clock.monotonic();
      if (waitMs !== undefined && waitMs <= 0) return batch;
      await reader.wait(signals.stop, waitMs);
    }
    return undefined;
  }

  /** False: asked to stop before it was announced. */
  async #commit(batch: SinkBatch<Rows>): Promise<boolean> {
    const { log, signals, sinkSlot, stage, slot, tokenPrefix } = this.#options;
    if (signals.stop.aborted) return false;
    const { from, to } = batch;
    const id: BatchRange = { from, to, after: this.#committed, token: `${tokenPrefix}:${stage}:${slot}:${from}-${to}` };
    if (batch.rows.rows > 0 || batch.hasFailures) {
      await log.append({ kind: 'intent', ...id, rows: batch.rows.rows }, signals.abort);
      await this.#store(batch, id);
    } else {
      if (sinkSlot.positionIn === 'sink') await this.#write(batch, id);
      await this.#finish(batch);
    }
    return true;
  }

  /** Write, dead letters, commit: what follows an intent, the first time and after a crash. */
  async #store(batch: SinkBatch<Rows>, id: BatchRange): Promise<void> {
    const { deadLetters, signals, observer, clock } = this.#options;
    const began = clock.monotonic();
    const refusals =
      batch.rows.rows > 0 || this.#options.sinkSlot.positionIn === 'sink' ? await this.#write(batch, id) : [];
    observer.batch(batch.rows.rows, clock.monotonic() - began);
    const letters = await batch.deadLetters(refusals);
    const covered = typeof deadLetters.covers === 'number' ? deadLetters.covers : 0;
    if (letters.length > 0 && covered < id.to) {
      await deadLetters.append(letters, id.to, signals.abort);
      observer.deadLettered(letters);
    }
    observer.handedOn(batch.rows.rows - refusals.length);
    await this.#finish(batch);
  }

  async #finish(batch: SinkBatch<Rows>): Promise<void> {
    const { log, signals, observer } = this.#options;
    const { to } = batch;
    await log.append({ kind: 'commit', to }, signals.abort);
    this.#committed = to;
    observer.took(batch.records, batch.recordBytes);
    observer.dropped(batch.dropped);
    observer.position(to);
  }

  #write(batch: SinkBatch<Rows>, id: BatchRange): Promise<readonly RefusedRow[]> {
    const { sinkSlot, signals } = this.#options;
    return this.#untilDone(() => sinkSlot.write(batch.rows, id, signals.abort));
  }

  /** K3. Between attempts nothing is being written, so a stop ends it there; the next owner repeats the batch. */
  async #untilDone<T>(attempt: () => Promise<T>): Promise<T> {
    const { observer, clock, random, signals } = this.#options;
    for (;;) {
      try {
        const done = await attempt();
        if (this.#failures > 0) observer.connection(undefined);
        this.#failures = 0;
        return done;
      } catch (error) {
        signals.abort.throwIfAborted();
        if (error instanceof MillraceError && error.handling === 'fence') throw error;
        observer.connection(asSinkError(this.#options.sink, error));
        await clock.sleep(
          backoffMs(outsideBackoff, this.#failures++, random),
          AbortSignal.any([signals.stop, signals.abort]),
        );
      }
    }
  }
}
