/**
 * Which slots of its stage this pod owns. Leases give liveness only: E4 is what keeps a stale owner from writing.
 *
 * L2  A slot is held from `onAcquire` to `onLose`, and while it is held its lease was renewed within the last `ttlMs`
 *     by this process's own monotonic clock. After a pause (SIGSTOP, long garbage collection) it is lost before it is
 *     renewed.
 * L3  A slot that no pod renews is free after `ttlMs`, and is taken within about `renewMs` more.
 * L4  A pod that holds more than its share gives slots back one by one: `onLose`, then the caller's `release`.
 * L5  A lease that an earlier run of this pod left behind is taken at once, because that process is gone. A lease of a
 *     later run is not: if the earlier process wakes up after all, it is the one that must yield.
 * L6  Renewing waits for nothing else: held slots are renewed every `renewMs`, however slow announcing, reading, taking
 *     and the renewal of another slot are. After {@link Leases.takeNoMore} nothing new is taken, and the other pods no
 *     longer count this one.
 *
 * A lease is one message per subject with a message TTL; taking and renewing expect the last sequence of the subject.
 * An expired one leaves a marker, whose sequence the next owner expects. (The KV client's update loses the TTL.)
 */
import { z } from 'zod';
import { problemOf } from '../model/errors.ts';
import { leaseStream, leaseSubject } from '../model/names.ts';
import type { Clock } from '../model/clock.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { planLeases } from './lease-plan.ts';
import { remakeSharedStreams } from './streams.ts';

export type LossReason =
  /** Not renewed in time, or taken by another pod: stop at once. */
  | 'expired'
  /** Another pod should have it: finish what is in flight, then call `release`. */
  | 'rebalance';

export interface LeasesOptions {
  readonly streams: JetStreamPort;
  readonly pid: string;
  readonly stage: string;
  readonly pod: string;
  /** Different for each start of the pod's process; as strings, that of a later start sorts after earlier ones. */
  readonly run: string;
  readonly slots: number;
  readonly clock: Clock;
  readonly onAcquire: (slot: number) => void;
  /** `why`: a sentence for people. */
  readonly onLose: (slot: number, reason: LossReason, why: string) => void;
  /** An iteration failed; the next one starts after `renewMs`. */
  readonly onFailure: (error: unknown) => void;
  readonly ttlMs?: number;
  readonly renewMs?: number;
}

interface Held {
  sequence: number;
  validUntil: number;
  giving: boolean;
  /** Why it is not renewed, and since when; undefined: it is, or nothing is heard yet. */
  trouble: string | undefined;
}

const holderSchema = z.object({
  pod: z.string(),
  run: z.string(),
  free: z.boolean().optional(),
  /** The pod finishes what it holds and takes nothing more: it has no share. */
  leaving: z.boolean().optional(),
});
type Holder = z.infer<typeof holderSchema>;

const podsToken = 'pods';
/** One error for all nudges: a new one each time, with its stack, would cost more than the check that it triggers. */
const nudged = new Error('the leases are looked at now');
/** Set by nats-server on the marker that an expired lease leaves behind. */
const markerReason = 'Nats-Marker-Reason';
/** On a message that replaced its predecessors: a purge that left a marker. */
const rollup = 'Nats-Rollup';

export class Leases {
  readonly #options: LeasesOptions;
  readonly #ttlMs: number;
  readonly #renewMs: number;
  readonly #held = new Map<number, Held>();
  /** Renewals in flight, by slot. A release waits for its slot's renewal, because both expect the same sequence. */
  readonly #renewals = new Map<number, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #prefix: string;
  #nudge = new AbortController();
  #unsubscribe: () => void = () => undefined;
  #renewedAt: number;
  #lookedAt: number;
  #isTaking = true;
  #loops: Promise<void>[] = [];

