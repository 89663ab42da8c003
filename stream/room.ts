/**
 * Room in a stream that refuses what does not fit. JetStream reserves a stream's limit at once, so the limit starts
 * small and follows the use: a server holds hundreds of pipelines, and each may grow to what its spec allows.
 *
 * M1  A full stream grows, by doubling, up to `most`. If the store or the account prevents that, the reason names it.
 * M2  At `most` it stays full, and writers wait (E7), unless something may be dropped.
 * M3  A stream that holds nothing but last messages grows beyond `most`, by what the next message needs. Last
 *     messages are the writers' checkpoints and are never removed, so otherwise nothing would ever move again,
 *     whatever the sizes. Notes of keys (E11) are such messages, too, and their expiry is not waited for: their
 *     number is bounded elsewhere (`./key-share.ts`). For what the lifecycle stores, which is little, it grows
 *     whatever it holds (F1 of `./edge-room.ts`).
 * M4  Unused room is given back after a while, by halves.
 *
 * Several writers may do this at once: each reads the limit before it changes it, and a stream that grew twice shrinks
 * again.
 */
import { mr, problemOf, type MillraceError } from '../model/errors.ts';
import type { Clock } from '../model/clock.ts';
import type { Room } from './fenced-subject.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { whyUnanswered } from './until-answered.ts';

/** What an edge and the dead letters of a pipeline reserve at first; less where the spec allows less. */
export const firstBytes = { edge: 16 * 2 ** 20, deadLetters: 2 ** 20 } as const;

export interface StreamRoomOptions {
  readonly streams: JetStreamPort;
  readonly stream: string;
  /** The initial limit, and the one down to which it shrinks; not above `most`. */
  readonly first: number;
  readonly most: number;
  readonly clock: Pick<Clock, 'after'>;
  /** Called with the error of a failed check; the next check runs anyway. */
  readonly onFailure?: (error: unknown) => void;
  /** M3. `never` is for a stream whose limit is meant for the last messages themselves. */
  readonly exceeds: 'never' | 'forLastMessages' | 'always';
  /** Why there is no room, when nothing can be done about it. */
  readonly full: (bytes: number) => MillraceError;
  /** Removes what is no longer needed; called first. */
  readonly sweep?: () => Promise<void>;
  /** Removes what may still be wanted, for a message of this size; called last. True: something was removed. */
  readonly drop?: (bytes: number) => Promise<boolean>;
}

interface Look {
  readonly limit: number;
  readonly used: number;
  readonly isAllLast: boolean;
}

const firstLookMs = 30_000;
/** After a while a stream that keeps what it holds is no longer checked: it cannot shrink until it is used again. */
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
    const { streams, stream, sweep, drop, full } = this.#options;
    try {
      await sweep?.();
      const look = await this.#look();
      if (look.used + bytes <= look.limit) return undefined;
      const larger = this.#doubled(look, bytes) ?? this.#exceeding(look, bytes);
      if (larger !== undefined) return await this.#grow(larger);
      if (drop !== undefined && (await drop(bytes))) return undefined;
      return full(look.limit);
    } catch (error) {
      return whyUnanswered(streams, stream, error);
    }
  }

  /** M4. The stream was used, so it may soon hold less. Cheap: call it after every message. */
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
    const { exceeds } = this.#options;
    return exceeds === 'always' || (exceeds === 'forLastMessages' && isAllLast) ? used + bytes : undefined;
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
