/**
 * The frames of one shard, in stream order, from a sequence on.
 *
 * R1  Frames come in the order of the stream, each once: sequences increase, and after a gap in the consumer's own
 *     count, a lost consumer or a reconnect it starts again after the last frame that it took (I6). That this is still
 *     the frame that it was is for `check` to find out: one that came in its place would never be read.
 * R2  At most about `maxBufferedBytes` are requested ahead of the caller: one pull request is open at a time, bounded
 *     in bytes, and the next is sent only when the caller has taken what arrived.
 * R3  An idle shard costs one request every `expiresMs` and the server's heartbeats.
 *
 * It sends its own pull requests instead of using the client's `consume`, which cannot be bounded in bytes and messages
 * together and refills on arrival, not on use.
 */
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { problemOf, type MillraceError } from '../model/errors.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import { checkOf } from './frame.ts';
import { isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { PositionLost } from './position-lost.ts';
import { ShardPull, type StoredFrame } from './shard-pull.ts';
import { whyUnanswered } from './until-answered.ts';

export interface ShardReaderOptions {
  readonly streams: JetStreamPort;
  readonly stream: string;
  /** The subjects of the slot's shard: `mr.<pid>.<edge>.<shard>.>`. */
  readonly subjects: string;
  readonly firstSequence: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Default 8 MiB. */
  readonly maxBufferedBytes?: number;
  readonly onWaiting?: (reason: MillraceError | undefined) => void;
  /** Called at each start. Throws PositionLost when it may not continue there. */
  readonly check?: (start: ReaderStart) => Promise<void>;
}

export interface ReaderStart {
  /** The sequence after which it continues. */
  readonly after: number;
  /** Checksum of the frame that it has had of that number, if any. */
  readonly taken: number | undefined;
  /** Nothing has come between the look at the edge and this. */
  readonly isFirst: boolean;
}

const inactiveThresholdMs = 120_000;

export class ShardReader {
  readonly #options: ShardReaderOptions;
  readonly #maxBytes: number;
  readonly #stop = new AbortController();
  readonly #queue: StoredFrame[] = [];
  #queuedBytes = 0;
  #pending = 0;
  #next: number;
  /** Checksum of the frame before {@link #next}. */
  #taken: number | undefined;
  #isFirst = true;
  #connection: ShardPull | undefined;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #connecting: Promise<void> | undefined;

  constructor(options: ShardReaderOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBufferedBytes ?? 8 * 2 ** 20;
    this.#next = options.firstSequence;
  }

  /** Whether {@link take} has something. */
  get hasFrame(): boolean {
    return this.#queue.length > 0;
  }

  /** A frame that has already arrived. */
  take(): StoredFrame | undefined {
    const frame = this.#queue.shift();
    if (frame === undefined) return undefined;
    this.#queuedBytes -= frame.data.length;
    this.#pullIfRoom();
    return frame;
  }

  /**
   * Resolves when {@link take} has something, when `ms` have passed (if given), or when the signal aborts. Never
   * rejects for these.
   */
  async wait(signal: AbortSignal, ms?: number): Promise<void> {
    this.#throwFailure();
    if (this.#queue.length > 0 || signal.aborted) return;
    this.#ensureConnected();
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = ms === undefined ? undefined : clock.after(ms, done);
      const wake = done;
      function done() {
        cancel?.();
        signal.removeEventListener('abort', wake);
        resolve();
      }
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
    this.#wake = undefined;
    this.#throwFailure();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#connecting;
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Frames of the shard that the caller has not taken, according to the last delivery. */
  get backlog(): number {
    return this.#queue.length + this.#pending;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #ensureConnected(): void {
    if (this.#connection !== undefined || this.#connecting !== undefined || this.#stop.signal.aborted) return;
    this.#connecting = this.#connect()
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#failure = error instanceof Error ? error : new Error(problemOf(error), { cause: error });
        this.#wake?.();
      })
      .finally(() => {
        this.#connecting = undefined;
      });
  }

  async #connect(): Promise<void> {
    const { clock, random, streams, stream, onWaiting, check } = this.#options;
    for (let attempt = 0; ; attempt++) {
      this.#stop.signal.throwIfAborted();
      try {
        const name = await createConsumer(this.#options, this.#next);
        // Checked afterwards: if the stream was recreated in between, the consumer disappeared with the previous one.
        await check?.({ after: this.#next - 1, taken: this.#taken, isFirst: this.#isFirst });
        if (attempt > 0) onWaiting?.(undefined);
        this.#connection = new ShardPull(streams, clock, stream, name, {
          frame: (frame) => this.#push(frame),
          lost: (connection) => this.#lost(connection),
          done: () => this.#pullIfRoom(),
        });
        this.#pullIfRoom();
        return;
      } catch (error) {
        this.#isFirst = false;
        if (check !== undefined && isStreamNotFound(error)) throw new PositionLost('it is gone');
        onWaiting?.(whyUnanswered(streams, stream, error));
        await clock.sleep(backoffMs(natsBackoff, attempt, random), this.#stop.signal);
      }
    }
  }

  #push(frame: StoredFrame): void {
    this.#next = frame.sequence + 1;
    this.#taken = checkOf(frame.data);
    this.#queue.push(frame);
    this.#queuedBytes += frame.data.length;
    this.#pending = frame.pending;
    this.#wake?.();
  }

  #pullIfRoom(): void {
    const connection = this.#connection;
    if (connection === undefined || connection.isPulling || this.#queuedBytes > this.#maxBytes / 2) return;
    connection.pull(this.#maxBytes / 2);
  }

  #lost(connection: ShardPull): void {
    if (this.#connection !== connection) return;
    connection.close();
    this.#connection = undefined;
    this.#isFirst = false;
    this.#ensureConnected();
  }
}

async function createConsumer(options: ShardReaderOptions, firstSequence: number): Promise<string> {
  const { name } = await options.streams.addConsumer(options.stream, {
    filter_subject: options.subjects,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: firstSequence,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(inactiveThresholdMs),
    mem_storage: true,
    num_replicas: 1,
  });
  return name;
}
