/**
 * The port of one machine over a connection to the modelled server, with what the NATS client does when it breaks.
 *
 * N1  Messages of one direction arrive in the order in which they were sent, or not at all.
 * N2  What was sent and not yet received when a connection breaks is lost from some message on; what is sent while there
 *     is none is forgotten at the next attempt to connect, and what is sent during that attempt goes out when it succeeds.
 * N3  A request without an answer ends in a time-out, whatever became of it; it may still arrive afterwards.
 * N4  What a machine had sent before it died still arrives.
 */
import type { ConsumerConfig } from '@nats-io/jetstream';
import type {
  Alongside,
  CoreMessage,
  DirectQuery,
  JetStreamPort,
  Published,
  PublishOptions,
  PullChannel,
  PullChannelEvents,
  PullRequest,
  StoredMessage,
} from '../../../stream/jetstream-port.ts';
import type { Faults, Place } from '../kernel/faults.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Random } from '../kernel/random.ts';
import * as failures from './failures.ts';
import type { CoreSubscription, Server } from './server.ts';
import type { Incoming, Message, Stream } from './stream.ts';
import { matcher } from './subjects.ts';

export interface ConnectionOptions {
  readonly faults: Faults;
  /** Names a publish for traps: by subject and content. */
  readonly callOf: (subject: string, data: Uint8Array) => string;
  readonly requestTimeoutMs?: number;
  readonly reconnectTimeWaitMs?: number;
}

type Answer<T> = { readonly is: 'value'; readonly value: T } | { readonly is: 'error'; readonly error: Error };

interface Pending {
  settle(answer: Answer<unknown>): void;
}

/** Two pings, 5 s apart (stream/connection.ts). */
const pingsMs = 10_000;

export class Connection {
  readonly machine: Machine;
  readonly server: Server;
  readonly port: JetStreamPort;
  readonly #options: ConnectionOptions;
  readonly #random: Random;
  readonly #place: Place;
  readonly #listeners = new Set<() => void>();
  readonly #subscriptions = new Set<CoreSubscription>();
  readonly #channels = new Set<object>();
  readonly #inbound: { readonly act: () => void; readonly epoch: number }[] = [];
  /** Bytes that wait for an attempt to connect to succeed. */
  #outbound: (() => void)[] = [];
  #epoch = 0;
  #connected = true;
  #dialing = false;
  #closed = false;
  #lastArrival = 0;
  #lastDelivery = 0;
  /** Nothing gets through until then, either way; the sockets do not know it. */
  stalledUntil = 0;
  /** No attempt to connect succeeds until then. */
  unreachableUntil = 0;

