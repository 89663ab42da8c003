/**
 * Packs records into a frame (layout: `./frame.ts`). Holds one open frame at a time and reuses its buffers.
 *
 * No object, closure or view is created per record: `Buffer.copy` into an existing buffer costs 40 ns for 200 bytes, a
 * subarray with `set` twice that, and a fresh 256 KiB buffer for each frame more than all copies together. That is why
 * finished frames come from a pool, and `recycle` returns them to it.
 */
import { crc32, zstdCompressSync } from 'node:zlib';
import {
  at,
  checksumBytes,
  codecs,
  flags,
  frameMagic,
  frameVersion,
  headerBytes,
  runBytes,
  unlinked,
  type Codec,
  type FrameLink,
} from './frame.ts';
import { largestRecord, leastPositionBytes, worstFrameBytes, worstRecordBytes } from './frame-size.ts';
import type { Position, RecordBatch } from './record-batch.ts';

export interface FrameLimits {
  readonly maxRecords: number;
  /** A frame closes before the record that would exceed this; a single larger record gets a frame of its own. */
  readonly maxBytes: number;
  /** The hard limit of a frame, everything counted (`./frame-size.ts`). A record that fits no frame is not taken. */
  readonly capBytes: number;
}

/** Bytes that tables and header add to a typical frame. */
const usualOverheadBytes = 16 * 1024;
/** The initial buffer of a builder whose frames may be larger: most are not. */
const firstBufferBytes = 512 * 1024;
const pooledFrames = 4;
const nothing = Buffer.alloc(0);

export class FrameBuilder {
  readonly #limits: FrameLimits;
  readonly #codec: Codec;
  readonly #pool: Buffer[] = [];

  #buffer: Buffer;
  #end = headerBytes;
  #keys: Buffer = Buffer.allocUnsafe(4096);
  #keyEnd = 0;
  #valueLengths = new Int32Array(1024);
  #keyLengths = new Int32Array(1024);
  #times = new Float64Array(1024);
  #count = 0;
  #hasKeys = false;
  #wideTimes = false;
  #runRecords: number[] = [];
  #runPartitions: number[] = [];
  #runOffsets: bigint[] = [];
  #nextOffset = -1n;
  #headerRecords: number[] = [];
  #headerTexts: Buffer[] = [];
  #headerTextBytes = 0;
  #ingestMin = 0;
  #ingestMax = 0;
  /** Table bytes of the records in the open frame, in the worst case. */
  #worst = 0;
  /** Bytes reserved for the position. */
  #positionRoom = leastPositionBytes;
  #measured: RecordBatch | undefined;

