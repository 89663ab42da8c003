/**
 * Opens a frame (layout: `./frame.ts`): tables of where each record is, no object per record.
 *
 * F1 is implemented here: every length is checked against the bytes that exist before it is used. So even bytes with a
 * valid checksum that no builder wrote end in MR_FRAME_CORRUPT.
 */
import { isUtf8 } from 'node:buffer';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { parseJson } from '../model/json.ts';
import type { RecordMeta } from '../model/value.ts';
import {
  at,
  checkOf,
  checksumBytes,
  codecs,
  firstHeaderBytes,
  firstVersion,
  flags,
  frameMagic,
  frameVersion,
  headerBytes,
  knownFlags,
  maxBodyBytes,
  runBytes,
  type FrameLink,
} from './frame.ts';
import type { Header, Position } from './record-batch.ts';

/** Where a frame was read, for error messages. */
export interface FramePlace {
  readonly stream: string;
  readonly sequence: number;
}

export interface Frame {
  /** Plan and predecessor; undefined in a frame of version 1, which names neither. */
  readonly link: FrameLink | undefined;
  /** Checksum by which the next frame of this writer names this one. */
  readonly check: number;
  readonly count: number;
  /** Milliseconds since 1970: when the first and the last record were ingested. */
  readonly ingestMin: number;
  readonly ingestMax: number;
  /** Undefined: the writer has read nothing yet. */
  readonly position: Position | undefined;
  /** Values and keys; the tables point into it. */
  readonly bytes: Uint8Array;
  /** All values end before this offset. */
  readonly valueBytes: number;
  readonly valueStart: Int32Array;
  /** -1: null. */
  readonly valueEnd: Int32Array;
  readonly keyStart: Int32Array;
  /** -1: no key. */
  readonly keyEnd: Int32Array;
  readonly timestamps: Float64Array;
  readonly runs: readonly Run[];
  readonly headers: ReadonlyMap<number, readonly Header[]>;
}

/** Consecutive records of one partition with consecutive offsets. */
export interface Run {
  readonly records: number;
  /** -1: none. */
  readonly partition: number;
  /** -1: none. */
  readonly firstOffset: bigint;
}

const headerPairs = z.array(z.tuple([z.string(), z.string()]));
const noHeaders: ReadonlyMap<number, readonly Header[]> = new Map();

/** The generation of the plan under which it was written; 0 in a frame of version 1. */
export function planIn({ link }: Pick<Frame, 'link'>): number {
  return link?.plan ?? 0;
}

export function decodeFrame(bytes: Uint8Array, place: FramePlace): Frame {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: problemOf(error) }, { cause: error });
  }
}

function decode(bytes: Buffer): Frame {
  must(bytes.length >= firstHeaderBytes + checksumBytes, 'it is shorter than a header');
  must(bytes.readUInt32LE(at.magic) === frameMagic, 'it does not begin with MRF1');
  const version = bytes.readUInt8(at.version);
  must(version === frameVersion || version === firstVersion, `version ${version} is not known`);
  const start = version === firstVersion ? firstHeaderBytes : headerBytes;
  const storedBytes = bytes.readUInt32LE(at.storedBytes);
  const positionBytes = bytes.readUInt32LE(at.positionBytes);
  const end = start + storedBytes + positionBytes;
  must(end + checksumBytes === bytes.length, 'its length is not what its header says');
  must(crc32(bytes.subarray(0, end)) === bytes.readUInt32LE(end), 'its checksum does not match');

  const frameFlags = bytes.readUInt16LE(at.flags);
  must((frameFlags & ~knownFlags) === 0, 'it has flags that are not known');
  const stored = bytes.subarray(start, start + storedBytes);
  const body = openBody(bytes, stored);
  return {
    link: version === firstVersion ? undefined : linkOf(bytes),
    check: checkOf(bytes),
    position: positionOf(bytes.subarray(start + storedBytes, end), frameFlags),
    ...tablesOf(bytes, body, frameFlags),
  };
}