  constructor(machine: Machine, server: Server, options: ConnectionOptions) {
    this.machine = machine;
    this.server = server;
    this.#options = options;
    this.#random = machine.random.fork('connection');
    this.#place = {
      machine,
      cut: () => this.cut(),
      crash: (ms) => {
        server.crash();
        server.world.after(ms, () => server.start(this.#random.between(0, 300)));
      },
    };
    this.port = this.#makePort();
    server.connections.add(this);
    machine.onDeath(() => this.close());
  }

  get connected(): boolean {
    return this.#connected && !this.#closed;
  }

  /** Delivers to the machine, in order, if the connection that it is sent on lives until then. */
  toClient(act: () => void): void {
    if (!this.connected) return;
    const { world } = this.server;
    const at = Math.max(this.#lastDelivery, Math.max(world.now, this.stalledUntil) + this.#latency());
    this.#lastDelivery = at;
    this.#inbound.push({ act, epoch: this.#epoch });
    this.machine.after(at - world.now, () => {
      const next = this.#inbound.shift();
      if (next !== undefined && next.epoch === this.#epoch) next.act();
    });
  }

  /** The sockets break: both ends see it, at once or when what is on its way would have arrived. */
  cut(): void {
    if (!this.#connected || this.#closed) return;
    this.#connected = false;
    this.#epoch++;
    this.#outbound = [];
    this.machine.after(this.#latency(), () => this.#dial());
  }

  /** Nothing gets through for so long. The client gives the connection up when its pings stay unanswered. */
  stall(ms: number): void {
    const { world } = this.server;
    this.stalledUntil = Math.max(this.stalledUntil, world.now + ms);
    if (ms < pingsMs) return;
    this.machine.after(this.#random.between(pingsMs, 1.5 * pingsMs), () => {
      if (world.now < this.stalledUntil) this.cut();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.server.connections.delete(this);
    for (const subscription of this.#subscriptions) this.server.subscriptions.delete(subscription);
    this.#channels.clear();
  }

  #dial(): void {
    if (this.#closed) return;
    this.#outbound = [];
    this.#dialing = true;
    const { world } = this.server;
    this.machine.after(this.#latency() * 2, () => {
      const refused = !this.server.up || world.now < this.unreachableUntil || world.now < this.stalledUntil;
      this.#dialing = false;
      if (refused) {
        const { reconnectTimeWaitMs = 250 } = this.#options;
        this.machine.after(reconnectTimeWaitMs + this.#random.between(0, 100), () => this.#dial());
        return;
      }
      this.#connected = true;
      this.#epoch++;
      this.#inbound.length = 0;
      for (const send of this.#outbound.splice(0)) send();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Most answers come within a millisecond or two; now and then one takes long. */
  #latency(): number {
    const draw = this.#random.next();
    return draw < 0.9 ? 0.05 + draw : draw < 0.99 ? draw * 5 : draw * 80;
  }

  /** Runs `act` at the server, in the order of sending. */
  #toServer(act: () => void): void {
    const { world } = this.server;
    if (!this.#connected) {
      if (this.#dialing) this.#outbound.push(() => this.#toServer(act));
      return;
    }
    const epoch = this.#epoch;
    // What breaks on the way may have arrived: drawn when it is sent, so that all before it have arrived, too.
    const at = Math.max(this.#lastArrival, Math.max(world.now, this.stalledUntil) + this.#latency());
    this.#lastArrival = at;
    world.inside(at - world.now, () => {
      if (!this.server.up || (this.#epoch !== epoch && this.#lostAfter(epoch) <= at)) return;
      act();
    });
  }

  /** Of a connection that broke: from when on nothing of it arrived. */
  readonly #lost = new Map<number, number>();
  #lostAfter(epoch: number): number {
    const known = this.#lost.get(epoch);
    if (known !== undefined) return known;
    const { world } = this.server;
    const made = world.now + (this.#random.chance(0.5) ? 0 : this.#random.between(0, 3));
    this.#lost.set(epoch, made);
    return made;
  }

  /**
   * One request. `effect` runs at the server and gives the answer, or undefined when there is none; `after` it takes so
   * long for the server to do it.
   */
  #request<T>(
    call: string,
    timeoutMs: number,
    effect: (answer: (made: Answer<T>) => void) => void,
    size = 0,
  ): Promise<T> {
    const { faults } = this.#options;
    return new Promise<T>((resolve, reject) => {
      // Code that was killed in the middle of a step runs to its next await, and nothing that it asks for leaves it.
      if (!this.machine.alive) return;
      if (this.#closed) return reject(failures.closed());
      if (size > this.server.options.maxPayload && this.#connected) return reject(failures.payloadTooLarge());
      let isOpen = true;
      const cancelTimer = this.machine.after(timeoutMs, () => {
        isOpen = false;
        reject(failures.timedOut());
      });
      const pending: Pending = {
        settle: (answer) => {
          if (!isOpen) return;
          isOpen = false;
          cancelTimer();
          if (answer.is === 'error') reject(answer.error);
          else resolve(answer.value as T);
        },
      };
      const sent = faults.pass(call, 'sent', this.#place);
      if (sent.drop || isDead(this.machine)) return;
      const epoch = this.#epoch;
      this.#later(sent.delayMs, () => {
        // N2: it is in the sockets of a connection that may have broken meanwhile.
        if (sent.delayMs === 0 || this.#epoch === epoch) this.#toServer(() => this.#arrive(call, pending, effect));
      });
    });
  }

  #arrive<T>(call: string, pending: Pending, effect: (answer: (made: Answer<T>) => void) => void): void {
    const { faults } = this.#options;
    const arrived = faults.pass(call, 'arrived', this.#place);
    if (arrived.drop || !this.server.up) return;
    const { starts } = this.server;
    const act = () => {
      if (!this.server.up || this.server.starts !== starts) return;
      effect((answer) => {
        const done = faults.pass(call, 'done', this.#place);
        if (done.drop) return;
        this.#later(done.delayMs, () =>
          this.toClient(() => {
            const answered = faults.pass(call, 'answered', this.#place);
            if (answered.drop || !this.machine.alive) return;
            if (answered.delayMs > 0) this.machine.after(answered.delayMs, () => pending.settle(answer));
            else if (this.machine.frozen) this.machine.after(0, () => pending.settle(answer));
            else pending.settle(answer);
          }),
        );
      });
    };
    this.#later(arrived.delayMs, act);
  }

  #later(ms: number, act: () => void): void {
    if (ms <= 0) act();
    else this.server.world.inside(ms, act);
  }

  /** An API call: done by the server within some time of its own, so that two of them may be done in either order. */
  #api<T>(call: string, act: () => T): Promise<T> {
    const { requestTimeoutMs = 3_000 } = this.#options;
    return this.#request<T>(call, requestTimeoutMs, (answer) => {
      if (!this.server.isReady) return answer({ is: 'error', error: failures.notEnabled(call) });
      this.server.world.inside(this.#serverMs(), () => {
        if (!this.server.isReady) return;
        try {
          answer({ is: 'value', value: act() });
        } catch (error) {
          // A stream without a leader answers nothing, or that it is unavailable.
          if (error instanceof Error) answer({ is: 'error', error });
        }
      });
    });
  }

  #serverMs(): number {
    const draw = this.#random.next();
    return draw < 0.95 ? draw * 0.3 : draw * 20;
  }

  #makePort(): JetStreamPort {
    const { server } = this;
    const isConnected = () => this.connected;
    return {
      server: server.options.url,
      get maxPayload() {
        return server.options.maxPayload;
      },
      link: {
        get connected() {
          return isConnected();
        },
        onReconnect: (listener) => {
          this.#listeners.add(listener);
          return () => void this.#listeners.delete(listener);
        },
      },
      publish: (subject, data, options) => this.#publish(subject, data, options),
      getMessage: (stream, query) =>
        this.#api('get', () => {
          const host = server.leaderOf(stream);
          host.stream.expire(server.world.now);
          if ('next_by_subj' in query) return storedMessage(host.stream.next(query.seq, query.next_by_subj));
          return storedMessage('seq' in query ? host.stream.get(query.seq) : host.stream.lastOf(query.last_by_subj));
        }),
      directGet: (stream, query) => this.#direct('direct get', stream, (copy) => storedMessage(find(copy, query))),
      lastOfEach: (stream, filter) =>
        this.#direct('direct last of each', stream, (copy) =>
          copy.lastOfEach(filter).map((message) => storedMessage(message)!),
        ),
      streamInfo: (stream) => this.#api('info', () => server.infoOf(server.leaderOf(stream))),
      subjectsOf: (stream, filter) =>
        this.#api('subjects', () =>
          server
            .leaderOf(stream)
            .stream.lastOfEach(filter)
            .map(({ subject }) => subject),
        ),
      addStream: (config) => this.#api('add stream', () => server.addStream(config)),
      updateStream: (config) => this.#api('update stream', () => server.updateStream(config)),
      deleteStream: (stream) => this.#api('delete stream', () => server.deleteStream(stream, this.machine.name)),
      streamNames: (subject) => this.#api('stream names', () => server.streamNames(subject)),
      purgeStream: (stream, { filter, seq }) =>
        this.#api('purge', () => server.purge(server.leaderOf(stream), filter, seq, this.machine.name)),
      addConsumer: (stream, config) => this.#addConsumer(stream, config),
      deleteConsumer: (stream, consumer) =>
        this.#api('delete consumer', () => {
          if (!server.deleteConsumer(server.leaderOf(stream), consumer)) throw failures.consumerNotFound();
        }),
      openPull: (stream, consumer, events) => this.#openPull(stream, consumer, events),
      subscribe: (subject, receive) => this.#subscribe(subject, receive),
    };
  }

  #publish(subject: string, data: Uint8Array | string, options: PublishOptions = {}): Promise<Published> {
    const { server } = this;
    const { requestTimeoutMs = 3_000, callOf } = this.#options;
    const { headers = {}, expectLast, alongside, ttlSeconds, timeoutMs = requestTimeoutMs } = options;
    // A copy: the caller may use its buffer again once the answer is there, and the server keeps what was sent.
    const bytes = typeof data === 'string' ? Buffer.from(data) : Uint8Array.prototype.slice.call(data);
    const call = `publish ${callOf(subject, bytes)}`;
    const incoming = {
      subject,
      data: bytes,
      headers,
      expectLast,
      ttlMs: ttlSeconds === undefined ? undefined : ttlSeconds * 1_000,
      alongside: alongside === undefined ? undefined : incomingAlongside(alongside),
    };
    return this.#request<Published>(
      call,
      timeoutMs,
      (answer) => {
        server.toSubscribers(subject, bytes);
        const host = server.isReady ? server.hostOfSubject(subject) : undefined;
        // With a subscriber there is somebody who could answer: the server does not say that none will.
        if (host === undefined && server.hasSubscriber(subject)) return;
        if (host === undefined) return answer({ is: 'error', error: failures.notEnabled(subject) });
        const copies = host.stream.config.num_replicas ?? 1;
        const at = Math.max(
          host.lastCommitAt,
          server.world.now + (copies > 1 ? this.#serverMs() * 3 : this.#random.next() * 0.2),
        );
        host.lastCommitAt = at;
        server.world.inside(at - server.world.now, () => {
          // It went with its leader, or with its server, unless it had got to the others before.
          const isGone = !server.up || server.host(host.name) !== host;
          if (isGone || (server.hostOfSubject(subject) === undefined && this.#random.chance(0.5))) return;
          const stored = server.store(host, incoming, this.machine.name);
          if (server.hostOfSubject(subject) === undefined) return;
          if (stored.kind === 'refused') answer({ is: 'error', error: failures.apiError(stored.code, stored.text) });
          else answer({ is: 'value', value: { seq: stored.sequence } });
        });
      },
      bytes.length + headerBytes(options),
    );
  }

  #direct<T>(call: string, stream: string, read: (copy: Stream) => T): Promise<T> {
    const { requestTimeoutMs = 3_000 } = this.#options;
    return this.#request<T>(call, requestTimeoutMs, (answer) => {
      const copy = this.server.isReady ? this.server.anyCopyOf(stream) : undefined;
      if (copy === undefined) return answer({ is: 'error', error: failures.noResponders(stream) });
      this.server.world.inside(this.#serverMs(), () => answer({ is: 'value', value: read(copy) }));
    });
  }

  #addConsumer(stream: string, config: Partial<ConsumerConfig>) {
    return this.#api('add consumer', () => {
      const { filter_subject: filter = '>', opt_start_seq: first = 1 } = config;
      return this.server.addConsumer(this.server.leaderOf(stream), filter, first);
    });
  }

  #openPull(stream: string, name: string, events: PullChannelEvents): PullChannel {
    const { faults } = this.#options;
    const channel = {};
    this.#channels.add(channel);
    const toInbox = (act: () => void) => {
      this.toClient(() => {
        if (this.#channels.has(channel)) act();
      });
    };
    const inbox = {
      delivered: (message: Parameters<PullChannelEvents['delivered']>[0]) => {
        if (faults.pass('deliver', 'done', this.#place).drop) return;
        toInbox(() => events.delivered(message));
      },
      status: (code: number, description: string, delivered?: number) =>
        toInbox(() => events.status(code, description, delivered)),
    };
    return {
      request: (pull: PullRequest) => {
        if (this.#closed) return;
        if (faults.pass('pull', 'sent', this.#place).drop) return;
        this.#toServer(() => {
          const consumer = this.server.isReady ? this.server.host(stream)?.consumers.get(name) : undefined;
          if (consumer === undefined) inbox.status(503, '');
          else consumer.pull(pull, inbox);
        });
      },
      close: () => void this.#channels.delete(channel),
    };
  }

  #subscribe(subject: string, receive: (message: CoreMessage) => void): () => void {
    const subscription: CoreSubscription = { connection: this, matches: matcher(subject), receive };
    this.#subscriptions.add(subscription);
    this.#toServer(() => {
      if (this.#subscriptions.has(subscription)) this.server.subscriptions.add(subscription);
    });
    // The client subscribes again whenever it connects; until it does, the server knows nobody to send to.
    const unwatch = this.port.link.onReconnect(() => void this.server.subscriptions.add(subscription));
    return () => {
      unwatch();
      this.#subscriptions.delete(subscription);
      this.server.subscriptions.delete(subscription);
    };
  }
}

function find(copy: Stream, query: DirectQuery): Message | undefined {
  return 'last_by_subj' in query ? copy.lastOf(query.last_by_subj) : copy.next(query.seq, query.next_by_subj);
}

function storedMessage(message: Message | undefined): StoredMessage | null {
  if (message === undefined) return null;
  const { subject, sequence, data, headers } = message;
  return {
    subject,
    seq: sequence,
    data,
    header: { get: (name) => headers[name] ?? '', has: (name) => headers[name] !== undefined },
  };
}

function headerBytes({ headers = {}, expectLast }: PublishOptions): number {
  let bytes = 12;
  for (const [name, value] of Object.entries(headers)) bytes += name.length + value.length + 4;
  if (expectLast !== undefined) bytes += 45;
  return bytes;
}

function incomingAlongside({ subject, data, ttlSeconds }: Alongside): Incoming {
  return { subject, data: Buffer.from(data), headers: {}, expectLast: 0, ttlMs: ttlSeconds * 1_000 };
}

/** Asked again after a point where it may have been killed. */
function isDead(machine: Machine): boolean {
  return !machine.alive;
}
