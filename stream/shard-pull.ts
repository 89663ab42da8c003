/**
 * One ephemeral consumer of a shard and its one open pull request: the wire side of `./shard-reader.ts`.
 *
 * It says `lost` once it cannot vouch that the next frame is the next: the consumer's count has a gap, heartbeats stay
 * away, the server says something it does not know, or the connection was made anew. It is then of no more use.
 */
import { createInbox, nanos, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import type { Streams } from './connection.ts';

export interface StoredFrame {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** Messages of the shard after this one, when it was delivered. */
  readonly pending: number;
}

const expiresMs = 60_000;
const heartbeatMs = 2_000;
const missedHeartbeats = 3;
const batchMessages = 512;

export interface PullEvents {
  readonly frame: (frame: StoredFrame) => void;
  /** The consumer is gone or skipped something. */
  readonly lost: (connection: ShardPull) => void;
  /** The open pull request has ended. */
  readonly done: () => void;
}

export class ShardPull {
  readonly #nc: NatsConnection;
  readonly #clock: Clock;
  readonly #pullSubject: string;
  readonly #events: PullEvents;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #unwatch: () => void;
  #delivered = 0;
  #messagesLeft = 0;
  #bytesLeft = 0;
  #messagesOfPull = 0;
  #alone = false;
  #heard: number;
  #cancelWatchdog: () => void = () => undefined;
  #closed = false;
  isPulling = false;

  constructor(
    { nc, link }: Pick<Streams, 'nc' | 'link'>,
    clock: Clock,
    stream: string,
    consumer: string,
    events: PullEvents,
  ) {
    this.#nc = nc;
    this.#clock = clock;
    this.#heard = clock.monotonic();
    this.#pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#events = events;
    this.#subscription = nc.subscribe(this.#inbox, {
      callback: (error, message) => (error === null ? this.#receive(message) : this.#lose()),
    });
    this.#watch();
    // A consumer in memory does not outlive its server, and what was under way is gone: begin again at once.
    this.#unwatch = link.onReconnect(() => this.#lose());
  }

  pull(maxBytes: number): void {
    this.isPulling = true;
    this.#messagesOfPull = 0;
    this.#messagesLeft = this.#alone ? 1 : batchMessages;
    // A frame larger than the window is asked for alone and without a bound, else it would never come.
    this.#bytesLeft = this.#alone ? Infinity : Math.floor(maxBytes);
    this.#heard = this.#clock.monotonic();
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
    this.#cancelWatchdog();
    this.#unwatch();
    if (!this.#nc.isClosed()) this.#subscription.unsubscribe();
  }

  #receive(message: Msg): void {
    if (this.#closed) return;
    this.#heard = this.#clock.monotonic();
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

  #watch(): void {
    this.#cancelWatchdog = this.#clock.after(heartbeatMs, () => {
      this.#watch();
      if (this.isPulling && this.#clock.monotonic() - this.#heard > heartbeatMs * missedHeartbeats) this.#lose();
    });
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