function linkOf(bytes: Buffer): FrameLink {
  const plan = bytes.readDoubleLE(at.plan);
  const predecessor = bytes.readDoubleLE(at.predecessor);
  must(Number.isSafeInteger(plan) && plan >= 0, 'its plan is no generation');
  must(Number.isSafeInteger(predecessor) && predecessor >= 0, 'its predecessor is no sequence');
  return { plan, predecessor, predecessorCheck: bytes.readUInt32LE(at.predecessorCheck) };
}

function positionOf(text: Buffer, frameFlags: number): Position | undefined {
  if ((frameFlags & flags.unbegun) === 0) return parseJson(text.toString('utf8'));
  must(text.length === 0, 'it has a position although its writer has not started');
  return undefined;
}

function openBody(header: Buffer, stored: Buffer): Buffer {
  const bodyBytes = header.readUInt32LE(at.bodyBytes);
  const codec = header.readUInt8(at.codec);
  must(codec === codecs.none || codec === codecs.zstd, `codec ${codec} is not known`);
  must(bodyBytes <= maxBodyBytes, 'its body is too long');
  const body = codec === codecs.none ? stored : zstdDecompressSync(stored, { maxOutputLength: Math.max(1, bodyBytes) });
  must(body.length === bodyBytes, 'its body is not as long as its header says');
  return body;
}

type Tables = Omit<Frame, 'position' | 'link' | 'check'>;

function tablesOf(header: Buffer, body: Buffer, frameFlags: number): Tables {
  const count = header.readUInt32LE(at.count);
  const runCount = header.readUInt32LE(at.runs);
  const valueBytes = header.readUInt32LE(at.valueBytes);
  const keyBytes = header.readUInt32LE(at.keyBytes);
  const headerEntries = header.readUInt32LE(at.headerEntries);
  const wide = (frameFlags & flags.wideTimes) !== 0;
  const hasKeys = (frameFlags & flags.keys) !== 0;
  const least =
    valueBytes + keyBytes + count * (4 + (hasKeys ? 4 : 0) + (wide ? 8 : 4)) + runCount * runBytes + headerEntries * 8;
  must(least <= body.length, 'its tables do not fit its body');

  let from = valueBytes + keyBytes;
  const table = (size: number): ArrayBuffer => {
    // Copied, because a typed array needs an aligned start, and a message starts anywhere in the socket's buffer.
    const aligned = new Uint8Array(size);
    aligned.set(body.subarray(from, from + size));
    from += size;
    return aligned.buffer;
  };
  const valueEnd = new Int32Array(table(count * 4));
  const valueStart = startsOf(valueEnd, 0, valueBytes, 'values');
  const keyEnd = hasKeys ? new Int32Array(table(count * 4)) : new Int32Array(count).fill(-1);
  const keyStart = startsOf(keyEnd, valueBytes, valueBytes + keyBytes, 'keys');
  const timestamps = wide
    ? new Float64Array(table(count * 8))
    : timesOf(new Int32Array(table(count * 4)), header.readDoubleLE(at.timeBase));
  const runs = runsOf(body, from, runCount, count);
  return {
    count,
    ingestMin: header.readDoubleLE(at.ingestMin),
    ingestMax: header.readDoubleLE(at.ingestMax),
    bytes: body,
    valueBytes,
    valueStart,
    valueEnd,
    keyStart,
    keyEnd,
    timestamps,
    runs,
    headers: headersOf(body, from + runCount * runBytes, headerEntries, count),
  };
}

/** Turns lengths into ends in place, and returns the starts. */
function startsOf(lengths: Int32Array, first: number, last: number, what: string): Int32Array {
  const starts = new Int32Array(lengths.length);
  let next = first;
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index]!;
    must(length >= -1, `a length in its ${what} is negative`);
    starts[index] = next;
    if (length < 0) continue;
    next += length;
    must(next <= last, `its ${what} are longer than their region`);
    lengths[index] = next;
  }
  must(next === last, `its ${what} are shorter than their region`);
  return starts;
}

