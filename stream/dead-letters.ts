/**
 * The dead edge: one writer for each slot of each stage, fenced like every edge.
 *
 * D1  A dead letter is stored once, however often its input range is processed again: a frame says which input it
 *     covers. Of a range that is already covered, only those are written that are not stored (`./stored-letters.ts`).
 * D4  Every letter fits a frame: one that is too large is cut (`./dead-letter-fit.ts`).
 * D2  It is stored before the position of the stage passes the record: the caller appends, waits, then commits.
 */
import { deadEdge, edgeStream, frameSubject } from '../model/names.ts';
import { deadLetterId, headersOfDeadLetter, deadLettersOf, type DeadLetter } from './dead-letter.ts';
import { fitted } from './dead-letter-fit.ts';
import { countLetters, deadLetterPosition, maxSampleLength, type DeadLetterPosition } from './dead-letter-position.ts';
import { FencedSubject, type FencedOptions } from './fenced-subject.ts';
import { FrameBuilder } from './frame-builder.ts';
import { largestRecord } from './frame-size.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Position, RecordBatch } from './record-batch.ts';
import { StoredLetters } from './stored-letters.ts';

export interface DeadLetterWriterOptions extends Omit<FencedOptions, 'stream' | 'subject'> {
  readonly pid: string;
  /** Stage and slot: `sink-warehouse-0`. */
  readonly writer: string;
  /** The largest message that NATS accepts, less room for headers. */
  readonly maxFrameBytes: number;
  /** A text without what nobody may read. Absent: there is nothing of the kind. */
  readonly hide?: ((text: string) => string) | undefined;
}

/** All dead letters of a pipeline are one shard, because nothing reads them under load. */
const shard = 0;
const maxFrameRecords = 1_000;
/** Most bytes of values and keys that are collected for one frame. */
const maxSliceBytes = 256 * 1024;
/** Names, numbers and brackets of a position. */
const positionBaseBytes = 256;
/** Most bytes of one code in a position: names, numbers, and its sample at six bytes a character. */
const countBytes = 64 + maxSampleLength * 6;

export class DeadLetterWriter {
  readonly #options: DeadLetterWriterOptions;
  readonly #fenced: FencedSubject;
  #tail: DeadLetterPosition;
  #builder: FrameBuilder | undefined;
  #stored: StoredLetters | undefined;

  private constructor(options: DeadLetterWriterOptions, fenced: FencedSubject, tail: DeadLetterPosition) {
    this.#options = options;
    this.#fenced = fenced;
    this.#tail = tail;
  }

  static async open(options: DeadLetterWriterOptions, signal: AbortSignal): Promise<DeadLetterWriter> {
    const stream = edgeStream(options.pid, deadEdge);
    const subject = frameSubject(options.pid, deadEdge, shard, options.writer);
    const { subject: fenced, tail } = await FencedSubject.open({ ...options, stream, subject }, signal);
    const last =
      tail.data === undefined
        ? { covers: null, total: 0 }
        : deadLetterPosition(tail.data, { stream, sequence: tail.sequence });
    return new DeadLetterWriter(options, fenced, last);
  }

  /** The input that the last complete append covered; null at the start. */
  get covers(): Position {
    return this.#tail.covers;
  }

  /**
   * Stores the dead letters of the input up to `covers`. When called again for the same input, it stores what is
   * missing. The caller skips input that {@link covers} has passed.
   */
  async append(letters: readonly DeadLetter[], covers: Position, signal: AbortSignal): Promise<void> {
    const { part } = this.#tail;
    await this.#appendFrom(part !== undefined && same(part.of, covers) ? part.entries : 0, letters, covers, signal);
  }

