/**
 * One batch from its intent until it is known to be in the sink, whatever happens on the way.
 *
 *   intent → attempt → stored
 *                    → examined: record the refused rows in the intent, and repeat without them
 *                    → nothing:  withdraw the intent, wait, and start again
 *                    → unknown:  wait, and repeat the same, as long as the sink recognises it
 *
 * V1  Before an attempt starts that may store something, the intent is in the log, and it stays there until the
 *     outcome of that attempt is known. So a log without an intent means a sink without a trace of the batch.
 * V2  All attempts under a token have the same rows and the same refused rows, because the sink drops whatever comes
 *     under a token that it knows. An edit of the sink or its table may make other rows of the records. Then a person is
 *     asked (V3), and refusals of before are not applied to rows of now. Called stored, the batch keeps the dead letters
 *     with which it was begun. Called missing, it is begun anew: the log names rows, target and mark of now, and other
 *     rows get another token.
 * V3  A batch that may be in the sink is repeated only when the sink says that it will recognise it. Otherwise it
 *     waits for a person, and the observer is notified. No sink recognises a batch that was started in another
 *     target, before an edit of the spec. Nor does a sink that was altered meanwhile (`shape`) recognise rows that it
 *     refuses now: it may have taken them before, and then they are no dead letters. If they are no longer refused, the
 *     batch goes on without an answer.
 * V4  Asked to stop, it ends between attempts when nothing is at stake; if an outcome is unknown, it first tries to
 *     find it out (`./patience.ts`, I12).
 */
import { assertNever, type MillraceError } from '../model/errors.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import type { Intent } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import { isFence } from './fence.ts';
import { asSinkError } from './outside-errors.ts';
import { Patience } from './patience.ts';
import { nextToken } from './batch-token.ts';
import { decodeRefused, encodeRefused } from './refused-set.ts';
import type {
  BatchRange,
  LoggedSinkSlot,
  Mark,
  RefusedRecord,
  RefusedRow,
  RowBufferPort,
  SinkSlotPort,
  WriteEnd,
} from './sink-port.ts';
import type { SlotObserver, SlotSignals } from './slot-observer.ts';
import { otherTargetOf } from './target-name.ts';

/** Long compared with the time from an intent to its attempt, short compared with any lease. */
const staleMs = 2_000;

export interface SinkWriteOptions<Rows extends RowBufferPort> {
  readonly sink: string;
  readonly sinkSlot: SinkSlotPort<Rows>;
  readonly log: Pick<CommitLog, 'append'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

/** The rows of a batch, and the records that they came from (Y4 of `./refused-set.ts`). */
export interface WrittenBatch<Rows extends RowBufferPort> {
  readonly rows: Rows;
  /** Records that became no row. */
  readonly failed: readonly RefusedRecord[];
  recordOf(row: number): number;
  /** Undefined: the record became no row. */
  rowOf(record: number): number | undefined;
}

interface Waiting {
  readonly kind: 'wait';
  readonly error: MillraceError;
  /** Another attempt may show whether the batch is stored. */
  readonly isOpen: boolean;
}

type Step = { readonly kind: 'done' } | { readonly kind: 'next' } | Waiting;

interface Marked {
  readonly kind: 'marked';
  readonly mark: Mark | null;
  readonly shape: string | undefined;
}

type Examined = Extract<WriteEnd, { kind: 'examined' }>;

export class SinkWrite<Rows extends RowBufferPort> {
  readonly #options: SinkWriteOptions<Rows>;
  readonly #batch: WrittenBatch<Rows>;
  readonly #rows: Rows;
  #id: BatchRange;
  /** Why it is not the batch that was begun, in words; asked about before anything is sent (V3). */
  #changed: string | undefined;
  /** The records are other rows than when it was begun: a repetition needs another token (V2). */
  #isOfOtherRows = false;
  /** A person says that it is stored. */
  #isToldStored = false;
  /** Where it was begun, if the sink writes elsewhere now. */
  #otherTarget: string | undefined;
  /** Left out of every attempt (V2). */
  #refused: readonly RefusedRow[] | undefined;
  /** The entry of this batch in the log. */
  #intent: Intent | undefined;
  #mayBeStored = false;

