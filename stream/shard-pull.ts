/**
 * One ephemeral consumer of a shard and its one open pull request: the wire side of `./shard-reader.ts`.
 *
 * It says `lost` once it cannot vouch that the next frame is the next: the consumer's count has a gap (a heartbeat tells
 * it, too: between servers of a cluster the last frame may be lost, and no other comes after it), heartbeats stay away, the
 * server says something it does not know, or the connection was made anew. It is then of no more use.
 */
import type { Clock } from '../model/clock.ts';
import type { Delivered, JetStreamPort, PullChannel } from './jetstream-port.ts';

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
  readonly #clock: Clock;
  readonly #events: PullEvents;
  readonly #channel: PullChannel;
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

  constructor(streams: JetStreamPort, clock: Clock, stream: string, consumer: string, events: PullEvents) {
    this.#clock = clock;
    this.#heard = clock.monotonic();
    this.#events = events;
    this.#channel = streams.openPull(stream, consumer, {
      delivered: (message) => this.#receiveFrame(message),
      status: (code, description, delivered) => this.#receiveStatus(code, description, delivered),
      failed: () => this.#lose(),
    });
    this.#watch();
    // A consumer in memory does not outlive its server, and what was under way is gone: begin again at once.
    this.#unwatch = streams.link.onReconnect(() => this.#lose());
  }

  pull(maxBytes: number): void {
    this.isPulling = true;
    this.#messagesOfPull = 0;
    this.#messagesLeft = this.#alone ? 1 : batchMessages;
    // A frame larger than the window is asked for alone and without a bound, else it would never come.
    this.#bytesLeft = this.#alone ? Infinity : Math.floor(maxBytes);
    this.#heard = this.#clock.monotonic();
    this.#channel.request({
      messages: this.#messagesLeft,
      ...(this.#alone ? {} : { maxBytes: this.#bytesLeft }),
      expiresMs,
      heartbeatMs,
    });
    this.#alone = false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWatchdog();
    this.#unwatch();
    this.#channel.close();
  }

  #receiveFrame({ sequence, subject, data, delivered, pending, bytes }: Delivered): void {
    if (this.#closed) return;
    this.#heard = this.#clock.monotonic();
    if (delivered !== this.#delivered + 1) {
      this.#lose();
      return;
    }
    this.#delivered = delivered;
    this.#messagesOfPull++;
    this.#messagesLeft--;
    // What the server counts, less the headers: short by so little that only an exact fit would wait for the watchdog.
    this.#bytesLeft -= bytes;
    this.#events.frame({ sequence, subject, data, pending });
    if (this.#messagesLeft <= 0 || this.#bytesLeft <= 0) this.#end();
  }

  #receiveStatus(code: number, description: string, delivered = 0): void {
    if (this.#closed) return;
    this.#heard = this.#clock.monotonic();
    const text = description.toLowerCase();
    if (code === 100) {
      if (delivered > this.#delivered) this.#lose();
      return;
    }
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
