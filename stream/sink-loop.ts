/**
 * A sink slot at work: frames of its shard into batches of rows, exactly once.
 *
 *   intent {from, to} → write (`./sink-write.ts`) → written → dead letters of the batch → commit {to}
 *
 * K1  At most one batch is announced and not committed. After a crash that same range of frames is read again and
 *     written again under the same token, so what the sink has it recognises, and what it has not it gets.
 * K2  Dead letters of a batch are stored before its commit, and once (D1). That it is written is logged before them, so
 *     that however long they have to wait, the rows need not be written again.
 * K3  A retryable failure is retried for ever with the same arguments, and the observer knows why.
 * K4  Intent, dead letters and commit are fenced (E4); a sink that keeps the position itself fences the write as well.
 * K5  After `stop` the write in progress finishes and is committed; none begins after it (I12).
 * K6  The position in the sink and the one in the log belong to the same stream, and the first is not behind the second;
 *     otherwise a person decides (`./sink-position.ts`). A slot that has nothing to write looks at it every minute: what
 *     a failover has lost is found although no record comes.
 *
 * The next batch is prepared while one is written: two row buffers take turns.
 */
import { mr } from '../model/errors.ts';
import type { Plan } from '../model/plan.ts';
import type { Clock } from './clock.ts';
import type { Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { DeadLetterWriter } from './dead-letters.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import type { Position } from './record-batch.ts';
import { decodeRefused, encodeRefused } from './refused-set.ts';
import type { ShardReader } from './shard-reader.ts';
import { SinkBatch, type BatchContext } from './sink-batch.ts';
import type { BatchRange, RefusedRow, RowBufferPort, SinkSlotPort } from './sink-port.ts';
import { recoverPosition } from './sink-position.ts';
import { rangeText } from './range-text.ts';
import { SinkWrite } from './sink-write.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';

export interface SinkLoopOptions<Rows extends RowBufferPort> extends BatchContext {
  readonly batch: { readonly maxRecords: number; readonly maxBytes: number; readonly maxDelayMs: number };
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  /** What tells this edge stream from one made anew, and from itself before a decision about it. */
  readonly epoch: string;
  /** What the token of a range begins with: the pipeline's uid and the epoch. */
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

/** A batch closes when so many of its records have failed: each is kept with its reason until the batch is written. */
const mostFailures = 5_000;
/** K6: one small query for each idle slot. */
const lookEveryMs = 60_000;

export class SinkLoop<Rows extends RowBufferPort> {
  readonly #options: SinkLoopOptions<Rows>;
  readonly #batches: [SinkBatch<Rows>, SinkBatch<Rows>];
  /** The next batch is assembled beside the write of this one: it must not outlive the loop, nor keep its memory. */
  readonly #over = new AbortController();
  readonly #assembling: AbortSignal;
  #reader: ShardReader | undefined;
  #committed = 0;
  #isWriting = false;

  constructor(options: SinkLoopOptions<Rows>) {
    this.#options = options;
    this.#assembling = AbortSignal.any([options.signals.stop, this.#over.signal]);
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
      const begun = await this.#recover();
      // From the log's position on, should the sink's be ahead of it: the chain is followed through what is skipped.
      this.#reader = this.#options.read(this.#options.log.committed + 1);
      this.#options.observer.position(this.#committed);
      if (begun !== undefined) await this.#finishBegun(this.#reader, begun);
      await this.#work(this.#reader);
      return 'stopped';
    } finally {
      this.#over.abort(new Error('the loop is over'));
      await this.#reader?.close();
    }
  }

  /** Where to go on; a batch that was begun and not committed must be finished first (K1). */
  async #recover(): Promise<Intent | Written | undefined> {
    const { log, sinkSlot } = this.#options;
    const last = log.last;
    const begun = last === undefined || last.kind === 'commit' ? undefined : last;
    if (sinkSlot.positionIn === 'commitLog') {
      this.#committed = log.committed;
      return begun;
    }
    const { committed, finish } = await recoverPosition({ ...this.#options, sinkSlot });
    this.#committed = committed;
    return finish;
  }

  async #finishBegun(reader: ShardReader, begun: Intent | Written): Promise<void> {
    const batch = this.#batches[0];
    while (batch.to < begun.to) {
      const frame = reader.take();
      if (frame === undefined) {
        await reader.wait(this.#options.signals.stop);
        this.#options.signals.stop.throwIfAborted();
        continue;
      }
      if (frame.sequence > begun.to) {
        throw new PositionLost(`frames of the batch ${begun.from}-${begun.to}, which was begun, are gone`, {
          until: begun.to,
        });
      }
      // The sink is ahead of the log by more than this batch.
      if (frame.sequence < begun.from) {
        await batch.pass(frame, this.#options.signals.stop);
        continue;
      }
      await batch.add(frame, this.#options.signals.stop);
    }
    const { from, to, after, token, check } = begun;
    if (check !== undefined && check !== batch.check) {
      throw new PositionLost(`the frames of the batch ${from}-${to}, which was begun, are others now`, { until: to });
    }
    const id = { from, to, after, token, check };
    if (begun.kind === 'intent') return this.#store(batch, id, begun);
    await this.#conclude(batch, id, begun.refused === undefined ? [] : decodeRefused(begun.refused), true);
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
      this.#isWriting = true;
      if (!(await this.#commit(batch))) return;
      this.#isWriting = false;
    }
  }

  /** Fills a batch with whole frames up to its limits. Undefined: asked to stop; what it holds is left to the next run. */
  async #assemble(reader: ShardReader, batch: SinkBatch<Rows>): Promise<SinkBatch<Rows> | undefined> {
    const { clock } = this.#options;
    const { maxRecords, maxBytes, maxDelayMs } = this.#options.batch;
    batch.clear();
    let closesAt: number | undefined;
    while (!this.#assembling.aborted) {
      const frame = reader.take();
      if (frame !== undefined) {
        if (frame.sequence <= this.#committed) {
          await batch.pass(frame, this.#assembling);
          continue;
        }
        await batch.add(frame, this.#assembling);
        closesAt ??= clock.monotonic() + maxDelayMs;
        if (batch.rows.rows >= maxRecords || batch.rows.bytes >= maxBytes || batch.recordBytes >= 4 * maxBytes)
          return batch;
        if (batch.failures >= mostFailures) return batch;
        // A frame is some milliseconds of work: leases, health and the write beside it must get their turn.
        await clock.turn();
        if (clock.monotonic() < closesAt) continue;
        return batch;
      }
      const waitMs = closesAt === undefined ? lookEveryMs : closesAt - clock.monotonic();
      if (waitMs <= 0) return batch;
      const until = clock.monotonic() + waitMs;
      await reader.wait(this.#assembling, waitMs);
      if (closesAt === undefined && clock.monotonic() >= until) await this.#lookAtPosition();
    }
    return undefined;
  }

  /** K6. Throws MR_OWNERSHIP_LOST when the sink is not where this slot has left it: the next run finds out why. */
  async #lookAtPosition(): Promise<void> {
    const { sinkSlot, sink, observer } = this.#options;
    // No write can begin meanwhile: it would be of the batch that is being assembled here.
    if (sinkSlot.positionIn !== 'sink' || this.#isWriting) return;
    try {
      const { position } = await sinkSlot.storedPosition(this.#assembling);
      observer.connection(undefined);
      if (position === this.#committed) return;
    } catch (error) {
      if (!this.#assembling.aborted) observer.connection(asSinkError(sink, error));
      return;
    }
    throw mr('MR_OWNERSHIP_LOST', { writer: `the position in sink ${sink}`, expected: this.#committed });
  }

  /** False: asked to stop before it was announced. */
  async #commit(batch: SinkBatch<Rows>): Promise<boolean> {
    const { signals, sinkSlot, stage, slot, tokenPrefix } = this.#options;
    if (signals.stop.aborted) return false;
    const { from, to, check } = batch;
    const token = `${tokenPrefix}:${stage}:${slot}:${rangeText({ from, to, check })}`;
    const id: BatchRange = { from, to, after: this.#committed, token, check };
    if (batch.rows.rows > 0 || sinkSlot.positionIn === 'sink') await this.#store(batch, id);
    else await this.#conclude(batch, id, [], false);
    return true;
  }

  async #store(batch: SinkBatch<Rows>, id: BatchRange, begun?: Intent): Promise<void> {
    const { observer, clock, sinkSlot } = this.#options;
    const began = clock.monotonic();
    // A batch of v0.1 that holds nothing but dead letters was announced, too; there is nothing to write of it.
    const isEmpty = batch.rows.rows === 0 && sinkSlot.positionIn === 'commitLog';
    const refused = isEmpty ? [] : await new SinkWrite(this.#options, batch.rows, id, begun).run();
    observer.batch(batch.rows.rows, clock.monotonic() - began);
    await this.#conclude(batch, id, refused, false);
  }

  /** The rows are in the sink: dead letters, commit. */
  async #conclude(
    batch: SinkBatch<Rows>,
    id: BatchRange,
    refused: readonly RefusedRow[],
    isLogged: boolean,
  ): Promise<void> {
    const { deadLetters, signals, observer, log, sink, epoch } = this.#options;
    const covered = coveredIn(epoch, deadLetters.covers);
    // D1, by frames: after a decision to read again, a range may begin before what is covered and end after it.
    const letters = (await batch.deadLetters(refused)).filter(
      ({ sequence }) => sequence === null || sequence > covered,
    );
    if (letters.length > 0) {
      if (!isLogged) {
        const rows = batch.rows.rows;
        await log.append({ kind: 'written', ...id, rows, refused: encodeRefused(sink, refused) }, signals.abort);
      }
      await deadLetters.append(letters, { epoch, to: id.to }, signals.abort);
      observer.deadLettered(letters);
    }
    observer.handedOn(batch.rows.rows - refused.length);
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
}

/** Up to where dead letters of this epoch are stored. Those of v0.1 do not name one: they are of the stream's first. */
function coveredIn(epoch: string, covers: Position): number {
  if (typeof covers === 'number') return epoch.includes('.') ? 0 : covers;
  if (typeof covers !== 'object' || covers === null || !('to' in covers)) return 0;
  return covers.epoch === epoch && typeof covers.to === 'number' ? covers.to : 0;
}
