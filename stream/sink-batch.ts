/**
 * Whole frames on their way to becoming one write: rows, the records that failed, and where each row came from.
 *
 * Two batches take turns and are refilled for as long as the slot runs, so tables and the sink's buffer are reused. A
 * batch does not keep its frames: until it is committed they are in the stream, and the few that hold a refused row
 * are read again. Kept frames were most of a pod's memory, and lived just long enough to leave the collector's cheap
 * generation. An edge that went back may have another frame of that number by then: each batch remembers the checksums.
 */
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { writerIn } from '../model/names.ts';
import { checkWith } from './batch-token.ts';
import { copyOf, type DeadLetter } from './dead-letter.ts';
import { decodeFrame, FrameMeta, planIn, type Frame } from './frame-reader.ts';
import { otherThanTaken } from './position-lost.ts';
import type { StoredFrame } from './shard-pull.ts';
import { sourceOf, type ReaderChain } from './reader-chain.ts';
import { tombstone, type RefusedRecord, type RefusedRow, type RowBufferPort } from './sink-port.ts';
import type { StageView, StageViews } from './stage-views.ts';

export interface BatchContext {
  readonly stage: string;
  readonly sink: string;
  readonly slot: number;
  readonly stream: string;
  readonly chain: Pick<ReaderChain, 'follow'>;
  readonly views: Pick<StageViews, 'of'>;
  /**
   * Reads a frame again that was read before and is not committed. Undefined: its source has left meanwhile, and what was not
   * written of it was given up (`deletionPolicy: Immediate`).
   */
  readonly fetchFrame: (sequence: number, writer: string) => Promise<Uint8Array | undefined>;
  /** A text without what nobody may read. Absent: there is nothing of the kind. */
  readonly hide?: ((text: string) => string) | undefined;
}

export class SinkBatch<Rows extends RowBufferPort> {
  readonly rows: Rows;
  readonly #context: BatchContext;
  readonly #failures: DeadLetter[] = [];
  /** The same, with the number of each record in the batch. */
  readonly #failed: RefusedRecord[] = [];
  /** Number of each frame's first record. */
  readonly #bases: number[] = [];
  readonly #sequences: number[] = [];
  readonly #checks: number[] = [];
  readonly #writers: string[] = [];
  readonly #views: (StageView | null)[] = [];
  #rowFrame = new Int32Array(1024);
  #rowRecord = new Int32Array(1024);
  records = 0;
  recordBytes = 0;
  dropped = 0;
  /** Checksum over the checksums of its frames. */
  check = 0;

  constructor(rows: Rows, context: BatchContext) {
    this.rows = rows;
    this.#context = context;
  }

  get frames(): number {
    return this.#sequences.length;
  }

  /** Stream sequence of the first frame; 0 when there is none. */
  get from(): number {
    return this.#sequences[0] ?? 0;
  }

  get to(): number {
    return this.#sequences.at(-1) ?? 0;
  }

  /** Checksum of the last frame; 0 when there is none. */
  get lastCheck(): number {
    return this.#checks.at(-1) ?? 0;
  }

  /** Records that became dead letters so far. */
  get failures(): number {
    return this.#failures.length;
  }

  /**
   * Decodes a frame and runs the program of the frame's plan over its records. Throws MR_FRAME_CORRUPT, PositionLost,
   * or the signal's reason while the plan is fetched, and leaves the batch as it was.
   */
  async add({ data, sequence, subject }: StoredFrame, signal: AbortSignal): Promise<void> {
    const { stream, chain, views } = this.#context;
    const frame = decodeFrame(data, { stream, sequence });
    const writer = writerIn(subject);
    const view = await views.of(planIn(frame), sequence, signal);
    await chain.follow(writer, sequence, frame, signal);
    const frameIndex = this.#sequences.push(sequence) - 1;
    this.#bases.push(this.records);
    this.#checks.push(frame.check);
    this.check = checkWith(this.check, frame.check);
    this.#writers.push(writer);
    this.#views.push(view);
    if (view !== null) this.#run(frame, frameIndex, view);
  }

  /** Follows a frame that is already in the sink. */
  async pass({ data, sequence, subject }: StoredFrame, signal: AbortSignal): Promise<void> {
    const { stream, chain } = this.#context;
    await chain.follow(writerIn(subject), sequence, decodeFrame(data, { stream, sequence }), signal);
  }

