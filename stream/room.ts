/**
 * Room in a stream that refuses what does not fit. JetStream reserves a stream's limit at once, so the limit begins small
 * and follows the use: a server holds hundreds of pipelines, and each may grow to what its spec allows.
 *
 * M1  A stream that is full grows, by doubling, up to `most`. What stops it before that (the store, the account) is named.
 * M2  At `most` it is full, and whoever appends waits (E7), unless something may be dropped.
 * M3  A stream that is full of nothing but last messages grows all the same, by what the next message needs: they are the
 *     writers' checkpoints and never go away, so without that nothing would ever move again, whatever the sizes.
 *     Notes of keys (E11) are such messages, too, and are not waited for: how many there are is bounded elsewhere
 *     (`./key-share.ts`).
 * M4  What is not used is given back after a while, by halves.
 *
 * Several writers may do this at once: each looks before it changes, and one that grew twice is made smaller again.
 */
import { mr, problemOf, type MillraceError } from '../model/errors.ts';
import type { Clock } from './clock.ts';
import type { Room } from './fenced-subject.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';

/** What an edge and the dead letters of a pipeline reserve at the beginning; less where the spec allows less. */
export const firstBytes = { edge: 16 * 2 ** 20, deadLetters: 2 ** 20 } as const;

export interface StreamRoomOptions {
  readonly streams: JetStreamPort;
  readonly stream: string;
  /** What the limit is at the beginning, and what it shrinks to; not above `most`. */
  readonly first: number;
  readonly most: number;
  readonly clock: Clock;
  /** Told of a look that failed; the next one comes all the same. */
  readonly onFailure?: (error: unknown) => void;
  /** M3. Not where the last messages are what the limit is about. */
  readonly mayExceed: boolean;
  /** Why there is no room, when nothing can be done. */
  readonly full: (bytes: number) => MillraceError;
  /** Removes what nobody needs any more; asked first. */
  readonly sweep?: () => Promise<void>;
  /** Removes what somebody might still want, for a message of so many bytes; asked last. True: something is gone. */
  readonly drop?: (bytes: number) => Promise<boolean>;
}

interface Look {
  readonly limit: number;
  readonly used: number;
  readonly isAllLast: boolean;
}

const firstLookMs = 30_000;
/** A stream that keeps what it holds is left alone after a while: until it is used again it will not become smaller. */
const lastLookMs = 10 * 60_000;

export class StreamRoom implements Room {
  readonly #options: StreamRoomOptions;
  #isLarge = true;
  #lookMs = firstLookMs;
  #cancelLook: (() => void) | undefined;
  #closed = false;

  constructor(options: StreamRoomOptions) {
    this.#options = { ...options, first: Math.min(options.first, options.most) };
  }

  async make(bytes: number): Promise<MillraceError | undefined> {
    const { streams, sweep, drop, full } = this.#options;
    try {
      await sweep?.();
      const look = await this.#look();
      if (look.used + bytes <= look.limit) return undefined;
      const larger = this.#doubled(look, bytes) ?? this.#exceeding(look, bytes);
      if (larger !== undefined) return await this.#grow(larger);
      if (drop !== undefined && (await drop(bytes))) return undefined;
      return full(look.limit);
    } catch (error) {
      return mr('MR_STREAM_UNAVAILABLE', { server: streams.server, problem: problemOf(error) }, { cause: error });
    }
  }

  /** M4. The stream was used, so it may hold less soon. Cheap: call it after every message. */
  used(): void {
    if (!this.#isLarge || this.#closed) return;
    this.#lookMs = firstLookMs;
    this.#lookLater();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelLook?.();
  }

  async #look() {
    const { config, state } = await this.#options.streams.streamInfo(this.#options.stream);
    return {
      config,
      limit: config.max_bytes < 0 ? Infinity : config.max_bytes,
      used: state.bytes,
      isAllLast: state.messages <= (state.num_subjects ?? 0),
    };
  }

  /** M1. */
  #doubled({ limit, used }: Look, bytes: number): number | undefined {
    const doubled = Math.min(this.#options.most, Math.max(limit * 2, used + bytes));
    return doubled >= used + bytes ? doubled : undefined;
  }

  /** M3. */
  #exceeding({ used, isAllLast }: Look, bytes: number): number | undefined {
    return isAllLast && this.#options.mayExceed ? used + bytes : undefined;
  }

  async #grow(limit: number): Promise<MillraceError | undefined> {
    const { streams, stream } = this.#options;
    try {
      await this.#set(limit);
    } catch (error) {
      if (classifyPublishFailure(error).kind !== 'full') throw error;
      const refused = `it would need ${limit} bytes, but ${problemOf(error)}`;
      return mr('MR_STORE_FULL', { server: streams.server, stream, limit: refused }, { cause: error });
    }
    this.#isLarge = true;
    this.used();
    return undefined;
  }

  async #shrink(): Promise<void> {
    const { first, onFailure } = this.#options;
    this.#cancelLook = undefined;
    try {
      const { limit, used } = await this.#look();
      this.#isLarge = limit > first;
      if (!this.#isLarge || this.#closed) return;
      if (used < limit / 4) await this.#set(Math.max(first, Math.ceil(limit / 2)));
      else if ((this.#lookMs *= 2) > lastLookMs) return;
    } catch (error) {
      onFailure?.(error);
    }
    this.#lookLater();
  }

  #lookLater(): void {
    if (!this.#closed) this.#cancelLook ??= this.#options.clock.after(this.#lookMs, () => void this.#shrink());
  }

  async #set(limit: number): Promise<void> {
    const { streams, stream } = this.#options;
    const { config } = await this.#look();
    await streams.updateStream({ ...config, name: stream, subjects: config.subjects, max_bytes: limit });
  }
}
