/**
 * The HTTP side: receives requests, checks them, gives each to an open slot in turn, answers when it is stored.
 *
 * H3  A request that is not stored is never answered with 202; a request that is refused was not stored, not even in
 *     part. A record that is too large to be kept whole is refused, too (413).
 * H4  Bodies in memory, and the tables of their records, are bounded by {@link inFlightMaxBytes}; beyond it, and
 *     while every slot is blocked, the answer is 429 with Retry-After. However small the chunks of a body are, it
 *     takes no more than twice its size.
 * H5  When it closes, new requests get 503, and accepted ones are answered.
 * H6  A refusal reaches its sender, even one that is still sending.
 * H8  What keeps the slots from taking anything in is said as it is, also when it is a decision that a person must make, to
 *     senders who have shown the token of the source. Where there is none, anybody may send, and nobody is told of what
 *     stands behind the door: the answer says where the reason is.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import { JsonProblem } from '../../model/json-scan.ts';
import { problemAnswer, problemMediaType } from '../../model/problem.ts';
import type { WallClock } from '../../model/clock.ts';
import { encodingOf, encodings, inflateBody, InflatedTooLarge } from './inflate.ts';
import { bodyDigest, longestKey, tokenOf, type RequestKey } from './idempotency.ts';
import { bodyForm, splitRecords, type Ranges } from './split.ts';
import type { Outcome } from './request-batch.ts';
import type { HttpReader } from './reader.ts';

const inFlightMaxBytes = 64 * 2 ** 20;
/** Bytes of the tables that say where a record is, from here to the frame. */
const bytesPerRecord = 24;
const leastBufferBytes = 4 * 1024;
const retryAfterSeconds = 1;
const saidElsewhere = 'it waits, and the condition SourceConnected or Flowing of the pipeline says for what';
const asOnePiece = 'with Idempotency-Key it is stored as one piece';

export interface DoorOptions {
  readonly source: string;
  readonly pid: string;
  readonly path: string;
  readonly maxBodyBytes: number;
  readonly token: string | undefined;
  readonly clock: WallClock;
  /** Limit of one record: a larger one is refused, because it could not be kept whole. */
  readonly maxRecordBytes: () => number;
  /** Limit for this many records with Idempotency-Key: they are stored as one piece. */
  readonly maxTogetherBytes: (records: number) => number;
  /** How long an Idempotency-Key is remembered after its request was answered. */
  readonly keyWindowSeconds: number;
  /** Why slots of this pod take nothing in. */
  readonly waitsFor: () => string | undefined;
  /** More clients are connected than are served. */
  readonly isCrowded: () => boolean;
  /** Identifies the request in its problem document. */
  readonly newRequestId: () => string;
}

interface Request {
  readonly body: Uint8Array;
  readonly ranges: Ranges;
  readonly key: RequestKey | undefined;
}