  #run(frame: Frame, frameIndex: number, view: StageView): void {
    const { program } = view;
    const meta = this.#metaOf(frame, frameIndex);
    const sequence = this.#sequences[frameIndex]!;
    const { bytes, valueBytes, valueStart, valueEnd, ingestMax } = frame;
    const flat = this.rows.addFlat === undefined ? undefined : program.flat;
    flat?.open(bytes, valueBytes);
    for (let index = 0; index < frame.count; index++) {
      try {
        if (flat !== undefined && valueEnd[index]! >= 0) {
          const record = flat.run(valueStart[index]!, valueEnd[index]!, meta.at(index), ingestMax);
          if (record === 'drop') {
            this.dropped++;
            continue;
          }
          if (record !== undefined && this.rows.addFlat!(record)) {
            this.#originIs(frameIndex, index);
            continue;
          }
        }
        const value = program.run(bytes, valueStart[index]!, valueEnd[index]!, meta.at(index), ingestMax);
        if (value === undefined) {
          this.dropped++;
          continue;
        }
        if (value === tombstone) this.#remove(meta);
        else this.rows.add(value, meta);
        this.#originIs(frameIndex, index);
      } catch (error) {
        this.#failures.push(this.#letterOf(frame, meta, sequence, index, error));
        this.#failed.push({ record: this.records + index, error: this.#hidden(knownOf(error)) });
      }
    }
    this.records += frame.count;
    this.recordBytes += bytes.length;
  }

  /** Position of the row that was added last. */
  #originIs(frameIndex: number, record: number): void {
    const row = this.rows.rows - 1;
    if (row >= this.#rowFrame.length) this.#growOrigins();
    this.#rowFrame[row] = frameIndex;
    this.#rowRecord[row] = record;
  }

  #remove(meta: FrameMeta): void {
    if (this.rows.remove === undefined) throw mr('MR_RECORD_NOT_JSON', { problem: 'it is a null value (a tombstone)' });
    this.rows.remove(meta);
  }

  /** Records that became no row, by their number in the batch. */
  get failed(): readonly RefusedRecord[] {
    return this.#failed;
  }

  /** The number in the batch of the record that became this row. */
  recordOf(row: number): number {
    const base = row < this.rows.rows ? this.#bases[this.#rowFrame[row]!] : undefined;
    if (base === undefined) throw new RangeError(`the sink refused row ${row}, which does not exist`);
    return base + this.#rowRecord[row]!;
  }

  /** The row that this record became; undefined: none. */
  rowOf(record: number): number | undefined {
    const row = firstFrom(this.rows.rows, (at) => this.recordOf(at) >= record);
    return row < this.rows.rows && this.recordOf(row) === record ? row : undefined;
  }

  /**
   * The records that the steps or the sink refused, in record order. Throws {@link PositionLost} when the frame of one is
   * not the one that was read.
   */
  async deadLetters(refusals: readonly RefusedRow[]): Promise<DeadLetter[]> {
    const letters = await this.lettersOf(refusals.map(({ row, error }) => ({ record: this.recordOf(row), error })));
    return inOrder([...this.#failures, ...letters]);
  }

  /** The same of these records, and of no others. */
  async lettersOf(records: readonly RefusedRecord[]): Promise<DeadLetter[]> {
    const { stream, fetchFrame } = this.#context;
    const letters: DeadLetter[] = [];
    let frameIndex = -1;
    let frame: Frame | undefined;
    for (const { record, error } of records.toSorted((a, b) => a.record - b.record)) {
      if (record >= this.records) throw new RangeError(`record ${record} is refused, which does not exist`);
      const holder = firstFrom(this.#bases.length, (at) => this.#bases[at]! > record) - 1;
      const sequence = this.#sequences[holder]!;
      if (frameIndex !== holder) {
        frameIndex = holder;
        // In turn: rows of a frame are consecutive, so each frame is fetched once and only one is in memory.
        const data = await fetchFrame(sequence, this.#writers[holder]!);
        frame = data === undefined ? undefined : decodeFrame(data, { stream, sequence });
        // A stream that was rolled back gives the number to another frame, whose records nobody has refused.
        if (frame !== undefined && frame.check !== this.#checks[frameIndex]) throw otherThanTaken(sequence);
      }
      if (frame === undefined) continue;
      const meta = this.#metaOf(frame, frameIndex);
      letters.push(this.#letterOf(frame, meta, sequence, record - this.#bases[holder]!, error));
    }
    return letters;
  }

  clear(): void {
    this.rows.clear();
    this.#failures.length = 0;
    this.#failed.length = 0;
    this.#bases.length = 0;
    this.#sequences.length = 0;
    this.#checks.length = 0;
    this.#writers.length = 0;
    this.#views.length = 0;
    this.records = 0;
    this.recordBytes = 0;
    this.dropped = 0;
    this.check = 0;
  }

  #metaOf(frame: Frame, frameIndex: number): FrameMeta {
    const source = sourceOf(this.#writers[frameIndex]!);
    return new FrameMeta(frame, source, this.#views[frameIndex]?.topics.get(source) ?? null);
  }

  /** What the commit log may hold of it. */
  #hidden(error: MillraceError): MillraceError {
    const { hide } = this.#context;
    if (hide === undefined) return error;
    const params = Object.entries(error.params).map(([name, value]): [string, string | number] => [
      name,
      typeof value === 'string' ? hide(value) : value,
    ]);
    return new MillraceError(error.code, Object.fromEntries(params), { cause: error });
  }

  #letterOf(frame: Frame, meta: FrameMeta, sequence: number, index: number, error: unknown): DeadLetter {
    const { stage, slot } = this.#context;
    const known = knownOf(error);
    const step = known.params['step'];
    meta.at(index);
    const valueEnd = frame.valueEnd[index]!;
    const keyEnd = frame.keyEnd[index]!;
    return {
      stage,
      slot,
      sequence,
      check: frame.check,
      index,
      source: meta.source,
      partition: meta.partition,
      offset: meta.offset?.toString() ?? null,
      step: typeof step === 'string' ? step : null,
      code: known.code,
      text: known.sentence,
      value: valueEnd < 0 ? null : copyOf(frame, frame.valueStart[index]!, valueEnd),
      key: keyEnd < 0 ? null : copyOf(frame, frame.keyStart[index]!, keyEnd),
      headers: frame.headers.get(index) ?? [],
      timestamp: meta.timestamp,
    };
  }

  #growOrigins(): void {
    const frames = new Int32Array(this.#rowFrame.length * 2);
    frames.set(this.#rowFrame);
    this.#rowFrame = frames;
    const records = new Int32Array(this.#rowRecord.length * 2);
    records.set(this.#rowRecord);
    this.#rowRecord = records;
  }
}

/** Anything else is a defect that this record exposes: it must neither stop the other records nor get lost. */
function knownOf(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_RECORD_DEFECT', { problem: problemOf(error) }, { cause: error });
}

function inOrder(letters: DeadLetter[]): DeadLetter[] {
  return letters.sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0) || a.index - b.index);
}

/** The first of `count` numbers from which on it is true; `count`: it is true of none. */
function firstFrom(count: number, isTrue: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