function timesOf(deltas: Int32Array, base: number): Float64Array {
  const times = new Float64Array(deltas.length);
  for (let index = 0; index < deltas.length; index++) times[index] = base + deltas[index]!;
  return times;
}

function runsOf(body: Buffer, from: number, runCount: number, count: number): Run[] {
  const runs: Run[] = [];
  let records = 0;
  for (let run = 0; run < runCount; run++) {
    const start = from + run * runBytes;
    const length = body.readUInt32LE(start);
    records += length;
    runs.push({ records: length, partition: body.readInt32LE(start + 4), firstOffset: body.readBigInt64LE(start + 8) });
  }
  must(records === count, 'its runs do not cover its records');
  return runs;
}

function headersOf(body: Buffer, from: number, entries: number, count: number): ReadonlyMap<number, readonly Header[]> {
  let next = from;
  const headers = entries === 0 ? noHeaders : new Map<number, readonly Header[]>();
  for (let entry = 0; entry < entries; entry++) {
    must(next + 8 <= body.length, 'its headers are cut off');
    const record = body.readUInt32LE(next);
    const length = body.readUInt32LE(next + 4);
    next += 8;
    must(record < count && next + length <= body.length, 'its headers do not fit');
    if (headers instanceof Map)
      headers.set(record, headerPairs.parse(JSON.parse(body.toString('utf8', next, next + length))));
    next += length;
  }
  must(next === body.length, 'its body is longer than its tables');
  return headers;
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new RangeError(otherwise);
}

function notText(field: string): Error {
  return mr('MR_RECORD_MISFIT', { field, wanted: 'UTF-8 text', actual: 'bytes that are none' });
}

/** Headers that are UTF-8 can be read although others are not. */
function refuseToRead(headers: Record<string, string>, name: string): void {
  const get = () => {
    throw notText(`meta.headers[${JSON.stringify(name)}]`);
  };
  Object.defineProperty(headers, name, { get, enumerable: true });
}

/**
 * `meta` of one record after another: a single object for a whole frame, moved by {@link at}. Code that keeps it past
 * the next record must copy it. Bytes that are not UTF-8 are refused when they are read (MR_RECORD_MISFIT), never
 * replaced.
 */
export class FrameMeta implements RecordMeta {
  readonly source: string;
  readonly topic: string | null;
  readonly #frame: Frame;
  #index = 0;
  #run = 0;
  #runStart = 0;

  constructor(frame: Frame, source: string, topic: string | null) {
    this.#frame = frame;
    this.source = source;
    this.topic = topic;
  }

  at(index: number): this {
    if (index < this.#runStart) this.#run = this.#runStart = 0;
    this.#index = index;
    for (;;) {
      const run = this.#frame.runs[this.#run];
      if (run === undefined || index < this.#runStart + run.records) return this;
      this.#runStart += run.records;
      this.#run++;
    }
  }

  get partition(): number | null {
    const partition = this.#frame.runs[this.#run]?.partition ?? -1;
    return partition < 0 ? null : partition;
  }

  get offset(): bigint | null {
    const first = this.#frame.runs[this.#run]?.firstOffset ?? -1n;
    return first < 0n ? null : first + BigInt(this.#index - this.#runStart);
  }

  get key(): string | null {
    const { keyStart, keyEnd, bytes } = this.#frame;
    const end = keyEnd[this.#index]!;
    if (end < 0) return null;
    const from = bytes.byteOffset + keyStart[this.#index]!;
    const key = Buffer.from(bytes.buffer, from, bytes.byteOffset + end - from);
    if (!isUtf8(key)) throw notText('meta.key');
    return key.toString();
  }

  get headers(): Readonly<Record<string, string>> {
    const pairs = this.#frame.headers.get(this.#index) ?? [];
    const headers: Record<string, string> = Object.fromEntries(pairs);
    for (const [name, value] of pairs) {
      if (!name.isWellFormed()) throw notText('meta.headers');
      if (!value.isWellFormed()) refuseToRead(headers, name);
    }
    return headers;
  }

  get timestamp(): number {
    return this.#frame.timestamps[this.#index]!;
  }
}