  constructor(options: LeasesOptions) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? 3_000;
    this.#renewMs = options.renewMs ?? 1_000;
    this.#renewedAt = this.#lookedAt = options.clock.monotonic();
    this.#prefix = `mr-lease.${options.pid}.${options.stage}.`;
  }

  get held(): number[] {
    return [...this.#held.keys()].sort((a, b) => a - b);
  }

  /** Time since the last iteration, successful or not: large only when something hangs. */
  get silentMs(): number {
    return this.#options.clock.monotonic() - Math.min(this.#renewedAt, this.#lookedAt);
  }

  start(): void {
    this.#unsubscribe = this.#options.streams.subscribe(`${this.#prefix}>`, ({ data }) => {
      if (isFree(data)) this.#nudge.abort(nudged);
    });
    this.#loops = [this.#renewLoop(), this.#lookLoop(), this.#expiryLoop()];
  }

  /**
   * Holds its slots until they are released, because the pod is about to stop. Other pods take them as they become
   * free.
   */
  takeNoMore(): void {
    this.#isTaking = false;
    this.#nudge.abort(nudged);
  }

  /** Gives a slot back, so that another pod takes it without waiting for it to expire. */
  async release(slot: number): Promise<void> {
    const held = this.#held.get(slot);
    if (held === undefined) return;
    this.#held.delete(slot);
    await this.#renewals.get(slot);
    await this.#publish(this.#subject(slot), held.sequence, true).catch(this.#options.onFailure);
  }

  /** Releases everything. The caller has stopped what runs in its slots. */
  async stop(): Promise<void> {
    this.#stop.abort(nudged);
    this.#nudge.abort(nudged);
    this.#unsubscribe();
    await Promise.all([...this.#loops, ...this.#renewals.values()]);
    await Promise.all(this.held.map((slot) => this.release(slot)));
    await this.#publish(this.#presenceSubject(), undefined, true).catch(this.#options.onFailure);
  }

  /** L6. */
  async #renewLoop(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#renewedAt = clock.monotonic();
      this.#expire();
      for (const [slot, held] of this.#held) {
        if (this.#renewals.has(slot)) continue;
        const renewal = this.#renew(slot, held).finally(() => this.#renewals.delete(slot));
        this.#renewals.set(slot, renewal);
      }
      await clock.sleep(this.#renewMs, this.#stop.signal).catch(() => undefined);
    }
  }

  async #lookLoop(): Promise<void> {
    const { clock, onFailure, pid, streams } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#lookedAt = clock.monotonic();
      this.#nudge = new AbortController();
      try {
        await this.#look();
      } catch (error) {
        onFailure(error);
        // The stream is in memory, so a restarted nats-server has lost it. The server does not say so: the subscription
        // above counts as a receiver that could answer.
        await remakeSharedStreams(streams, pid).catch(onFailure);
      }
      await clock.sleep(this.#renewMs, this.#nudge.signal).catch(() => undefined);
    }
  }

  /** L2: runs beside the renewals, because one of those may hang for as long as a request timeout. */
  async #expiryLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#expire();
      await this.#options.clock.sleep(this.#ttlMs / 12, this.#stop.signal).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    await this.#publish(this.#presenceSubject(), undefined, !this.#isTaking);
    if (!this.#isTaking) return;
    const lasts = await this.#options.streams.lastOfEach(leaseStream, `${this.#prefix}>`);
    await this.#move(new Map(lasts.map((last) => [last.subject, last])));
  }

  async #renew(slot: number, held: Held): Promise<void> {
    const sentAt = this.#options.clock.monotonic();
    try {
      held.sequence = await this.#publish(this.#subject(slot), held.sequence, false);
      held.validUntil = sentAt + this.#ttlMs;
      held.trouble = undefined;
    } catch (error) {
      if (classifyPublishFailure(error).kind === 'wrongSequence') await this.#reclaim(slot, held);
      else this.#failed(held, error);
    }
  }

  /**
   * The sequence is a different one: changed by an earlier renewal whose answer was lost, a restarted server, or
   * another owner.
   */
  async #reclaim(slot: number, held: Held): Promise<void> {
    try {
      const [last] = await this.#options.streams.lastOfEach(leaseStream, this.#subject(slot));
      const holder = last === undefined ? undefined : holderOf(last);
      if (holder !== undefined && holder.run !== this.#options.run) {
        this.#lose(slot, 'expired', `pod ${holder.pod} has taken it`);
        return;
      }
      const sentAt = this.#options.clock.monotonic();
      held.sequence = await this.#publish(this.#subject(slot), last?.seq ?? 0, false);
      held.validUntil = sentAt + this.#ttlMs;
      held.trouble = undefined;
    } catch (error) {
      if (classifyPublishFailure(error).kind === 'wrongSequence')
        this.#lose(slot, 'expired', 'another pod has taken it');
      else this.#failed(held, error);
    }
  }

  #failed(held: Held, error: unknown): void {
    const { streams, clock, onFailure } = this.#options;
    const since = new Date(clock.now()).toISOString();
    held.trouble ??= `NATS at ${streams.server} has not answered since ${since} (${problemOf(error)})`;
    onFailure(error);
  }

  async #move(lasts: ReadonlyMap<string, StoredMessage>): Promise<void> {
    const pods = new Set<string>();
    const holders = new Map<number, string>();
    for (const [subject, last] of lasts) {
      const holder = holderOf(last);
      if (holder === undefined) continue;
      if (holder.leaving !== true) pods.add(holder.pod);
      const earlierRun = holder.pod === this.#options.pod && holder.run < this.#options.run;
      const token = subject.slice(this.#prefix.length);
      if (!token.startsWith(`${podsToken}.`) && !earlierRun) holders.set(Number(token), holder.pod);
    }
    const keeping = [...this.#held].filter(([, held]) => !held.giving).map(([slot]) => slot);
    const moves = planLeases({ pods, holders }, this.#options.pod, this.#options.slots, keeping);
    for (const slot of moves.give) {
      const held = this.#held.get(slot);
      if (held === undefined) continue;
      held.giving = true;
      this.#options.onLose(slot, 'rebalance', 'another pod is to have it');
    }
    if (!this.#isTaking) return;
    await Promise.all(
      moves.take
        .filter((slot) => !this.#held.has(slot))
        .map((slot) => this.#take(slot, lasts.get(this.#subject(slot))?.seq ?? 0)),
    );
  }

  async #take(slot: number, expected: number): Promise<void> {
    const sentAt = this.#options.clock.monotonic();
    try {
      const sequence = await this.#publish(this.#subject(slot), expected, false);
      const wanted = this.#isTaking && !this.#stop.signal.aborted;
      this.#held.set(slot, { sequence, validUntil: sentAt + this.#ttlMs, giving: !wanted, trouble: undefined });
      if (!wanted) return await this.release(slot);
    } catch (error) {
      const { kind } = classifyPublishFailure(error);
      if (kind !== 'wrongSequence' && kind !== 'inProcess') throw error;
      return;
    }
    this.#options.onAcquire(slot);
  }

  #expire(): void {
    const now = this.#options.clock.monotonic();
    for (const [slot, held] of this.#held) {
      if (now < held.validUntil) continue;
      const because = held.trouble ?? this.#unanswered(slot);
      this.#lose(slot, 'expired', `its lease was not renewed for ${this.#ttlMs} ms: ${because}`);
    }
  }

  #unanswered(slot: number): string {
    const isAsked = this.#renewals.has(slot);
    return isAsked ? `NATS at ${this.#options.streams.server} has not answered` : 'this process stood still';
  }

  #lose(slot: number, reason: LossReason, why: string): void {
    if (this.#held.delete(slot)) this.#options.onLose(slot, reason, why);
  }

  async #publish(subject: string, expected: number | undefined, free: boolean): Promise<number> {
    const { pod, run, streams } = this.#options;
    const holder: Holder = { pod, run, ...(free ? { free } : this.#isTaking ? {} : { leaving: true }) };
    const ack = await streams.publish(subject, JSON.stringify(holder), {
      ttlSeconds: Math.max(1, Math.ceil(this.#ttlMs / 1_000)),
      timeoutMs: this.#ttlMs / 3,
      ...(expected === undefined ? {} : { expectLast: expected }),
    });
    return ack.seq;
  }

  #subject(slot: number): string {
    return leaseSubject(this.#options.pid, this.#options.stage, slot);
  }

  #presenceSubject(): string {
    return `${this.#prefix}${podsToken}.${this.#options.pod.replaceAll('.', '_')}`;
  }
}

function holderOf(message: StoredMessage): Holder | undefined {
  if (message.header.has(markerReason) || message.header.has(rollup)) return undefined;
  const { buffer, byteOffset, byteLength } = message.data;
  const holder = holderSchema.safeParse(JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8')));
  return holder.success && holder.data.free !== true ? holder.data : undefined;
}

function isFree(data: Uint8Array): boolean {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).includes('"free":true');
}
