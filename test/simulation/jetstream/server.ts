/**
 * nats-server of the model: streams by name, who subscribes to what, and how it dies and comes back.
 *
 * V1  What was acknowledged is there after a restart, unless the run says that the machine lost power before it was
 *     synced ({@link losePower}). Streams and consumers in memory are gone.
 * V2  A stream with several copies answers through its leader; while one is elected, nobody answers. A direct get may be
 *     answered by a copy that lags.
 */
import type { StreamInfo } from '@nats-io/jetstream';
import type { StreamSettings } from '../../../stream/jetstream-port.ts';
import type { Random } from '../kernel/random.ts';
import type { World } from '../kernel/world.ts';
import type { Connection } from './connection.ts';
import { Consumer } from './consumer.ts';
import { apiError, streamNotFound } from './failures.ts';
import { Stream, type Incoming, type Message, type StoreAnswer } from './stream.ts';
import { matcher, overlap } from './subjects.ts';

export interface CoreSubscription {
  readonly connection: Connection;
  readonly matches: (subject: string) => boolean;
  readonly receive: (message: { readonly subject: string; readonly data: Uint8Array }) => void;
}

/** Told of everything that is stored or removed: the ledger reads along. */
export interface StoreWitness {
  stored?(host: StreamHost, message: Message, by: string): void;
  purged?(host: StreamHost, filter: string, before: number, by: string): void;
  made?(host: StreamHost): void;
  /** `by`: a machine; undefined: somebody with a tool. */
  deleted?(host: StreamHost, by: string | undefined): void;
  /** The stream has gone back: these are no longer in it. */
  rolledBack?(host: StreamHost, lost: readonly Message[]): void;
}

export interface StreamHost {
  readonly name: string;
  stream: Stream;
  readonly consumers: Map<string, Consumer>;
  /** No leader until then. */
  electingUntil: number;
  /** The only server that has it is down until then. */
  offlineUntil: number;
  /** As a copy that lags has it. */
  lagging: Stream;
  laggingSince: number;
  lastCommitAt: number;
  cancelExpiry: () => void;
}

export interface ServerOptions {
  readonly maxPayload: number;
  readonly url: string;
  /** Answers of a copy that lags may be so old. */
  readonly maxLagMs: number;
  /** Bytes of all streams on disk; undefined: no bound. */
  maxStoreBytes?: number | undefined;
}

export class Server {
  readonly world: World;
  readonly options: ServerOptions;
  readonly connections = new Set<Connection>();
  readonly subscriptions = new Set<CoreSubscription>();
  readonly witness: StoreWitness;
  readonly #hosts = new Map<string, StreamHost>();
  /** Which stream takes a subject, as long as there are the same streams. */
  readonly #takers = new Map<string, StreamHost | undefined>();
  readonly random: Random;
  up = true;
  /** What had arrived at an earlier process is gone with it. */
  starts = 0;
  /** JetStream of a server that has just started is not ready at once. */
  #readyAt = 0;
  #created = 0;
  #consumers = 0;

  constructor(world: World, options: ServerOptions, witness: StoreWitness = {}) {
    this.world = world;
    this.options = options;
    this.witness = witness;
    this.random = world.random.fork('server');
  }

  get isReady(): boolean {
    return this.up && this.world.now >= this.#readyAt;
  }

  host(name: string): StreamHost | undefined {
    return this.#hosts.get(name);
  }

  get hosts(): IterableIterator<StreamHost> {
    return this.#hosts.values();
  }

  /** Who answers for a stream, or why nobody does. */
  leaderOf(name: string): StreamHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw streamNotFound();
    if (this.#isMute(host)) throw apiError(10008, 'JetStream system temporarily unavailable');
    return host;
  }

  /** Undefined: no responders. */
  hostOfSubject(subject: string): StreamHost | undefined {
    const host = this.#takers.has(subject) ? this.#takers.get(subject) : this.#takerOf(subject);
    return host === undefined || this.#isMute(host) ? undefined : host;
  }

  #takerOf(subject: string): StreamHost | undefined {
    const takes = ({ stream }: StreamHost) => stream.config.subjects.some((filter) => matcher(filter)(subject));
    const host = [...this.#hosts.values()].find(takes);
    this.#takers.set(subject, host);
    return host;
  }