  /** D5. The letters that are not stored. `covered`: all of the input up to there was processed before. */
  async missing(
    letters: readonly DeadLetter[],
    covered: number,
    isOfInput: (covers: Position) => boolean,
    signal: AbortSignal,
  ): Promise<readonly DeadLetter[]> {
    const isNew = ({ sequence }: DeadLetter) => sequence === null || sequence > covered;
    if (this.#tail.part === undefined && letters.every(isNew)) return letters;
    this.#stored ??= this.#newStored();
    const stored = await this.#stored.among(letters, this.#fenced.sequence, isOfInput, signal);
    return letters.filter((letter) => !stored.has(deadLetterId(letter)));
  }

  /** Stores all of these, which were found to be {@link missing}. */
  async appendMissing(letters: readonly DeadLetter[], covers: Position, signal: AbortSignal): Promise<void> {
    await this.#appendFrom(0, letters, covers, signal);
  }

  async #appendFrom(first: number, given: readonly DeadLetter[], covers: Position, signal: AbortSignal): Promise<void> {
    const { hide } = this.#options;
    const letters = hide === undefined ? given : given.map((letter) => ({ ...letter, text: hide(letter.text) }));
    let next = first;
    while (next < letters.length) {
      const builder = (this.#builder ??= this.#newBuilder());
      // Only as many letters as one frame holds: all of them at once would be in memory twice.
      const some = letters.slice(next, next + maxFrameRecords);
      const room = this.#positionBytes(some, covers);
      const limit = largestRecord(this.#options.maxFrameBytes, room);
      const batch = batchOfLetters(
        firstBytes(some, maxSliceBytes).map((letter) => fitted(letter, limit)),
        room,
      );
      const taken = builder.append(batch, 0, this.#options.clock.now());
      if (taken === 0) throw new RangeError(`dead letter ${next} fits no frame`);
      const total = this.#tail.total + taken;
      const byCode = countLetters(this.#tail.byCode ?? {}, letters.slice(next, next + taken));
      next += taken;
      const position =
        next === letters.length
          ? { covers, total, byCode }
          : { covers: this.#tail.covers, total, byCode, part: { of: covers, entries: next } };
      // One frame in flight (E1), and each depends on its predecessor, so they are sent in turn.
      await this.#fenced.append(builder.finish(position, this.#options.clock.now()), signal);
      this.#tail = position;
    }
  }

  /** The longest position that a frame with any of these letters can have. */
  #positionBytes(letters: readonly DeadLetter[], covers: Position): number {
    const { byCode = {}, covers: before } = this.#tail;
    const codes = new Set([...Object.keys(byCode), ...letters.map(({ code }) => code)]);
    let bytes = positionBaseBytes + bytesOfJson(covers) + bytesOfJson(before);
    for (const code of codes) bytes += code.length + countBytes;
    return bytes;
  }

  #newStored(): StoredLetters {
    const { pid, writer, onWaiting = () => undefined } = this.#options;
    const place = { stream: edgeStream(pid, deadEdge), subject: frameSubject(pid, deadEdge, shard, writer) };
    return new StoredLetters(place, { ...this.#options, onWaiting });
  }

  #newBuilder(): FrameBuilder {
    const { maxFrameBytes } = this.#options;
    return new FrameBuilder({
      maxRecords: maxFrameRecords,
      maxBytes: Math.min(maxFrameBytes, 256 * 1024),
      capBytes: maxFrameBytes,
    });
  }
}

/** Reads dead letters from a stream sequence on, oldest first, in whole frames, until it has at least `limit`. */
export async function readDeadLetters(
  streams: JetStreamPort,
  pid: string,
  options: { readonly fromSequence?: number; readonly limit?: number } = {},
): Promise<{ readonly letters: readonly DeadLetter[]; readonly nextSequence: number }> {
  const stream = edgeStream(pid, deadEdge);
  const letters: DeadLetter[] = [];
  let nextSequence = options.fromSequence ?? 1;
  while (letters.length < (options.limit ?? 100)) {
    const message = await streams.directGet(stream, { seq: nextSequence, next_by_subj: `mr.${pid}.${deadEdge}.>` });
    if (message === null) break;
    letters.push(...deadLettersOf(message.data, { stream, sequence: message.seq }));
    nextSequence = message.seq + 1;
  }
  return { letters, nextSequence };
}

/** The first letters that fit into this many bytes; at least one. */
function firstBytes(letters: readonly DeadLetter[], maxBytes: number): readonly DeadLetter[] {
  let bytes = 0;
  const end = letters.findIndex(({ value, key }) => (bytes += (value?.length ?? 0) + (key?.length ?? 0)) > maxBytes);
  return end < 0 ? letters : letters.slice(0, Math.max(1, end));
}

function bytesOfJson(value: Position): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** `positionBytes`: what the frame reserves for the position. */
function batchOfLetters(letters: readonly DeadLetter[], positionBytes: number): RecordBatch {
  const table = () => new Int32Array(letters.length);
  const [valueStart, valueEnd, keyStart, keyEnd] = [table(), table(), table(), table()] as const;
  const parts: Uint8Array[] = [];
  let end = 0;
  const put = (bytes: Uint8Array | null, index: number, starts: Int32Array, ends: Int32Array) => {
    starts[index] = end;
    if (bytes !== null) {
      parts.push(bytes);
      end += bytes.length;
    }
    ends[index] = bytes === null ? -1 : end;
  };
  letters.forEach((letter, index) => {
    put(letter.value, index, valueStart, valueEnd);
    put(letter.key, index, keyStart, keyEnd);
  });
  return {
    bytes: Buffer.concat(parts),
    count: letters.length,
    valueStart,
    valueEnd,
    keyStart,
    keyEnd,
    timestamps: Float64Array.from(letters, (letter) => letter.timestamp),
    headers: letters.map(headersOfDeadLetter),
    partition: -1,
    positionAfter: () => null,
    // A placeholder that is at least as long as the position that the frame will get (B3).
    position: 'x'.repeat(positionBytes),
  };
}

function same(a: Position, b: Position): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