  constructor(limits: FrameLimits, codec: Codec = 'none') {
    this.#limits = limits;
    this.#codec = codec;
    this.#buffer = this.#take(this.#usualBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of values, keys and headers so far. */
  get bytes(): number {
    return this.#end - headerBytes + this.#keyEnd + this.#headerTextBytes;
  }

  get isFull(): boolean {
    return this.#count >= this.#limits.maxRecords || this.bytes >= this.#limits.maxBytes;
  }

  /** Value, key and header text of the largest record that fits. */
  get largestRecord(): number {
    return largestRecord(this.#limits.capBytes, this.#positionRoom);
  }

  /**
   * Takes records starting at `from` for as long as they fit, and returns the index of the first that it did not take:
   * `batch.count` when all were taken. The caller then closes the frame, or handles a record that no frame can hold
   * ({@link largestRecord}).
   */
  append(batch: RecordBatch, from: number, nowMs: number): number {
    const { valueStart, valueEnd, keyStart, keyEnd, timestamps, headers } = batch;
    const { maxRecords, maxBytes, capBytes } = this.#limits;
    this.#makePositionRoom(batch);
    const worstOfAll = capBytes - worstFrameBytes(0, this.#positionRoom);
    const source = asBuffer(batch.bytes);
    let index = from;
    for (; index < batch.count; index++) {
      const start = valueStart[index]!;
      const end = valueEnd[index]!;
      const keyAt = keyStart[index]!;
      const keyTo = keyEnd[index]!;
      const text = headers?.[index];
      const pairs = text === undefined || text.length === 0 ? undefined : Buffer.from(JSON.stringify(text));
      const valueLength = end < 0 ? 0 : end - start;
      const keyLength = keyTo < 0 ? 0 : keyTo - keyAt;
      const size = valueLength + keyLength + (pairs?.length ?? 0);
      const worst = worstRecordBytes(size, pairs !== undefined);
      if (this.#worst + worst > worstOfAll) break;
      if (this.#count > 0 && (this.#count >= maxRecords || this.bytes + size > maxBytes)) break;
      this.#worst += worst;
      this.#reserve(valueLength, keyLength);
      const slot = this.#count++;
      if (valueLength > 0) source.copy(this.#buffer, this.#end, start, end);
      this.#end += valueLength;
      this.#valueLengths[slot] = end < 0 ? -1 : valueLength;
      if (keyTo >= 0) {
        this.#hasKeys = true;
        if (keyLength > 0) source.copy(this.#keys, this.#keyEnd, keyAt, keyTo);
        this.#keyEnd += keyLength;
        this.#keyLengths[slot] = keyLength;
      } else {
        this.#keyLengths[slot] = -1;
      }
      const time = timestamps[index]!;
      this.#times[slot] = time;
      const delta = time - this.#times[0]!;
      if ((delta | 0) !== delta) this.#wideTimes = true;
      if (pairs !== undefined) {
        this.#headerRecords.push(slot);
        this.#headerTexts.push(pairs);
        this.#headerTextBytes += pairs.length;
      }
    }
    if (index > from) this.#took(batch, from, index, nowMs);
    return index;
  }

  /**
   * Closes the frame and starts the next. `position`: the writer's input is covered up to here (E2); undefined: the
   * writer has read nothing yet.
   */
  finish(position: Position | undefined, nowMs: number, link: FrameLink = unlinked): Buffer {
    if (this.#count === 0) this.#ingestMin = this.#ingestMax = nowMs;
    const positionText = position === undefined ? nothing : Buffer.from(JSON.stringify(position));
    const valueBytes = this.#end - headerBytes;
    this.#grow(this.#keyEnd + this.#tableBytes() + positionText.length + checksumBytes);
    const bodyEnd = this.#writeTables();
    let frame = this.#buffer;
    let storedEnd = bodyEnd;
    const packed = this.#codec === 'zstd' ? zstdCompressSync(frame.subarray(headerBytes, bodyEnd)) : undefined;
    // What compression does not make smaller is stored as it is, so a frame never exceeds the size that was counted.
    const isPacked = packed !== undefined && packed.length < bodyEnd - headerBytes;
    if (isPacked) {
      frame = this.#take(headerBytes + packed.length + positionText.length + checksumBytes);
      packed.copy(frame, headerBytes);
      storedEnd = headerBytes + packed.length;
    }
    frame.writeUInt8(codecs[isPacked ? this.#codec : 'none'], at.codec);
    this.#writeHeader(frame, valueBytes, bodyEnd - headerBytes, storedEnd - headerBytes, positionText.length, link);
    positionText.copy(frame, storedEnd);
    const end = storedEnd + positionText.length;
    frame.writeUInt32LE(crc32(frame.subarray(0, end)), end);
    if (frame === this.#buffer) this.#buffer = this.#take(this.#usualBytes);
    this.#reset();
    return frame.subarray(0, end + checksumBytes);
  }

  /** Discards the content of the open frame: its records must not be stored. */
  clear(): void {
    this.#reset();
  }

  /**
   * Returns the memory of a finished frame to the pool. Only for a frame that was acknowledged at its first publish:
   * after a reconnect the client may still hold the bytes of an earlier attempt. A buffer of unusual size is left to
   * the collector.
   */
  recycle(frame: Buffer): void {
    if (this.#pool.length < pooledFrames && frame.buffer.byteLength <= 2 * this.#usualBytes)
      this.#pool.push(Buffer.from(frame.buffer, frame.byteOffset));
  }

  get #usualBytes(): number {
    return headerBytes + Math.min(this.#limits.maxBytes, firstBufferBytes) + usualOverheadBytes;
  }

  /** No position within a batch is longer than the one after it (B3), so one check covers all of its frames. */
  #makePositionRoom(batch: RecordBatch): void {
    if (batch === this.#measured) return;
    this.#measured = batch;
    this.#positionRoom = Math.max(leastPositionBytes, Buffer.byteLength(JSON.stringify(batch.position)));
  }

  #took(batch: RecordBatch, from: number, to: number, nowMs: number): void {
    if (this.#count === to - from) this.#ingestMin = nowMs;
    this.#ingestMax = nowMs;
    const { offsets, partition } = batch;
    if (offsets === undefined) {
      this.#addRun(to - from, partition, -1n);
      return;
    }
    // Offsets increase, so a range whose ends are as far apart as its length has no gap: one comparison instead of
    // one per record.
    if (offsets[to - 1]! - offsets[from]! === BigInt(to - from - 1)) {
      this.#addRun(to - from, partition, offsets[from]!);
      return;
    }
    for (let index = from; index < to; index++) this.#addRun(1, partition, offsets[index]!);
  }

  #addRun(records: number, partition: number, firstOffset: bigint): void {
    const last = this.#runRecords.length - 1;
    if (last >= 0 && this.#runPartitions[last] === partition && this.#nextOffset === firstOffset) {
      this.#runRecords[last]! += records;
    } else {
      this.#runRecords.push(records);
      this.#runPartitions.push(partition);
      this.#runOffsets.push(firstOffset);
    }
    this.#nextOffset = firstOffset < 0n ? -1n : firstOffset + BigInt(records);
  }

  #tableBytes(): number {
    const perRecord = 4 + (this.#hasKeys ? 4 : 0) + (this.#wideTimes ? 8 : 4);
    return (
      this.#count * perRecord +
      this.#runRecords.length * runBytes +
      this.#headerTextBytes +
      this.#headerTexts.length * 8
    );
  }

  #writeTables(): number {
    const { count } = this;
    let end = this.#end;
    const put = (table: Uint8Array) => {
      this.#buffer.set(table, end);
      end += table.length;
    };
    put(this.#keys.subarray(0, this.#keyEnd));
    put(new Uint8Array(this.#valueLengths.buffer, 0, count * 4));
    if (this.#hasKeys) put(new Uint8Array(this.#keyLengths.buffer, 0, count * 4));
    if (this.#wideTimes) {
      put(new Uint8Array(this.#times.buffer, 0, count * 8));
    } else {
      const deltas = new Int32Array(count);
      const base = this.#times[0]!;
      for (let index = 0; index < count; index++) deltas[index] = this.#times[index]! - base;
      put(new Uint8Array(deltas.buffer));
    }
    for (let run = 0; run < this.#runRecords.length; run++) {
      this.#buffer.writeUInt32LE(this.#runRecords[run]!, end);
      this.#buffer.writeInt32LE(this.#runPartitions[run]!, end + 4);
      this.#buffer.writeBigInt64LE(this.#runOffsets[run]!, end + 8);
      end += runBytes;
    }
    for (let entry = 0; entry < this.#headerTexts.length; entry++) {
      const text = this.#headerTexts[entry]!;
      this.#buffer.writeUInt32LE(this.#headerRecords[entry]!, end);
      this.#buffer.writeUInt32LE(text.length, end + 4);
      end += 8;
      put(text);
    }
    return end;
  }

  #writeHeader(
    frame: Buffer,
    valueBytes: number,
    bodyBytes: number,
    storedBytes: number,
    positionBytes: number,
    link: FrameLink,
  ): void {
    frame.writeUInt32LE(frameMagic, at.magic);
    frame.writeUInt8(frameVersion, at.version);
    frame.writeUInt16LE(
      (this.#hasKeys ? flags.keys : 0) |
        (this.#wideTimes ? flags.wideTimes : 0) |
        (positionBytes === 0 ? flags.unbegun : 0),
      at.flags,
    );
    frame.writeUInt32LE(this.#count, at.count);
    frame.writeUInt32LE(this.#runRecords.length, at.runs);
    frame.writeDoubleLE(this.#ingestMin, at.ingestMin);
    frame.writeDoubleLE(this.#ingestMax, at.ingestMax);
    frame.writeDoubleLE(this.#count === 0 ? 0 : this.#times[0]!, at.timeBase);
    frame.writeUInt32LE(valueBytes, at.valueBytes);
    frame.writeUInt32LE(this.#keyEnd, at.keyBytes);
    frame.writeUInt32LE(this.#headerTexts.length, at.headerEntries);
    frame.writeUInt32LE(bodyBytes, at.bodyBytes);
    frame.writeUInt32LE(storedBytes, at.storedBytes);
    frame.writeUInt32LE(positionBytes, at.positionBytes);
    frame.writeDoubleLE(link.plan, at.plan);
    frame.writeDoubleLE(link.predecessor, at.predecessor);
    frame.writeUInt32LE(link.predecessorCheck, at.predecessorCheck);
    // The 4 reserved bytes after it are cleared: the buffer is reused, and a frame must not depend on its predecessor.
    frame.writeUInt32LE(0, at.predecessorCheck + 4);
  }

  #reserve(valueLength: number, keyLength: number): void {
    if (this.#end + valueLength > this.#buffer.length) this.#grow(valueLength);
    if (this.#keyEnd + keyLength > this.#keys.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#keys.length * 2, this.#keyEnd + keyLength));
      this.#keys.copy(larger, 0, 0, this.#keyEnd);
      this.#keys = larger;
    }
    if (this.#count < this.#valueLengths.length) return;
    this.#valueLengths = doubled(this.#valueLengths);
    this.#keyLengths = doubled(this.#keyLengths);
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
  }

  #grow(more: number): void {
    if (this.#end + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#end + more));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }

  #take(bytes: number): Buffer {
    const pooled = this.#pool.pop();
    return pooled !== undefined && pooled.length >= bytes ? pooled : Buffer.allocUnsafeSlow(bytes);
  }

  #reset(): void {
    this.#measured = undefined;
    this.#worst = 0;
    this.#end = headerBytes;
    this.#keyEnd = 0;
    this.#count = 0;
    this.#hasKeys = false;
    this.#wideTimes = false;
    this.#runRecords = [];
    this.#runPartitions = [];
    this.#runOffsets = [];
    this.#nextOffset = -1n;
    this.#headerRecords = [];
    this.#headerTexts = [];
    this.#headerTextBytes = 0;
  }
}

/** A frame without records (E5). */
export function emptyFrame(position: Position | undefined, nowMs: number, link: FrameLink): Buffer {
  return new FrameBuilder({ maxRecords: 1, maxBytes: 1, capBytes: 1 }).finish(position, nowMs, link);
}

function doubled(table: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(table.length * 2);
  larger.set(table);
  return larger;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