  /** `begun`: the intent that an earlier owner left in the log for this same batch. */
  constructor(options: SinkWriteOptions<Rows>, batch: WrittenBatch<Rows>, id: BatchRange, begun?: Intent) {
    this.#options = options;
    this.#batch = batch;
    this.#rows = batch.rows;
    this.#id = id;
    this.#intent = begun;
    if (begun === undefined) return;
    this.#mayBeStored = true;
    const { target } = options.sinkSlot;
    this.#otherTarget = otherTargetOf(begun, target);
    const isMoved = this.#otherTarget !== undefined;
    const otherRows = otherRowsOf(begun, batch);
    this.#changed = isMoved ? `the spec was edited while it was open, and the sink writes to ${target} now` : otherRows;
    const refused = begun.refused === undefined ? undefined : rowsOf(begun.refused, batch);
    // What was refused is found anew in another target, which may take it.
    this.#isOfOtherRows = otherRows !== undefined || (isMoved && refused !== undefined && refused.length > 0);
    if (this.#changed === undefined) this.#refused = refused;
    this.#suspectHalves();
  }

  /** With the token under which it was sent last. */
  get range(): BatchRange {
    return this.#id;
  }

  /** After `run`: a person says that it is stored, and that was with other rows than those of now (V2). */
  get endsAsBegun(): boolean {
    return this.#isToldStored && this.#isOfOtherRows;
  }

  /**
   * Resolves with the refused rows when all others are in the sink. Rejects when another owner has taken over
   * (`isFence`), and with the signal's reason (V4).
   */
  async run(): Promise<readonly RefusedRow[]> {
    const { clock, signals, observer, random } = this.#options;
    const patience = new Patience(clock, signals);
    let failures = 0;
    try {
      for (;;) {
        const step = await this.#step();
        if (step.kind === 'wait') {
          observer.connection(step.error);
          await patience.wait(backoffMs(outsideBackoff, failures++, random), step.isOpen);
          continue;
        }
        if (failures > 0) observer.connection(undefined);
        failures = 0;
        if (step.kind === 'done') return this.#refused ?? [];
      }
    } finally {
      patience.close();
    }
  }

  /** Nothing has to be written. */
  get isEmpty(): boolean {
    // v0.1 wrote an intent also for a batch that holds dead letters only.
    const began = this.#intent?.rows ?? 0;
    return this.#options.sinkSlot.positionIn === 'commitLog' && this.#rows.rows === 0 && began === 0;
  }

  async #step(): Promise<Step> {
    if (this.isEmpty) return this.#stepOfNone();
    if (this.#intent === undefined) {
      const waits = await this.#announce(this.#id);
      if (waits !== undefined) return waits;
    }
    if (this.#options.sinkSlot.positionIn === 'commitLog') {
      const unclear = await this.#checkRepeat();
      if (unclear !== undefined) return unclear;
      if (this.#changed !== undefined) return this.#beginAnew();
      if (this.#refused?.length === this.#rows.rows) return { kind: 'done' };
    }
    return this.#settle(await this.#attempt());
  }

  /**
   * Records that became no row were tried against the target as the slot has read it, and it may have changed: where all
   * records of all batches fail, nothing is ever sent that would show it.
   */
  async #stepOfNone(): Promise<Step> {
    const marked = this.#batch.failed.length === 0 ? undefined : await this.#mark();
    return marked?.kind === 'wait' ? marked : { kind: 'done' };
  }

  /** A sink that keeps the position itself needs no mark: it recognises a batch indefinitely. */
  async #mark(): Promise<Marked | Waiting> {
    const { sinkSlot, signals } = this.#options;
    if (sinkSlot.positionIn === 'sink') return { kind: 'marked', mark: null, shape: undefined };
    try {
      const mark = await sinkSlot.mark(signals.abort);
      return { kind: 'marked', mark, shape: sinkSlot.shape };
    } catch (error) {
      return { kind: 'wait', error: this.#named(error), isOpen: false };
    }
  }

  /** V1. */
  async #announce(id: BatchRange): Promise<Waiting | undefined> {
    const { signals } = this.#options;
    const marked = await this.#mark();
    if (marked.kind === 'wait') return marked;
    const { mark, shape } = marked;
    // K5 of `./sink-loop.ts`: whoever was asked to stop, now or earlier, starts no attempt. An intent of before stays.
    signals.stop.throwIfAborted();
    const { rows, bytes } = this.#rows;
    const failed = encodeRefused(this.#options.sink, this.#batch.failed);
    await this.#log({ kind: 'intent', ...id, rows, bytes, failed, mark, shape, at: this.#options.clock.now() });
    return undefined;
  }

  /**
   * V2, after a person has called it missing (V3). The sink may know the token of before nevertheless, under which a batch
   * without an intent would begin again: so this intent is not taken back (V1).
   */
  async #beginAnew(): Promise<Step> {
    const { token } = this.#id;
    const id = this.#isOfOtherRows ? { ...this.#id, token: nextToken(token) } : this.#id;
    const waits = await this.#announce(id);
    if (waits !== undefined) return waits;
    this.#id = id;
    this.#refused = undefined;
    this.#changed = undefined;
    this.#otherTarget = undefined;
    this.#isOfOtherRows = false;
    return { kind: 'next' };
  }