export class Door {
  readonly #options: DoorOptions;
  readonly #slots: HttpReader[] = [];
  readonly #tokenDigest: Buffer | undefined;
  #turn = 0;
  #inFlightBytes = 0;
  #isClosing = false;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#tokenDigest = options.token === undefined ? undefined : digest(`Bearer ${options.token}`);
  }

  addSlot(reader: HttpReader): void {
    this.#slots.push(reader);
  }

  removeSlot(reader: HttpReader): void {
    const at = this.#slots.indexOf(reader);
    if (at >= 0) this.#slots.splice(at, 1);
  }

  stopTaking(): void {
    this.#isClosing = true;
  }

  /**
   * The listener of the server. `isAsking`: the body comes only when it is asked for. Rejects for defects of this
   * code.
   */
  async handle(request: IncomingMessage, response: ServerResponse, isAsking = false): Promise<void> {
    const reserved = { bytes: 0 };
    const refusal = this.#refusalBeforeBody(request);
    try {
      if (refusal !== undefined) return this.#refuse(request, response, refusal, isAsking);
      if (isAsking) response.writeContinue();
      const taken = await this.#receive(request, reserved);
      const slot = this.#nextSlot();
      if (taken.ranges.start.length === 0) return answer(response, 202, { accepted: 0, ids: [] });
      const outcome = await this.#store(slot, taken);
      this.#report(request, response, taken, outcome);
    } catch (error) {
      if (error instanceof ClientGone) return;
      this.#refuse(request, response, asRefusal(error));
    } finally {
      this.#inFlightBytes -= reserved.bytes;
    }
  }

  // -- what is refused ---------------------------------------------------------------------------------------------

  #refusalBeforeBody(request: IncomingMessage): MillraceError | undefined {
    const { path, source } = this.#options;
    const { method = '', headers } = request;
    const asked = (request.url ?? '').split('?')[0] ?? '';
    if (asked !== path || method !== 'POST') return mr('MR_RECORDS_PATH', { path, method, asked });
    if (!this.#isAuthorized(headers.authorization)) return mr('MR_RECORDS_UNAUTHORIZED', { source });
    if (encodingOf(headers['content-encoding']) === null) {
      return mr('MR_RECORDS_MEDIA_TYPE', { actual: `encoded as ${headers['content-encoding'] ?? ''}` });
    }
    if (bodyForm(headers['content-type']) === undefined) {
      return mr('MR_RECORDS_MEDIA_TYPE', { actual: headers['content-type'] ?? 'of no type' });
    }
    const key = idempotencyKey(request);
    if (key !== undefined && (key.length === 0 || key.length > longestKey)) {
      return mr('MR_RECORDS_INVALID', { problem: `Idempotency-Key must have 1 to ${longestKey} characters` });
    }
    const length = Number(headers['content-length'] ?? 0);
    if (length > this.#limitOf(request)) return this.#tooLarge(request);
    return this.#refusalNow(length);
  }

  /** Refused because of the state of this pod, not because of the request. */
  #refusalNow(more: number): MillraceError | undefined {
    const { source } = this.#options;
    if (this.#isClosing) return mr('MR_RECORDS_NO_SLOT', { source, why: 'it is stopping' });
    if (this.#options.isCrowded()) return mr('MR_RECORDS_BUSY', { source, why: 'too many connections are open' });
    if (this.#slots.length === 0)
      return mr('MR_RECORDS_NO_SLOT', { source, why: this.#reasonOr('no slot is open here') });
    if (this.#slots.every(({ isBlocked }) => isBlocked)) {
      return this.#edgeIsFull();
    }
    if (this.#inFlightBytes + more > inFlightMaxBytes) {
      return mr('MR_RECORDS_BUSY', { source, why: `${inFlightMaxBytes} bytes wait to be stored` });
    }
    return undefined;
  }

  #edgeIsFull(): MillraceError {
    return mr('MR_RECORDS_BUSY', { source: this.#options.source, why: this.#reasonOr('the edge behind it is full') });
  }

  /** H8. */
  #reasonOr(otherwise: string): string {
    const reason = this.#options.waitsFor()?.replace(/\.$/, '');
    if (reason === undefined) return otherwise;
    return this.#tokenDigest === undefined ? saidElsewhere : reason;
  }

  #isAuthorized(authorization: string | undefined): boolean {
    if (this.#tokenDigest === undefined) return true;
    return timingSafeEqual(digest(authorization ?? ''), this.#tokenDigest);
  }

  #limitOf(request: IncomingMessage): number {
    const { maxBodyBytes, maxTogetherBytes } = this.#options;
    return idempotencyKey(request) === undefined ? maxBodyBytes : Math.min(maxBodyBytes, maxTogetherBytes(0));
  }

  #tooLarge(request: IncomingMessage): MillraceError {
    const limit = this.#limitOf(request);
    const why = limit < this.#options.maxBodyBytes ? asOnePiece : 'see maxBodyBytes';
    return mr('MR_RECORDS_TOO_LARGE', { limit, why });
  }

  // -- what is taken -----------------------------------------------------------------------------------------------

  async #receive(request: IncomingMessage, reserved: { bytes: number }): Promise<Request> {
    const body = await this.#inflated(request, await this.#body(request, reserved), reserved);
    const form = bodyForm(request.headers['content-type']) ?? 'json';
    const ranges = splitRecords(body, form);
    this.#reserveTables(body, ranges, reserved);
    this.#checkRecords(ranges);
    const text = idempotencyKey(request);
    if (text === undefined) return { body, ranges, key: undefined };
    this.#checkTogether(ranges);
    const { pid, source, keyWindowSeconds } = this.#options;
    const key = { token: tokenOf(pid, source, text), body: bodyDigest(body, form), forSeconds: keyWindowSeconds };
    return { body, ranges, key };
  }

  #checkTogether({ start, end }: Ranges): void {
    const limit = this.#options.maxTogetherBytes(start.length);
    let bytes = 0;
    for (let index = 0; index < start.length; index++) bytes += end[index]! - start[index]!;
    if (bytes > limit) throw mr('MR_RECORDS_TOO_LARGE', { limit, why: `${start.length} records; ${asOnePiece}` });
  }

  /** H3: only what can be stored may be answered with 202. */
  #checkRecords({ start, end }: Ranges): void {
    const limit = this.#options.maxRecordBytes();
    for (let index = 0; index < start.length; index++) {
      const bytes = end[index]! - start[index]!;
      if (bytes > limit) throw mr('MR_RECORDS_RECORD_TOO_LARGE', { index, bytes, limit });
    }
  }

  /** H4. */
  #reserveTables(body: Uint8Array, { start }: Ranges, reserved: { bytes: number }): void {
    const bytes = start.length * bytesPerRecord;
    if (body.length + bytes > inFlightMaxBytes) {
      const why = `${start.length} records take ${bytes} more in memory`;
      throw mr('MR_RECORDS_TOO_LARGE', { limit: inFlightMaxBytes, why });
    }
    const refusal = this.#refusalNow(bytes);
    if (refusal !== undefined) throw refusal;
    this.#reserve(bytes, reserved);
  }

  /**
   * One buffer that grows: a body in chunks of one byte would take a hundred times as much memory as an array of
   * chunks.
   */
  async #body(request: IncomingMessage, reserved: { bytes: number }): Promise<Uint8Array> {
    const limit = this.#limitOf(request);
    let body = Buffer.alloc(0);
    let length = 0;
    try {
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        const needed = length + chunk.length;
        if (needed > limit) throw this.#tooLarge(request);
        const capacity = needed <= body.length ? body.length : grown(request, needed, body.length, limit);
        const refusal = this.#refusalNow(capacity - body.length);
        if (refusal !== undefined) throw refusal;
        if (capacity > body.length) {
          this.#reserve(capacity - body.length, reserved);
          const larger = Buffer.allocUnsafeSlow(capacity);
          body.copy(larger, 0, 0, length);
          body = larger;
        }
        chunk.copy(body, length);
        length = needed;
      }
    } catch (error) {
      if (!request.complete && request.destroyed) throw new ClientGone();
      throw error;
    }
    return body.subarray(0, length);
  }

  /** The limit of a body applies to its inflated size; memory for it is reserved beforehand. */
  async #inflated(request: IncomingMessage, body: Uint8Array, reserved: { bytes: number }): Promise<Uint8Array> {
    const encoding = encodingOf(request.headers['content-encoding']);
    if (encoding === undefined || encoding === null) return body;
    const limit = this.#limitOf(request);
    const refusal = this.#refusalNow(limit);
    if (refusal !== undefined) throw refusal;
    this.#reserve(limit, reserved);
    try {
      const inflated = await inflateBody(body, encoding, limit);
      this.#reserve(inflated.length - limit, reserved);
      return inflated;
    } catch (error) {
      if (error instanceof InflatedTooLarge) throw this.#tooLarge(request);
      throw mr('MR_RECORDS_INVALID', { problem: `it is not ${encoding}: ${problemOf(error)}` }, { cause: error });
    }
  }

  #reserve(bytes: number, reserved: { bytes: number }): void {
    reserved.bytes += bytes;
    this.#inFlightBytes += bytes;
  }

  /** The next open slot that is not blocked, in turn. */
  #nextSlot(): HttpReader {
    const refusal = this.#refusalNow(0);
    if (refusal !== undefined) throw refusal;
    for (;;) {
      this.#turn = (this.#turn + 1) % this.#slots.length;
      const slot = this.#slots[this.#turn];
      if (slot !== undefined && !slot.isBlocked) return slot;
    }
  }

  #store(slot: HttpReader, { body, ranges, key }: Request): Promise<Outcome> {
    return new Promise((settle) => {
      slot.push({ body, ranges, key, receivedAt: this.#options.clock.now(), settle });
    });
  }

  // -- answers -----------------------------------------------------------------------------------------------------

  #report(request: IncomingMessage, response: ServerResponse, taken: Request, outcome: Outcome): void {
    const accepted = taken.ranges.start.length;
    switch (outcome.outcome) {
      case 'stored':
        return answer(response, 202, { accepted, ids: outcome.ids, lastId: outcome.lastId });
      case 'duplicate':
        return answer(response, 202, { accepted, ids: outcome.ids, lastId: outcome.lastId, duplicate: true });
      case 'keyReused':
        return this.#refuse(request, response, mr('MR_RECORDS_KEY_REUSED', { source: this.#options.source }));
      case 'keysFull': {
        const { source } = this.#options;
        return this.#refuse(request, response, mr('MR_RECORDS_KEYS_FULL', { source, most: outcome.most }));
      }
      case 'full':
        return this.#refuse(request, response, this.#edgeIsFull());
      case 'unknown': {
        // It failed, was moved to another pod, or the pod stops: which of these is not known yet.
        const why = 'the slot was given up before it could say whether the records are stored';
        return this.#refuse(request, response, mr('MR_RECORDS_NO_SLOT', { source: this.#options.source, why }));
      }
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: MillraceError, isAsking = false): void {
    if (error.handling === 'retry') response.setHeader('Retry-After', retryAfterSeconds);
    if (error.code === 'MR_RECORDS_MEDIA_TYPE') response.setHeader('Accept-Encoding', encodings.join(', '));
    const isOver = this.#isClosing || this.#options.isCrowded();
    // A client that waits for 100-continue sends no body now, so the next bytes on the connection would be taken for
    // it.
    if (isAsking || (isOver && request.complete)) response.setHeader('Connection', 'close');
    else if (!request.complete) forget(request, isOver);
    answer(response, error.http, problemAnswer(error, this.#options.newRequestId()), problemMediaType);
  }
}

class ClientGone extends Error {}

/** More than any client sends without reading its answers. */
const mostForgottenBytes = 256 * 2 ** 20;

/**
 * H6: reads on what is left of a refused body, so that the sender, who may still be writing, finds the answer. A
 * connection that is closed under it ends in a reset, and the answer is lost.
 */
function forget(request: IncomingMessage, isLast: boolean): void {
  let left = mostForgottenBytes;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  if (isLast) request.once('end', () => request.socket.end());
  request.on('error', () => undefined); // The sender has gone: nobody waits for the answer.
  request.resume();
}

/** The next size of a body's buffer: twice as large, and never more than the sender has announced. */
function grown(request: IncomingMessage, needed: number, size: number, limit: number): number {
  const announced = Number(request.headers['content-length'] ?? limit);
  return Math.max(needed, Math.min(announced, limit, Math.max(leastBufferBytes, size * 2)));
}

function asRefusal(error: unknown): MillraceError {
  if (error instanceof JsonProblem) return mr('MR_RECORDS_INVALID', { problem: error.message });
  if (error instanceof MillraceError) return error;
  return mr('MR_INTERNAL', { problem: problemOf(error) }, { cause: error });
}

function answer(response: ServerResponse, status: number, body: object, type = 'application/json'): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function idempotencyKey(request: IncomingMessage): string | undefined {
  const value = request.headers['idempotency-key'];
  return Array.isArray(value) ? value[0] : value;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
