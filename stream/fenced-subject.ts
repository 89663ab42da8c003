/**
 * One subject that one owner appends to: the mechanism below edges, commits and dead letters.
 *
 * E1  At most one message is in flight.
 * E4  Each append expects the last sequence that this owner knows. When another owner has appended, it throws
 *     MR_OWNERSHIP_LOST, and so does every later call.
 * E7  When the stream is full, the append tries to have room made, and then waits; it also waits for nats-server. The
 *     caller learns why through `onWaiting`, and may give the message up when it is certainly not stored.
 * E11 A message that must be stored once, whichever owner appends it, carries a note under a subject of its own. Both
 *     are stored atomically, and only if that subject has no note yet; otherwise the append returns the existing
 *     note. A note is a message of the stream like any other, so neither a restart nor sweeping loses it before it
 *     expires.
 * A1  After an append returns, the message is stored once, however many acknowledgements were lost: each message
 *     carries an id of its own, and when an answer is missing the tail tells whether the message arrived.
 *
 * A resent message cannot be stored twice: both copies expect the same sequence, and the first to arrive changes it.
 */
import { assertNever, mr, problemOf, type MillraceError } from '../model/errors.ts';
import { backoffMs, fullBackoff, natsBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import { classifyPublishFailure, type PublishFailure } from './jetstream-errors.ts';
import type { Alongside, JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { uniqueId } from './unique-id.ts';
import { streamMissing } from './stream-missing.ts';
import { untilAnswered } from './until-answered.ts';

export interface FencedOptions {
  readonly streams: JetStreamPort;
  readonly stream: string;
  readonly subject: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called with the reason for waiting, and with undefined when it continues. */
  readonly onWaiting?: (reason: MillraceError | undefined) => void;
  /** Called when the stream has no room by its own limit. */
  readonly room?: Room;
}

export interface Room {
  /**
   * Makes room for a message of this size. Undefined: there may be room now; otherwise the reason why there is none.
   */
  make(bytes: number): Promise<MillraceError | undefined>;
  /** Called after a message was stored. */
  used(): void;
}

export interface AppendOptions {
  /** E11. */
  readonly once?: Alongside;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called when there is no room and the message is certainly not stored: true ends the append without storing it. */
  readonly mayGiveUp?: (reason: MillraceError) => boolean;
}

export interface Tail {
  /** 0: nothing has been appended yet. */
  readonly sequence: number;
  readonly data: Uint8Array | undefined;
}

/** E11: it was stored before, with this note; the tail is unchanged. */
export interface Duplicate {
  readonly outcome: 'duplicate';
  readonly note: string;
}

export type Appended =
  /** `clean`: acknowledged at the first attempt, so the client no longer holds the bytes. */
  | { readonly outcome: 'stored'; readonly sequence: number; readonly clean: boolean }
  | Duplicate
  /**
   * Not stored, because there is no room for `bytes`; the tail is unchanged. Only when the caller gave the message
   * up.
   */
  | { readonly outcome: 'full'; readonly reason: MillraceError; readonly bytes: number };

const idHeader = 'Millrace-Append';
/** What the server adds in its store, and room for headers: for a message and for its note. */
const storedOverheadBytes = 1024;
/** Attempts that follow at once after room was made, because another writer may take it first. */
const quickAttempts = 5;

export class FencedSubject {
  readonly #options: FencedOptions;
  readonly #owner: string;
  #appends = 0;
  #sequence: number;
  #lost: MillraceError | undefined;
  #inFlight = false;
  #hasWaited = false;

  private constructor(options: FencedOptions, sequence: number) {
    this.#options = options;
    this.#owner = uniqueId(options.random);
    this.#sequence = sequence;
  }

  /** Reads the tail (E3) and takes over from it. Waits for server and stream. */
  static async open(options: FencedOptions, signal: AbortSignal): Promise<{ subject: FencedSubject; tail: Tail }> {
    const last = await readLast(options, options.subject, signal);
    const tail = { sequence: last?.seq ?? 0, data: last?.data };
    return { subject: new FencedSubject(options, tail.sequence), tail };
  }

  /** Sequence of the last message of this subject that this owner knows of. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Appends one message. Throws MR_OWNERSHIP_LOST, MR_FRAME_TOO_LARGE, or the signal's reason while it waits between
   * attempts.
   */
  async append(data: Uint8Array, signal: AbortSignal, options: AppendOptions = {}): Promise<Appended> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#inFlight) throw new TypeError(`E1: two appends in flight on ${this.#options.subject}`);
    this.#inFlight = true;
    try {
      return await this.#appendOnce(data, signal, options);
    } finally {
      this.#inFlight = false;
    }
  }

  async #appendOnce(data: Uint8Array, signal: AbortSignal, options: AppendOptions): Promise<Appended> {
    const append: Append = { id: `${this.#owner}/${this.#appends++}`, data, options, attempts: 0, isCertain: true };
    for (;;) {
      const answer = await this.#publish(append);
      const settled = await this.#settle(answer, append, signal);
      append.attempts++;
      if (settled === undefined) continue;
      if (settled.outcome === 'stored') this.#options.room?.used();
      if (this.#hasWaited) this.#options.onWaiting?.(undefined);
      this.#hasWaited = false;
      return settled;
    }
  }

  async #publish({ id, data, options }: Append): Promise<Answer> {
    const { once, headers } = options;
    try {
      const ack = await this.#options.streams.publish(this.#options.subject, data, {
        headers: { ...headers, [idHeader]: id },
        expectLast: this.#sequence,
        ...(once === undefined ? {} : { alongside: once }),
      });
      return { kind: 'stored', sequence: ack.seq };
    } catch (error) {
      return { ...classifyPublishFailure(error), error };
    }
  }

  /** The result of an append, or undefined when it must be sent again. */
  async #settle(answer: Answer, append: Append, signal: AbortSignal): Promise<Appended | undefined> {
    const { stream } = this.#options;
    switch (answer.kind) {
      case 'stored':
        this.#sequence = answer.sequence;
        return { outcome: 'stored', sequence: answer.sequence, clean: append.attempts === 0 };
      case 'wrongSequence': {
        // An earlier attempt of this same message may be what changed the sequence.
        const own =
          (await this.#ownTail(append, signal)) ??
          (append.options.once === undefined ? undefined : await this.storedBefore(append.options.once, signal)) ??
          (await this.#ownTail(append, signal, { mustBeAsKnown: true }));
        // The tail is what this owner expected: the server that refused was lagging behind.
        if (own === undefined) await this.#wait(unavailable(this.#options, answer.error), natsBackoff, append, signal);
        return own;
      }
      case 'inProcess':
      case 'unknown':
        append.isCertain = false;
        await this.#wait(unavailable(this.#options, answer.error), natsBackoff, append, signal);
        return await this.#ownTail(append, signal, { mustBeAsKnown: true });
      case 'full':
        return await this.#makeRoom(answer, append, signal);
      case 'missing':
        await this.#wait(streamMissing(stream), natsBackoff, append, signal);
        return undefined;
      case 'tooLarge': {
        const own = await this.#ownTail(append, signal);
        if (own !== undefined) return own;
        const limit = this.#options.streams.maxPayload ?? 'unknown';
        throw mr('MR_FRAME_TOO_LARGE', { stream, bytes: append.data.length, limit }, { cause: answer.error });
      }
      case 'closed':
        throw answer.error;
      default:
        return assertNever(answer);
    }
  }

  /**
   * The result of an earlier attempt of this same message. Undefined: the last message is not this one. With
   * `mustBeAsKnown` the last message must then be the one that this owner knows; otherwise another owner has
   * appended, and this one is stale.
   */
  async #ownTail({ id }: Append, signal: AbortSignal, { mustBeAsKnown = false } = {}): Promise<Appended | undefined> {
    const last = await readLast(this.#options, this.#options.subject, signal);
    if (last?.header.get(idHeader) === id) return this.#own(last);
    if (mustBeAsKnown && (last?.seq ?? 0) !== this.#sequence) throw this.#lose();
    return undefined;
  }

  /** E11. What an append with this note must return when another append has already stored the note. */
  async storedBefore({ subject }: Alongside, signal: AbortSignal): Promise<Duplicate | undefined> {
    const note = await readLast(this.#options, subject, signal);
    return note === null ? undefined : { outcome: 'duplicate', note: new TextDecoder().decode(note.data) };
  }

  /** E7. */
  async #makeRoom(
    { limit, error }: Extract<Answer, { kind: 'full' }>,
    append: Append,
    signal: AbortSignal,
  ): Promise<Appended | undefined> {
    const { room, streams, stream } = this.#options;
    const bytes = neededBytes(append);
    const reason =
      limit === 'stream'
        ? await (room ?? noRoom(stream)).make(bytes)
        : mr('MR_STORE_FULL', { server: streams.server, stream, limit: problemOf(error) }, { cause: error });
    if (reason === undefined && append.attempts < quickAttempts) return undefined;
    // Other writers took the room that was made.
    const why = reason ?? mr('MR_EDGE_FULL', { edge: stream, bytes });
    if (append.isCertain && append.options.mayGiveUp?.(why) === true) return { outcome: 'full', reason: why, bytes };
    await this.#wait(why, fullBackoff, append, signal);
    return undefined;
  }

  #own(last: StoredMessage): Appended {
    this.#sequence = last.seq;
    return { outcome: 'stored', sequence: last.seq, clean: false };
  }

  #lose(): MillraceError {
    this.#lost = mr('MR_OWNERSHIP_LOST', { writer: this.#options.subject, expected: this.#sequence });
    return this.#lost;
  }

  async #wait(reason: MillraceError, backoff: typeof natsBackoff, append: Append, signal: AbortSignal): Promise<void> {
    this.#hasWaited = true;
    this.#options.onWaiting?.(reason);
    await this.#options.clock.sleep(backoffMs(backoff, append.attempts, this.#options.random), signal);
  }
}

