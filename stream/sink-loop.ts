/**
 * A sink slot at work: frames of its shard into batches of rows, exactly once.
 *
 *   intent {from, to} → write (`./sink-write.ts`) → written → dead letters of the batch → commit {to}
 *
 * K1  At most one batch has an intent and no commit. After a crash the same range of frames is read again and written
 *     again under the same token: the sink recognises what it has, and stores what it does not have.
 * K2  Dead letters of a batch are stored before its commit, and once (D1, D5). That the batch is written is logged before
 *     them, so that the rows need not be written again, however long the dead letters have to wait.
 * K3  A retryable failure is retried indefinitely with the same arguments, and the observer is notified of the reason.
 * K4  Intent, dead letters and commit are fenced (E4); a sink that keeps the position itself fences the write as well.
 * K5  After `stop` the write in progress finishes and is committed; no other write starts after it (I12).
 * K6  See `./sink-position.ts`. A slot that has nothing to write checks it every minute, so that a loss through failover is
 *     found even if no record arrives.
 * K9  A batch that was begun is waited for only while its last frame is there: looked at when reading starts, and every few
 *     seconds while nothing comes. Frames that are gone announce nothing, and none need come after them.
 *
 * The next batch is prepared while one is written: two row buffers take turns.
 */
import { mr } from '../model/errors.ts';
import type { Plan } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import type { Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import type { Heads } from './frame-chain.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { DeadLetterWriter } from './dead-letters.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import type { Position } from './record-batch.ts';
import { decodeRefused, encodeRefused, type RefusedSet } from './refused-set.ts';
import type { StoredFrame } from './shard-pull.ts';
import type { ShardReader } from './shard-reader.ts';
import { SinkBatch, type BatchContext } from './sink-batch.ts';
import type { BatchRange, RefusedRecord, RefusedRow, RowBufferPort, SinkSlotPort } from './sink-port.ts';
import { recoverPosition } from './sink-position.ts';
import { rangeText, type NamedRange } from './batch-token.ts';
import { SinkWrite } from './sink-write.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';

/** A batch closes at whichever it reaches first. */
interface BatchLimits {
  readonly maxRecords: number;
  /** Of rows as they are sent. */
  readonly maxBytes: number;
  readonly maxDelayMs: number;
  /**
   * Bytes of its frames, a part of what the edge may hold: frames make room only when they are committed. In an edge
   * smaller than a batch all waited for `maxDelayMs` again and again, 500 records a second in one of 512 KiB.
   */
  readonly maxHeldBytes: number;
}

export interface SinkLoopOptions<Rows extends RowBufferPort> extends BatchContext {
  readonly batch: BatchLimits;
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  /** Distinguishes this edge stream from one that was recreated, and from itself before a decision about it. */
  readonly epoch: string;
  /** The beginning of a range's token: the pipeline's uid and the epoch. */
  readonly tokenPrefix: string;
  readonly sinkSlot: SinkSlotPort<Rows>;
  readonly log: CommitLog;
  readonly headsAt: (position: number) => Promise<Heads>;
  readonly holds: (range: NamedRange) => Promise<boolean>;
  readonly deadLetters: DeadLetterWriter;
  /** Reads frames of the shard from a sequence on. `begunTo`: the last frame of a batch that is to be finished first. */
  readonly read: (firstSequence: number, begunTo: number | undefined) => ShardReader;
  /** Called when the sink's position is right, and what was begun is finished. */
  readonly onSinkInOrder: () => Promise<void>;
  /** K9. Throws PositionLost when the last frame of the batch that is to be finished is gone. */
  readonly assertBegun: (begunTo: number) => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

/**
 * A batch closes when this many of its records have failed: each is kept with its reason until the batch is written.
 */
const mostFailures = 5_000;
/** K6: costs one small query per idle slot. */
const lookEveryMs = 60_000;
/** K9: costs one frame, and nothing while frames come. */
const lookForBegunMs = 5_000;

export class SinkLoop<Rows extends RowBufferPort> {
  readonly #options: SinkLoopOptions<Rows>;
  readonly #batches: [SinkBatch<Rows>, SinkBatch<Rows>];
  /** Stops the batch that is assembled during a write: it must not outlive the loop, nor keep its memory. */
  readonly #over = new AbortController();
  readonly #assembling: AbortSignal;
  #reader: ShardReader | undefined;
  #committed = 0;
  /** K10: what a sink that keeps the position itself has stored. */
  #sinkHas: number | undefined;
  /** The last frame that was skipped, because the sink is ahead of the log. */
  #passed = 0;
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

  /** Frames of the shard that are not committed, according to the last delivery (I10), including those in a batch. */
  get backlog(): number {
    const inBatches = this.#batches.reduce((sum, { to, frames }) => sum + (to > this.#committed ? frames : 0), 0);
    return (this.#reader?.backlog ?? 0) + inBatches;
  }

  /** Runs until a signal stops it. Throws errors of handling `fence`, and errors that no retry repairs. */
  async run(): Promise<Exclude<SlotEnd, 'fenced' | 'ended'>> {
    try {
      const begun = await this.#recover();
      // From the log's position on, even if the sink's is ahead of it: the chain is followed through the frames that
      // are skipped.
      this.#reader = this.#options.read(this.#options.log.committed + 1, begun?.to);
      this.#options.observer.position(this.#committed);
      if (begun !== undefined) await this.#finishBegun(this.#reader, begun);
      if (begun !== undefined && this.#isOfOtherEpoch(begun)) await this.#recover();
      await this.#options.onSinkInOrder();
      await this.#work(this.#reader);
      return 'stopped';
    } catch (error) {
      throw error instanceof PositionLost && this.#sinkHas !== undefined ? error.ofSinkWith(this.#sinkHas) : error;
    } finally {
      this.#over.abort(new Error('the loop is over'));
      await this.#reader?.close();
    }
  }

  /** Where to continue; a batch that was started and not committed must be finished first (K1). */
  async #recover(): Promise<Intent | Written | undefined> {
    const { committed, has, finish } = await recoverPosition(this.#options);
    this.#committed = committed;
    this.#sinkHas = has;
    return finish;
  }

  async #finishBegun(reader: ShardReader, begun: Intent | Written): Promise<void> {
    const batch = this.#batches[0];
    const { last } = this.#options.log;
    const isLogged = last !== undefined && last.kind !== 'commit' && last.token === begun.token;
    const lost = (found: string) =>
      new PositionLost(found, { until: begun.to, stored: isLogged ? undefined : begun.to });
    while (batch.to < begun.to) {
      const frame = await this.#nextOfBegun(reader, begun);
      if (frame.sequence > begun.to) {
        throw lost(`frames of the batch ${begun.from}-${begun.to}, which was started, are gone`);
      }
      if (frame.sequence < begun.from) {
        // A range begins with the first frame after what was committed. Only a sink that is ahead of the log has more.
        if (isLogged) {
          const { from, to } = begun;
          throw lost(`frame ${frame.sequence} came before the batch ${from}-${to}, which was started`);
        }
        await batch.pass(frame, this.#options.signals.stop);
        continue;
      }
      await batch.add(frame, this.#options.signals.stop);
    }
    const { from, to, after, token, check } = begun;
    if (check !== undefined && check !== batch.check) {
      throw lost(`the batch ${from}-${to}, which was started, has other frames now`);
    }
    const id = { from, to, after, token, check };
    if (begun.kind === 'intent') return this.#store(batch, id, begun);
    await this.#conclude(batch, id, await lettersAsBegun(batch, begun, begun.failed), true);
  }

  /** K9. */
  async #nextOfBegun(reader: ShardReader, { to }: Intent | Written): Promise<StoredFrame> {
    const { stop } = this.#options.signals;
    for (let frame = reader.take(); ; frame = reader.take()) {
      if (frame !== undefined) return frame;
      await reader.wait(stop, lookForBegunMs);
      stop.throwIfAborted();
      if (!reader.hasFrame) await this.#options.assertBegun(to);
    }
  }

  async #work(reader: ShardReader): Promise<void> {
    let turn = 0;
    let next = this.#assemble(reader, this.#batches[turn]!);
    for (;;) {
      const batch = await next;
      if (batch === undefined) return;
      turn = 1 - turn;
      next = this.#assemble(reader, this.#batches[turn]!);
      // It is awaited below; if the commit fails first, that failure is the one to report.
      next.catch(() => undefined);
      // Promptly; that no write begins is seen to at the last moment (`./sink-write.ts`, K5).
      if (this.#options.signals.stop.aborted) return;
      this.#isWriting = true;
      await this.#commit(batch);
      this.#isWriting = false;
    }
  }

  /**
   * Fills a batch with whole frames up to its limits. Undefined: asked to stop; the next run reads its frames again.
   */
  async #assemble(reader: ShardReader, batch: SinkBatch<Rows>): Promise<SinkBatch<Rows> | undefined> {
    const { clock } = this.#options;
    const { maxRecords, maxBytes, maxDelayMs, maxHeldBytes } = this.#options.batch;
    batch.clear();
    let closesAt: number | undefined;
    let heldBytes = 0;
    while (!this.#assembling.aborted) {
      const frame = reader.take();
      if (frame !== undefined) {
        if (frame.sequence <= this.#committed) {
          await batch.pass(frame, this.#assembling);
          this.#passed = frame.sequence;
          continue;
        }
        await this.#commitPassed();
        await batch.add(frame, this.#assembling);
        closesAt ??= clock.monotonic() + maxDelayMs;
        heldBytes += frame.data.length;
        if (heldBytes >= maxHeldBytes) return batch;
        if (batch.rows.rows >= maxRecords || batch.rows.bytes >= maxBytes || batch.recordBytes >= 4 * maxBytes)
          return batch;
        if (batch.failures >= mostFailures) return batch;
        // A frame takes some milliseconds of work: leases, health and the concurrent write must get their turn.
        await clock.turn();
        if (clock.monotonic() < closesAt) continue;
        return batch;
      }
      await this.#commitPassed();
      const waitMs = closesAt === undefined ? lookEveryMs : closesAt - clock.monotonic();
      if (waitMs <= 0) return batch;
      const until = clock.monotonic() + waitMs;
      await reader.wait(this.#assembling, waitMs);
      if (closesAt === undefined && clock.monotonic() >= until) await this.#lookAtPosition();
    }
    return undefined;
  }

  /** A drain waits for the log to say so. It is done before the first batch has a frame: nothing else is appended meanwhile. */
  async #commitPassed(): Promise<void> {
    const { log, signals } = this.#options;
    if (this.#passed <= log.committed) return;
    await log.append({ kind: 'commit', to: this.#passed }, signals.abort);
  }

  /** K6. Throws MR_OWNERSHIP_LOST when the sink is not where this slot left it: the next run finds out why. */
  async #lookAtPosition(): Promise<void> {
    const { sinkSlot, sink, observer } = this.#options;
    // No write can start meanwhile: it would be that of the batch that is being assembled here.
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

  async #commit(batch: SinkBatch<Rows>): Promise<void> {
    const { stage, slot, tokenPrefix } = this.#options;
    const { from, to, check } = batch;
    const token = `${tokenPrefix}:${stage}:${slot}:${rangeText({ from, to, check }, batch.lastCheck)}`;
    const id: BatchRange = { from, to, after: this.#committed, token, check };
    await this.#store(batch, id);
  }

  async #store(batch: SinkBatch<Rows>, id: BatchRange, begun?: Intent): Promise<void> {
    const { observer, clock } = this.#options;
    const began = clock.monotonic();
    const write = new SinkWrite(this.#options, batch, id, begun);
    const refused = await write.run();
    if (!write.isEmpty) observer.batch(batch.rows.rows, clock.monotonic() - began);
    // Of a batch that v0.1 began it is not known which of its records became no row: they are those of now.
    if (begun?.failed !== undefined && write.endsAsBegun) {
      return this.#conclude(batch, id, await lettersAsBegun(batch, begun, begun.failed), false);
    }
    await this.#conclude(batch, write.range, await lettersOfNow(batch, refused), false);
  }

  /** The rows are in the sink: stores the dead letters, then commits. */
  async #conclude(batch: SinkBatch<Rows>, id: BatchRange, fate: Fate, isLogged: boolean): Promise<void> {
    const { deadLetters, signals, observer, log, sink, epoch } = this.#options;
    if (this.#sinkHas !== undefined) this.#sinkHas = id.to;
    const covered = coveredIn(epoch, deadLetters.covers);
    const isOfInput = (covers: Position) => coveredIn(epoch, covers) > 0;
    const letters = await deadLetters.missing(fate.letters, covered, isOfInput, signals.abort);
    if (letters.length > 0) {
      if (!isLogged) {
        const { rows } = fate;
        const failed = encodeRefused(sink, fate.failed);
        const refused = encodeRefused(sink, fate.refused);
        await log.append({ kind: 'written', ...id, rows, failed, refused }, signals.abort);
      }
      // What is taken again may end before what is covered: that stays covered.
      await deadLetters.appendMissing(letters, { epoch, to: Math.max(id.to, covered) }, signals.abort);
      observer.deadLettered(letters);
    }
    observer.handedOn(fate.rows - fate.refused.length);
    await this.#finish(batch, this.#isOfOtherEpoch(id));
  }

  /** K11 of `./sink-position.ts`: the sink keeps the position, and had stored the batch before its log was made again. */
  #isOfOtherEpoch({ token }: Pick<BatchRange, 'token'>): boolean {
    const { sinkSlot, tokenPrefix } = this.#options;
    return sinkSlot.positionIn === 'sink' && !token.startsWith(`${tokenPrefix}:`);
  }

  /** `hasToFollow`: the sink has yet to take a token of this epoch. */
  async #finish(batch: SinkBatch<Rows>, hasToFollow: boolean): Promise<void> {
    const { log, signals, observer } = this.#options;
    const { to } = batch;
    const yet = hasToFollow ? ({ set: true, had: to } as const) : {};
    await log.append({ kind: 'commit', to, ...yet }, signals.abort);
    this.#committed = to;
    observer.took(batch.records, batch.recordBytes);
    observer.dropped(batch.dropped);
    observer.position(to);
  }
}

/** What became of the records of a batch that is in the sink. */
interface Fate {
  /** Those that are refused included. */
  readonly rows: number;
  readonly failed: readonly RefusedRecord[];
  readonly refused: readonly RefusedRecord[];
  readonly letters: readonly DeadLetter[];
}

async function lettersOfNow<Rows extends RowBufferPort>(
  batch: SinkBatch<Rows>,
  refusedRows: readonly RefusedRow[],
): Promise<Fate> {
  const refused = refusedRows.map(({ row, error }) => ({ record: batch.recordOf(row), error }));
  return { rows: batch.rows.rows, failed: batch.failed, refused, letters: await batch.deadLetters(refusedRows) };
}

/**
 * C4. What the records would become now is of no account, but for the reason of one that fails again: the log may lack its
 * text (F2 of `./refused-set.ts`).
 */
async function lettersAsBegun<Rows extends RowBufferPort>(
  batch: SinkBatch<Rows>,
  begun: Intent | Written,
  failedThen: RefusedSet,
): Promise<Fate> {
  const errorNow = new Map(batch.failed.map(({ record, error }) => [record, error]));
  const failed = decodeRefused(failedThen).map(({ record, error }) => {
    const now = errorNow.get(record);
    return { record, error: now?.code === error.code ? now : error };
  });
  const refused = begun.refused === undefined ? [] : decodeRefused(begun.refused);
  return { rows: begun.rows, failed, refused, letters: await batch.lettersOf([...failed, ...refused]) };
}

/**
 * Up to where dead letters of this epoch are stored. Those of v0.1 name no epoch: they belong to the stream's first.
 */
function coveredIn(epoch: string, covers: Position): number {
  if (typeof covers === 'number') return epoch.includes('.') ? 0 : covers;
  if (typeof covers !== 'object' || covers === null || !('to' in covers)) return 0;
  return covers.epoch === epoch && typeof covers.to === 'number' ? covers.to : 0;
}
