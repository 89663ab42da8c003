/**
 * One subject that one owner appends to: the mechanism under edges, commits and dead letters.
 *
 * E1  At most one message is in flight.
 * E4  Each append expects the last sequence that this owner knows. When another has appended, it throws
 *     MR_OWNERSHIP_LOST, and so does every later call.
 * E7  A full stream is waited for; so is nats-server. The caller learns why through `onWaiting`.
 * A1  After an append returns, the message is stored once, however many acknowledgements were lost on the way: each
 *     message carries an id of its own, and when an answer is missing the tail tells whether it arrived.
 *
 * A resent message cannot be stored twice: both copies expect the same sequence, and the first to arrive moves it.
 */
import { assertNever, mr, problemOf, type MillraceError } from '../model/errors.ts';
import { backoffMs, fullBackoff, natsBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { classifyPublishFailure, isConnectionClosed, isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { uniqueId } from './unique-id.ts';

export interface FencedOptions {
  readonly streams: JetStreamPort;
  readonly stream: string;
  readonly subject: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called with what is waited for, and with undefined when it goes on. */
  readonly onWaiting?: (reason: MillraceError | undefined) => void;
}

export interface Tail {
  /** 0: nothing was ever appended. */
  readonly sequence: number;
  readonly data: Uint8Array | undefined;
}

export type Appended =
  /** `clean`: acknowledged at the first attempt, so nothing holds the bytes any more. */
  | { readonly outcome: 'stored'; readonly sequence: number; readonly clean: boolean }
  /** The stream holds a message with this message id already; the tail is as it was. */
  | { readonly outcome: 'duplicate' };

const idHeader = 'Millrace-Append';

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

  /** Reads the tail (E3) and takes over from there. Waits for server and stream. */
  static async open(options: FencedOptions, signal: AbortSignal): Promise<{ subject: FencedSubject; tail: Tail }> {
    const last = await readTail(options, signal);
    const tail = { sequence: last?.seq ?? 0, data: last?.data };
    return { subject: new FencedSubject(options, tail.sequence), tail };
  }

  /** Sequence of the last message of this subject that this owner knows of. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Appends one message. Throws MR_OWNERSHIP_LOST, or the signal's reason while it waits between attempts. */
  async append(data: Uint8Array, signal: AbortSignal, messageId?: string): Promise<Appended> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#inFlight) throw new TypeError(`E1: two appends in flight on ${this.#options.subject}`);
    this.#inFlight = true;
    try {
      return await this.#appendOnce(data, signal, messageId);
    } finally {
      this.#inFlight = false;
    }
  }

  async #appendOnce(data: Uint8Array, signal: AbortSignal, messageId: string | undefined): Promise<Appended> {
    const id = `${this.#owner}/${this.#appends++}`;
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#publish(data, id, messageId);
      const settled = await this.#settle(answer, id, attempt, signal);
      if (settled === undefined) continue;
      if (this.#hasWaited) this.#options.onWaiting?.(undefined);
      this.#hasWaited = false;
      return settled;
    }
  }

  async #publish(data: Uint8Array, id: string, messageId: string | undefined): Promise<Answer> {
    try {
      const ack = await this.#options.streams.publish(this.#options.subject, data, {
        headers: { [idHeader]: id },
        expectLast: this.#sequence,
        ...(messageId === undefined ? {} : { messageId }),
      });
      return { kind: ack.duplicate ? 'duplicate' : 'stored', sequence: ack.seq };
    } catch (error) {
      if (isConnectionClosed(error)) throw error;
      return { kind: classifyPublishFailure(error), error };
    }
  }

  /** The result of an append, or undefined when it must be sent again. */
  async #settle(answer: Answer, id: string, attempt: number, signal: AbortSignal): Promise<Appended | undefined> {
    switch (answer.kind) {
      case 'stored':
        this.#sequence = answer.sequence;
        return { outcome: 'stored', sequence: answer.sequence, clean: attempt === 0 };
      case 'duplicate':
        return (await this.#isOwn(id, signal)) ?? { outcome: 'duplicate' };
      case 'wrongSequence': {
        // An earlier attempt of this very message may be what moved the sequence.
        const own = await this.#isOwn(id, signal);
        if (own !== undefined) return own;
        throw this.#lose();
      }
      case 'ambiguous': {
        await this.#wait(unavailable(this.#options, answer.error), natsBackoff, attempt, signal);
        const last = await readTail(this.#options, signal);
        if (last?.header.get(idHeader) === id) return this.#own(last);
        if ((last?.seq ?? 0) !== this.#sequence) throw this.#lose();
        return undefined;
      }
      case 'full':
        await this.#wait(await this.#fullness(), fullBackoff, attempt, signal);
        return undefined;
      case 'missing':
        await this.#wait(mr('MR_STREAM_MISSING', { stream: this.#options.stream }), natsBackoff, attempt, signal);
        return undefined;
      default:
        return assertNever(answer);
    }
  }

  async #isOwn(id: string, signal: AbortSignal): Promise<Appended | undefined> {
    const last = await readTail(this.#options, signal);
    return last?.header.get(idHeader) === id ? this.#own(last) : undefined;
  }

  #own(last: StoredMessage): Appended {
    this.#sequence = last.seq;
    return { outcome: 'stored', sequence: last.seq, clean: false };
  }

  #lose(): MillraceError {
    this.#lost = mr('MR_OWNERSHIP_LOST', { writer: this.#options.subject, expected: this.#sequence });
    return this.#lost;
  }

  async #fullness(): Promise<MillraceError> {
    const { streams, stream } = this.#options;
    try {
      const { config } = await streams.streamInfo(stream);
      return mr('MR_EDGE_FULL', { edge: stream, bytes: config.max_bytes });
    } catch (error) {
      return unavailable(this.#options, error);
    }
  }

  async #wait(reason: MillraceError, backoff: typeof natsBackoff, attempt: number, signal: AbortSignal): Promise<void> {
    this.#hasWaited = true;
    this.#options.onWaiting?.(reason);
    await this.#options.clock.sleep(backoffMs(backoff, attempt, this.#options.random), signal);
  }
}

type Answer =
  | { readonly kind: 'stored' | 'duplicate'; readonly sequence: number }
  | { readonly kind: 'wrongSequence' | 'full' | 'missing' | 'ambiguous'; readonly error: unknown };

/**
 * The last message of the subject, as the stream's leader has it: a direct get may be answered by a replica that lags.
 */
async function readTail(options: FencedOptions, signal: AbortSignal): Promise<StoredMessage | null> {
  for (let attempt = 0; ; attempt++) {
    try {
      const last = await options.streams.getMessage(options.stream, { last_by_subj: options.subject });
      if (attempt > 0) options.onWaiting?.(undefined);
      return last;
    } catch (error) {
      if (isConnectionClosed(error)) throw error;
      const reason = isStreamNotFound(error)
        ? mr('MR_STREAM_MISSING', { stream: options.stream }, { cause: error })
        : unavailable(options, error);
      options.onWaiting?.(reason);
      await options.clock.sleep(backoffMs(natsBackoff, attempt, options.random), signal);
    }
  }
}

function unavailable(options: FencedOptions, error: unknown): MillraceError {
  return mr('MR_STREAM_UNAVAILABLE', { server: options.streams.server, problem: problemOf(error) }, { cause: error });
}