interface Append {
  readonly id: string;
  readonly data: Uint8Array;
  readonly options: AppendOptions;
  attempts: number;
  /** Every attempt so far was answered: none can still arrive. */
  isCertain: boolean;
}

/** The most bytes that an append can take in its stream. */
function neededBytes({ data, options: { once } }: Append): number {
  const alongside = once === undefined ? 0 : once.subject.length + once.data.length;
  return data.length + alongside + storedOverheadBytes;
}

type Answer = { readonly kind: 'stored'; readonly sequence: number } | (PublishFailure & { readonly error: unknown });

/**
 * The last message of a subject, read from the stream's leader: a direct get may be answered by a replica that lags.
 */
function readLast(options: FencedOptions, subject: string, signal: AbortSignal): Promise<StoredMessage | null> {
  const { streams, stream, onWaiting = () => undefined } = options;
  const read = () => streams.getMessage(stream, { last_by_subj: subject });
  return untilAnswered(stream, read, { ...options, onWaiting }, signal);
}

function noRoom(stream: string): Room {
  return { make: (bytes) => Promise.resolve(mr('MR_EDGE_FULL', { edge: stream, bytes })), used: () => undefined };
}

function unavailable(options: FencedOptions, error: unknown): MillraceError {
  return mr('MR_STREAM_UNAVAILABLE', { server: options.streams.server, problem: problemOf(error) }, { cause: error });
}
