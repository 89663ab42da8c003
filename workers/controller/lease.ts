/**
 * Elects one of several controllers by a Lease of coordination.k8s.io, as client-go's leader election does.
 *
 * L1  The holder renews the lease every few seconds, and stops trusting it before others may take it: two controllers
 *     never believe that they hold it, as long as their clocks run at the same rate. Only the number of writes depends
 *     on that.
 * L2  Timestamps of others are never compared with our clock: a lease has expired when we have seen no change of it for
 *     its duration.
 * L3  Every write carries the resourceVersion that was read: if two take the lease at the same time, one succeeds.
 * L4  A holder that does not receive the pods' reports says so in the lease, and a controller that does may take it
 *     over. A controller that does not receive them takes the lease only after nobody else has for a while.
 */
import { z } from 'zod';
import { problemOf } from '../../model/errors.ts';
import { fieldManagers } from '../../model/names.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Clock } from '../../model/clock.ts';

export interface LeaseOptions {
  readonly kube: Pick<Kube, 'get' | 'create' | 'patchMerge'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>;
  readonly name: string;
  readonly namespace: string;
  /** Unique per process. */
  readonly identity: string;
  /** L4. */
  readonly hears: () => boolean;
  /** Called when this process has taken or lost the lease. */
  readonly onChange: (isHeld: boolean) => void;
  readonly onError: (problem: string) => void;
}

const durationMs = 10_000;
/** L1: shorter than the time after which others may take it. */
const trustMs = 7_000;
const everyMs = 2_000;
const hearsAnnotation = 'millrace.io/hears';
const fieldManager = fieldManagers.controller;

const leaseSchema = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .default({}),
});

interface Observed {
  readonly resourceVersion: string;
  /** When this version was first seen, by our clock (L2). */
  readonly since: number;
}

export class Lease {
  readonly #options: LeaseOptions;
  #observed: Observed | undefined;
  #renewedAt = -Infinity;
  #wasHeld = false;
  #told = '';

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** L1. */
  get isHeld(): boolean {
    return this.#options.clock.monotonic() - this.#renewedAt < trustMs;
  }

  /** Resolves when the signal is aborted and the lease, if it was held, is given up. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#turn();
      await this.#options.clock.sleep(everyMs, signal).catch(() => undefined);
    }
    await this.#release();
  }

  async #turn(): Promise<void> {
    try {
      await this.#look();
      this.#told = '';
    } catch (error) {
      // Somebody else was faster; the next look shows it.
      if (!(error instanceof KubeError && error.isConflict())) this.#tellOnce(problemOf(error));
    }
    if (this.isHeld === this.#wasHeld) return;
    this.#wasHeld = this.isHeld;
    this.#options.onChange(this.#wasHeld);
  }

  async #look(): Promise<void> {
    const { kube, name, namespace, identity, clock, hears } = this.#options;
    const live = await kube.get('Lease', name, namespace);
    const now = clock.monotonic();
    if (live === undefined) return this.#create();
    const { metadata, spec } = leaseSchema.parse(live);
    const { resourceVersion = '' } = live.metadata;
    if (this.#observed?.resourceVersion !== resourceVersion) this.#observed = { resourceVersion, since: now };
    const holder = spec.holderIdentity ?? '';
    if (holder === identity) return this.#write(live, {});
    this.#renewedAt = -Infinity;
    const unchangedMs = now - this.#observed.since;
    const isFree = holder === '' || unchangedMs >= (spec.leaseDurationSeconds ?? 0) * 1_000;
    const isDeaf = metadata.annotations?.[hearsAnnotation] === 'false';
    // L4. A controller that hears goes first: it looks every few seconds and would have taken the lease long before.
    const mayTake = hears() ? isFree || isDeaf : isFree && unchangedMs >= 2 * durationMs;
    if (!mayTake) return;
    const at = this.#time();
    await this.#write(live, { acquireTime: at, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 });
  }

  async #create(): Promise<void> {
    const { kube, name, namespace } = this.#options;
    const before = this.#options.clock.monotonic();
    const at = this.#time();
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, annotations: { [hearsAnnotation]: String(this.#options.hears()) } },
      spec: { ...this.#claim(), acquireTime: at, leaseTransitions: 0 },
    } as const;
    await kube.create(lease, { fieldManager });
    this.#renewedAt = before;
  }

  /** L3. Our time starts before the request, which may take long. */
  async #write({ metadata: { resourceVersion } }: KubeObject, more: object): Promise<void> {
    const { kube, name, namespace, clock, hears } = this.#options;
    const before = clock.monotonic();
    const metadata = { resourceVersion, annotations: { [hearsAnnotation]: String(hears()) } };
    const patch = { metadata, spec: { ...this.#claim(), ...more } };
    const written = await kube.patchMerge('Lease', name, namespace, patch, { fieldManager });
    // It was deleted meanwhile; the next look recreates it.
    this.#renewedAt = written === undefined ? -Infinity : before;
  }

  #tellOnce(problem: string): void {
    if (this.#told !== problem) this.#options.onError(problem);
    this.#told = problem;
  }

  #claim() {
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: durationMs / 1_000,
      renewTime: this.#time(),
    };
  }

  /** MicroTime, for people: it is never compared (L2). */
  #time(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }

  /** So that others need not wait until it expires. */
  async #release(): Promise<void> {
    if (!this.isHeld) return;
    const { kube, name, namespace, identity, onError } = this.#options;
    this.#renewedAt = -Infinity;
    try {
      const live = await kube.get('Lease', name, namespace);
      if (live === undefined || leaseSchema.parse(live).spec.holderIdentity !== identity) return;
      const { resourceVersion } = live.metadata;
      const patch = { metadata: { resourceVersion }, spec: { holderIdentity: '' } };
      await kube.patchMerge('Lease', name, namespace, patch, { fieldManager });
    } catch (error) {
      onError(problemOf(error));
    }
  }
}
