/**
 * The frames of one shard, in stream order, from a sequence on.
 *
 * R1  Frames come in the order of the stream, each once: sequences rise, and a gap in the consumer's own count, a lost
 *     consumer or a reconnect makes it begin again after the last frame that it took (I6).
 * R2  At most about `maxBufferedBytes` are asked for ahead of the caller: one pull request is open at a time, bounded in
 *     bytes, and the next is sent only when the caller has taken what came.
 * R3  An idle shard costs one request every `expiresMs` and the server's heartbeats.
 *
 * Own pull requests instead of the client's `consume`: that one cannot be bounded in bytes and messages together and
 * refills on arrival, not on use.
 */
import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { createInbox, nanos, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { mr, problemOf, type MillraceError } from '../crds/errors.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Streams } from './connection.ts';
import { isConnectionClosed, isStreamNotFound } from './jetstream-errors.ts';

export interface StoredFrame {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** Messages of the shard after this one, when it was delivered. */
  readonly pending: number;
}

export interface ShardReaderOptions {
  readonly streams: Pick<Streams, 'nc' | 'jsm' | 'link'>;
  readonly stream: string;
  /** What the shard's slot sees: `mr.<pid>.<edge>.<shard>.>`. */
  readonly subjects: string;
  readonly firstSequence: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Default 8 MiB. */
  readonly maxBufferedBytes?: number;
  readonly onWaiting?: (reason: MillraceError | undefined) => void;
}

const expiresMs = 60_000;
const heartbeatMs = 2_000;
const missedHeartbeats = 3;
const batchMessages = 512;
const inactiveThresholdMs = 120_000;

export class ShardReader {
  readonly #options: ShardReaderOptions;
  readonly #maxBytes: number;
  readonly #stop = new AbortController();
  readonly #queue: StoredFrame[] = [];
  #queuedBytes = 0;
  #pending = 0;
  #next: number;
  #connection: Connection | undefined;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #connecting: Promise<void> | undefined;

  constructor(options: ShardReaderOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBufferedBytes ?? 8 * 2 ** 20;
    this.#next = options.firstSequence;
  }

  /** A frame that is here already. */
  take(): StoredFrame | undefined {
    const frame = this.#queue.shift();
    if (frame === undefined) return undefined;
    this.#queuedBytes -= frame.data.length;
    this.#pullIfRoom();
    return frame;
  }

  /** Resolves when {@link take} has something, when `ms` have passed (if given), or when the signal aborts. Never rejects for these. */
  async wait(signal: AbortSignal, ms?: number): Promise<void> {
    this.#throwFailure();
    if (this.#queue.length > 0 || signal.aborted) return;
    this.#ensureConnected();
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      const wake = done;
      function done() {
        clearTimeout(timer);
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

  /** Frames of the shard that the caller has not taken, as far as the last delivery told. */
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
    const { clock, random, streams, stream, onWaiting } = this.#options;
    for (let attempt = 0; ; attempt++) {
      this.#stop.signal.throwIfAborted();
      try {
        const name = await createConsumer(streams.jsm, this.#options, this.#next);
        if (attempt > 0) onWaiting?.(undefined);
        this.#connection = new Connection(streams, stream, name, {
          frame: (frame) => this.#push(frame),
          lost: (connection) => this.#lost(connection),
          done: () => this.#pullIfRoom(),
        });
        this.#pullIfRoom();
        return;
      } catch (error) {
        if (isConnectionClosed(error)) throw error;
        onWaiting?.(
          isStreamNotFound(error)
            ? mr('MR_STREAM_MISSING', { stream }, { cause: error })
            : mr(
                'MR_STREAM_UNAVAILABLE',
                { server: streams.nc.getServer(), problem: problemOf(error) },
                { cause: error },
              ),
        );
        await clock.sleep(backoffMs(natsBackoff, attempt, random), this.#stop.signal);
      }
    }
  }

  #push(frame: StoredFrame): void {
    // A late answer of a consumer that was given up may still arrive; R1 holds whatever it says.
    if (frame.sequence < this.#next) return;
    this.#next = frame.sequence + 1;
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

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    connection.close();
    this.#connection = undefined;
    this.#ensureConnected();
  }
}

async function createConsumer(
  jsm: JetStreamManager,
  options: ShardReaderOptions,
  firstSequence: number,
): Promise<string> {
  const info = await jsm.consumers.add(options.stream, {
    filter_subject: options.subjects,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: firstSequence,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(inactiveThresholdMs),
    mem_storage: true,
    num_replicas: 1,
  });
  return info.name;
}

interface ConnectionEvents {
  readonly frame: (frame: StoredFrame) => void;
  /** The consumer is gone or skipped something. */
  readonly lost: (connection: Connection) => void;
  /** The open pull request has ended. */
  readonly done: () => void;
}

/** One ephemeral consumer and its one open pull request. */
class Connection {
  readonly #nc: NatsConnection;
  readonly #pullSubject: string;
  readonly #events: ConnectionEvents;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #watchdog: NodeJS.Timeout;
  readonly #unwatch: () => void;
  #delivered = 0;
  #messagesLeft = 0;
  #bytesLeft = 0;
  #messagesOfPull = 0;
  #alone = false;
  #heard = performance.now();
  #closed = false;
  isPulling = false;

  constructor({ nc, link }: Pick<Streams, 'nc' | 'link'>, stream: string, consumer: string, events: ConnectionEvents) {
    this.#nc = nc;
    this.#pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#events = events;
    this.#subscription = nc.subscribe(this.#inbox, {
      callback: (error, message) => (error === null ? this.#receive(message) : this.#lose()),
    });
    this.#watchdog = setInterval(() => this.#check(), heartbeatMs);
    // A consumer in memory does not outlive its server, and what was under way is gone: begin again at once.
    this.#unwatch = link.onReconnect(() => this.#lose());
  }

  pull(maxBytes: number): void {
    this.isPulling = true;
    this.#messagesOfPull = 0;
    this.#messagesLeft = this.#alone ? 1 : batchMessages;
    // A frame larger than the window is asked for alone and without a bound, else it would never come.
    this.#bytesLeft = this.#alone ? Infinity : Math.floor(maxBytes);
    this.#heard = performance.now();
    const request = {
      batch: this.#messagesLeft,
      ...(this.#alone ? {} : { max_bytes: this.#bytesLeft }),
      expires: nanos(expiresMs),
      idle_heartbeat: nanos(heartbeatMs),
    };
    this.#alone = false;
    this.#nc.publish(this.#pullSubject, JSON.stringify(request), { reply: this.#inbox });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#unwatch();
    if (!this.#nc.isClosed()) this.#subscription.unsubscribe();
  }

  #receive(message: Msg): void {
    if (this.#closed) return;
    this.#heard = performance.now();
    const code = message.headers?.code ?? 0;
    if (code > 0) this.#receiveStatus(code, message.headers?.description ?? '');
    else this.#receiveFrame(message);
  }

  #receiveFrame(message: Msg): void {
    const info = deliveryOf(message.reply ?? '');
    if (info.delivered !== this.#delivered + 1) {
      this.#lose();
      return;
    }
    this.#delivered = info.delivered;
    this.#messagesOfPull++;
    this.#messagesLeft--;
    // What the server counts, less the headers: short by so little that only an exact fit would wait for the watchdog.
    this.#bytesLeft -= message.data.length + message.subject.length + (message.reply?.length ?? 0);
    this.#events.frame({
      sequence: info.sequence,
      subject: message.subject,
      data: message.data,
      pending: info.pending,
    });
    if (this.#messagesLeft <= 0 || this.#bytesLeft <= 0) this.#end();
  }

  #receiveStatus(code: number, description: string): void {
    const text = description.toLowerCase();
    if (code === 100) return;
    if (code === 409 && text.includes('exceeds maxbytes')) {
      this.#alone = this.#messagesOfPull === 0;
      this.#end();
    } else if (code === 408 || code === 404) {
      this.#end();
    } else {
      // Consumer deleted, leadership change, no responders, server shutdown: begin again.
      this.#lose();
    }
  }

  #end(): void {
    this.isPulling = false;
    this.#events.done();
  }

  #check(): void {
    if (this.isPulling && performance.now() - this.#heard > heartbeatMs * missedHeartbeats) this.#lose();
  }

  #lose(): void {
    if (this.#closed) return;
    this.#events.lost(this);
  }
}

/** `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<time>.<pending>`, or with domain and account before, and a token after. */
function deliveryOf(reply: string): { sequence: number; delivered: number; pending: number } {
  const tokens = reply.split('.');
  const first = tokens.length === 9 ? 4 : 6;
  return {
    sequence: Number(tokens[first + 1]),
    delivered: Number(tokens[first + 2]),
    pending: Number(tokens[first + 4]),
  };
}