  /** The stream as some copy has it; undefined: no copy answers. */
  anyCopyOf(name: string): Stream | undefined {
    const host = this.#hosts.get(name);
    if (host === undefined || host.offlineUntil > this.world.now) return undefined;
    host.stream.expire(this.world.now);
    const copies = host.stream.config.num_replicas ?? 1;
    if (copies === 1) return this.#isMute(host) ? undefined : host.stream;
    const lags = this.world.now - host.laggingSince < this.options.maxLagMs;
    return lags && this.random.chance(0.5) ? host.lagging : host.stream;
  }

  #isMute(host: StreamHost): boolean {
    return host.electingUntil > this.world.now || host.offlineUntil > this.world.now;
  }

  store(host: StreamHost, incoming: Incoming, by: string): StoreAnswer {
    if (this.#isStoreFull(host, incoming)) {
      return { kind: 'refused', code: 10047, text: 'insufficient storage resources available' };
    }
    this.#lag(host);
    const answer = host.stream.store(incoming, this.world.now);
    if (answer.kind !== 'stored') return answer;
    const first = incoming.alongside === undefined ? answer.sequence : answer.sequence - 1;
    for (let sequence = first; sequence <= answer.sequence; sequence++) {
      const message = host.stream.get(sequence);
      if (message !== undefined) this.witness.stored?.(host, message, by);
    }
    this.#planExpiry(host);
    for (const consumer of host.consumers.values()) consumer.pump();
    return answer;
  }

  purge(host: StreamHost, filter: string, before: number | undefined, by: string): void {
    this.#lag(host);
    this.witness.purged?.(host, filter, before ?? Infinity, by);
    host.stream.purge(filter, before);
  }

  addStream(config: StreamSettings): void {
    const known = this.#hosts.get(config.name);
    if (known !== undefined) {
      if (isSame(known.stream.config, config)) return;
      throw apiError(10058, 'stream name already in use with a different configuration');
    }
    for (const host of this.#hosts.values()) {
      const taken = host.stream.config.subjects.some((one) => config.subjects.some((other) => overlap(one, other)));
      if (taken) throw apiError(10065, 'subjects overlap with an existing stream');
    }
    const stream = new Stream(config, Math.max(this.#created + 1, Math.floor(this.world.now)));
    this.#created = stream.created;
    const host: StreamHost = {
      name: config.name,
      stream,
      consumers: new Map(),
      electingUntil: 0,
      offlineUntil: 0,
      lagging: stream,
      laggingSince: this.world.now,
      lastCommitAt: 0,
      cancelExpiry: () => undefined,
    };
    this.#hosts.set(config.name, host);
    this.#takers.clear();
    this.witness.made?.(host);
  }

  updateStream(config: StreamSettings): void {
    const host = this.leaderOf(config.name);
    host.stream.update(config);
    this.#takers.clear();
  }

  deleteStream(name: string, by?: string): void {
    const host = this.leaderOf(name);
    this.#hosts.delete(name);
    this.#takers.clear();
    host.cancelExpiry();
    for (const consumer of host.consumers.values()) consumer.close(true);
    this.witness.deleted?.(host, by);
  }

  streamNames(subject: string): string[] {
    return [...this.#hosts.values()]
      .filter(({ stream }) => stream.config.subjects.some((filter) => overlap(filter, subject)))
      .map(({ name }) => name);
  }

  infoOf({ name, stream }: StreamHost): StreamInfo {
    stream.expire(this.world.now);
    // Only what is asked of it: the rest of the client's type stays away.
    return {
      config: { ...stream.config, name, max_bytes: stream.config.max_bytes ?? -1 },
      created: new Date(stream.created).toISOString(),
      state: {
        messages: stream.messages.length,
        bytes: stream.bytes,
        first_seq: stream.firstSequence,
        last_seq: stream.lastSequence,
        num_subjects: stream.subjects,
        consumer_count: 0,
      },
    } as unknown as StreamInfo;
  }

  addConsumer(host: StreamHost, filter: string, firstSequence: number): { name: string; pending: number } {
    const name = `c${String(++this.#consumers).padStart(7, '0')}`;
    const consumer = new Consumer(this.world, host.name, () => host.stream, filter, firstSequence);
    host.consumers.set(name, consumer);
    return { name, pending: consumer.pending };
  }

  deleteConsumer(host: StreamHost, name: string): boolean {
    const consumer = host.consumers.get(name);
    host.consumers.delete(name);
    consumer?.close(true);
    return consumer !== undefined;
  }

  /** Core NATS: to everybody who listens, whether a stream takes it or not. */
  toSubscribers(subject: string, data: Uint8Array): void {
    for (const subscription of this.subscriptions) {
      if (!subscription.matches(subject)) continue;
      subscription.connection.toClient(() => subscription.receive({ subject, data }));
    }
  }

  hasSubscriber(subject: string): boolean {
    for (const subscription of this.subscriptions)
      if (subscription.connection.connected && subscription.matches(subject)) return true;
    return false;
  }

  // -- how it fails -----------------------------------------------------------------------------------------------

  /** The process ends. */
  crash(): void {
    if (!this.up) return;
    this.up = false;
    for (const connection of [...this.connections]) connection.cut();
    for (const host of [...this.#hosts.values()]) {
      for (const consumer of host.consumers.values()) consumer.close(false);
      host.consumers.clear();
      if (host.stream.config.storage === 'memory') {
        host.cancelExpiry();
        this.#hosts.delete(host.name);
        this.#takers.clear();
        continue;
      }
      host.stream.restore(host.stream.messages, host.stream.lastSequence);
      host.lagging = host.stream;
    }
  }

  /** The machine loses power, and the stream what was not on the disk: its last messages. Streams are synced each for itself. */
  losePower(name: string, messages: number): void {
    const host = this.#hosts.get(name);
    if (!this.up) return;
    this.crash();
    if (host === undefined) return;
    const kept = host.stream.messages.slice(0, Math.max(0, host.stream.messages.length - messages));
    const lost = host.stream.messages.slice(kept.length);
    if (lost.length === 0) return;
    host.stream.restore(kept, kept.at(-1)?.sequence ?? lost[0]!.sequence - 1);
    host.lagging = host.stream;
    this.witness.rolledBack?.(host, lost);
  }

  /** Somebody deletes the oldest messages by hand, but never the last of a subject: what follows them must tell. */
  deleteOldest(name: string, count: number): readonly Message[] {
    const host = this.#hosts.get(name);
    if (host === undefined || !this.up) return [];
    const { messages, lastSequence } = host.stream;
    const isLast = ({ subject, sequence }: Message) => host.stream.lastOf(subject)?.sequence === sequence;
    const gone = messages.filter((message) => !isLast(message)).slice(0, count);
    host.stream.restore(
      messages.filter((message) => !gone.includes(message)),
      lastSequence,
    );
    host.lagging = host.stream;
    return gone;
  }

  start(readyAfterMs: number): void {
    this.up = true;
    this.starts++;
    this.#readyAt = this.world.now + readyAfterMs;
  }

  /** The leader of a stream with several copies is gone; consumers with one copy go with it. */
  loseLeader(name: string, electionMs: number): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    host.electingUntil = Math.max(host.electingUntil, this.world.now + electionMs);
    for (const consumer of host.consumers.values()) consumer.close(false);
    host.consumers.clear();
  }

  /** The only server that has the stream is down; what it held in memory is gone when it comes back. */
  takeOffline(name: string, ms: number): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    host.offlineUntil = Math.max(host.offlineUntil, this.world.now + ms);
    for (const consumer of host.consumers.values()) consumer.close(false);
    host.consumers.clear();
    if (host.stream.config.storage === 'memory') host.stream.restore([], 0);
  }

  #isStoreFull(host: StreamHost, { data }: Incoming): boolean {
    const { maxStoreBytes } = this.options;
    if (maxStoreBytes === undefined || host.stream.config.storage === 'memory') return false;
    return data.length + this.storedBytes > maxStoreBytes;
  }

  /** Of all streams on disk. */
  get storedBytes(): number {
    let bytes = 0;
    for (const { stream } of this.#hosts.values()) if (stream.config.storage !== 'memory') bytes += stream.bytes;
    return bytes;
  }

  /** Before a change: now and then a copy falls behind and stays as it was. */
  #lag(host: StreamHost): void {
    if ((host.stream.config.num_replicas ?? 1) === 1) return;
    if (this.world.now - host.laggingSince < this.random.next() * this.options.maxLagMs) return;
    host.lagging = host.stream.copy();
    host.laggingSince = this.world.now;
  }

  #planExpiry(host: StreamHost): void {
    host.cancelExpiry();
    const at = host.stream.nextExpiry;
    if (at === undefined) return;
    host.cancelExpiry = this.world.inside(at - this.world.now, () => {
      host.stream.expire(this.world.now);
      this.#planExpiry(host);
    });
  }
}

function isSame(a: StreamSettings, b: StreamSettings): boolean {
  const entries = (config: StreamSettings) =>
    JSON.stringify(Object.entries(config).sort(([one], [other]) => one.localeCompare(other)));
  return entries(a) === entries(b);
}