  /** V3. Undefined: it may be repeated, or is attempted for the first time. */
  async #checkRepeat(): Promise<Step | undefined> {
    const { sinkSlot } = this.#options;
    const intent = this.#intent;
    if (intent === undefined || sinkSlot.positionIn !== 'commitLog') return undefined;
    const ageMs = this.#ageMs(intent);
    // A process that was frozen since it logged its intent does not know what the next owner has written meanwhile.
    if (ageMs !== null && ageMs > staleMs) this.#mayBeStored = true;
    return this.#mayBeStored ? this.#verdict(sinkSlot, intent, this.#changed) : undefined;
  }

  /** V3. Undefined: it may be repeated. */
  async #verdict(
    sinkSlot: LoggedSinkSlot<Rows>,
    intent: Intent,
    changed: string | undefined,
  ): Promise<Step | undefined> {
    try {
      const rows = { rows: intent.rows, changed, otherTarget: this.#otherTarget };
      const begun = { mark: intent.mark ?? null, ageMs: this.#ageMs(intent), ...rows };
      const verdict = await sinkSlot.mayRepeat(this.#id, begun, this.#options.signals.abort);
      if (verdict.kind === 'repeat') return undefined;
      this.#isToldStored = verdict.kind === 'stored';
      return verdict.kind === 'stored' ? { kind: 'done' } : { kind: 'wait', error: verdict.error, isOpen: false };
    } catch (error) {
      return { kind: 'wait', error: this.#named(error), isOpen: true };
    }
  }

  /** Since before the first attempt; null in an entry of v0.1. */
  #ageMs({ at }: Intent): number | null {
    return at === undefined ? null : this.#options.clock.now() - at;
  }

  async #attempt(): Promise<WriteEnd> {
    const { sinkSlot, signals } = this.#options;
    try {
      signals.abort.throwIfAborted();
      return await sinkSlot.write(this.#rows, this.#id, this.#refused, signals.abort);
    } catch (error) {
      return { kind: 'unknown', error: this.#named(error) };
    }
  }

  async #settle(end: WriteEnd): Promise<Step> {
    switch (end.kind) {
      case 'stored':
        if (end.refused.length > 0) this.#refused = end.refused;
        return { kind: 'done' };
      case 'examined':
        return (await this.#askOfAltered(end)) ?? this.#refuse(end);
      case 'nothing':
        if (this.#mayBeStored) return { kind: 'wait', error: end.error, isOpen: true };
        await this.#withdraw();
        return { kind: 'wait', error: end.error, isOpen: false };
      case 'unknown':
        this.#mayBeStored = true;
        return { kind: 'wait', error: end.error, isOpen: true };
      default:
        return assertNever(end);
    }
  }

  /** V3. Undefined: none of the rows that it refuses may be stored, or a person says Repeat. */
  async #askOfAltered({ refused, shape }: Examined): Promise<Step | undefined> {
    const { sinkSlot } = this.#options;
    const intent = this.#intent;
    if (!this.#mayBeStored || refused.length === 0 || sinkSlot.positionIn === 'sink') return undefined;
    if (intent?.shape === undefined || intent.shape === shape) return undefined;
    const rows = refused.length === 1 ? 'a row of it' : `${refused.length} rows of it`;
    const changed = `the table, or a view of it, was altered since it was started, and refuses ${rows} now, which may be stored`;
    return this.#verdict(sinkSlot, intent, changed);
  }

  /** V2: recorded before the others are written, and for every later owner. */
  async #refuse({ refused: found, shape, mayBeStored }: Examined): Promise<Step> {
    if (mayBeStored) this.#mayBeStored = true;
    if (this.#intent === undefined) throw new TypeError('V1: rows were examined without an intent');
    this.#refused = [...(this.#refused ?? []), ...found];
    const records = this.#refused.map(({ row, error }) => ({ record: this.#batch.recordOf(row), error }));
    await this.#log({ ...this.#intent, shape, refused: encodeRefused(this.#options.sink, records) });
    this.#suspectHalves();
    return { kind: 'next' };
  }

  /** v0.1 stored the halves of a batch with refused rows under tokens of their own, which no repetition uses. */
  #suspectHalves(): void {
    if (this.#intent?.at !== undefined || this.#refused === undefined || this.#refused.length === 0) return;
    this.#changed ??= 'v0.1 began it, found rows that are refused, and may have stored parts of the rest';
  }

  /** V1: nothing is stored, so the next attempt may use any range, by any owner, at any time. */
  async #withdraw(): Promise<void> {
    if (this.#options.sinkSlot.positionIn === 'sink') return;
    await this.#options.log.append({ kind: 'commit', to: this.#id.after }, this.#options.signals.abort);
    this.#intent = undefined;
  }

  /** An earlier intent keeps its target. */
  async #log(intent: Intent): Promise<void> {
    const { sinkSlot, log, signals } = this.#options;
    const named = sinkSlot.target === undefined ? intent : { target: sinkSlot.target, ...intent };
    await log.append(named, signals.abort);
    this.#intent = named;
  }

  /** A thrown error of handling `fence` is not waited for: this owner must stop. */
  #named(error: unknown): MillraceError {
    this.#options.signals.abort.throwIfAborted();
    if (isFence(error)) throw error;
    return asSinkError(this.#options.sink, error);
  }
}

function rowsOf<Rows extends RowBufferPort>(
  set: NonNullable<Intent['refused']>,
  batch: WrittenBatch<Rows>,
): readonly RefusedRow[] {
  return decodeRefused(set).flatMap(({ record, error }) => {
    const row = batch.rowOf(record);
    return row === undefined ? [] : [{ row, error }];
  });
}

/** Undefined: they are the same, as far as that can be known. */
function otherRowsOf<Rows extends RowBufferPort>(
  begun: Intent,
  { rows: { rows, bytes }, failed }: WrittenBatch<Rows>,
): string | undefined {
  if (begun.rows !== rows) return `it had ${begun.rows} rows when it was started and has ${rows} now`;
  if (begun.bytes !== undefined && begun.bytes !== bytes) {
    return `its rows had ${begun.bytes} bytes when it was started and have ${bytes} now`;
  }
  if (begun.failed !== undefined) {
    const before = decodeRefused(begun.failed).map(({ record }) => record);
    if (before.join() !== failed.map(({ record }) => record).join()) {
      return 'other records of it became rows when it was started than become rows now';
    }
  }
  return undefined;
}
