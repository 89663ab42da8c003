/**
 * I14 at every second: what the status says beside what is true.
 *
 * A pipeline is stuck when records that were acknowledged more than ten seconds ago are missing from its sinks and
 * nothing has arrived for ten seconds. While it is stuck, `Ready=True` is a false claim.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Kube } from '../../kubernetes/kube.ts';
import { kind } from '../../model/names.ts';
import { statusSchema } from '../../crds/status.ts';
import type { Load, Mark } from './load.ts';
import type { Sinks } from './sinks.ts';

export interface Sample {
  readonly atMs: number;
  readonly pipeline: 'orders' | 'events';
  /** Undefined while a sink could not be asked. */
  readonly arrived: number | undefined;
  readonly ready: string | undefined;
  readonly reason: string | undefined;
  readonly stuckMs: number;
}

const everyMs = 1_000;
export const stuckAfterMs = 10_000;

export class Truth {
  readonly samples: Sample[] = [];
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  start(kube: Kube, load: Load, sinks: Sinks, expectedOrders: (acknowledged: number) => number): void {
    this.#running = Promise.all([
      this.#watch(
        kube,
        'orders',
        () => sinks.orderCount(),
        (mark) => expectedOrders(mark.orders),
        load,
      ),
      this.#watch(
        kube,
        'events',
        () => sinks.eventCount(),
        (mark) => mark.events,
        load,
      ),
    ]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watch(
    kube: Kube,
    pipeline: Sample['pipeline'],
    count: () => Promise<number | undefined>,
    expected: (mark: Mark) => number,
    load: Load,
  ): Promise<void> {
    let best = 0;
    let movedAt = performance.now();
    while (!this.#stop.signal.aborted) {
      const arrived = await count();
      const claim = await this.#claim(kube, pipeline);
      const now = performance.now();
      if (arrived !== undefined && arrived > best) {
        best = arrived;
        movedAt = now;
      }
      const old = load.marks.findLast(({ atMs }) => atMs <= now - stuckAfterMs);
      const isBehind = arrived !== undefined && old !== undefined && arrived < expected(old);
      if (!isBehind) movedAt = now;
      this.samples.push({ atMs: now, pipeline, arrived, ...claim, stuckMs: now - movedAt });
      await delay(everyMs);
    }
  }

  async #claim(kube: Kube, name: string): Promise<Pick<Sample, 'ready' | 'reason'>> {
    try {
      const object = await kube.get(kind, name, 'default');
      const status = statusSchema.parse(object?.['status'] ?? {});
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      return { ready: ready?.status, reason: ready?.reason };
    } catch {
      // The API server is one of those that are killed: nothing is claimed then.
      return { ready: undefined, reason: undefined };
    }
  }
}

export interface FalseClaims {
  readonly intervals: number;
  readonly seconds: number;
  readonly worstSeconds: number;
}

/** Stretches of samples in which a stuck pipeline was called ready. */
export function falseClaims(samples: readonly Sample[]): FalseClaims {
  const stretches: number[] = [];
  for (const pipeline of ['orders', 'events'] as const) {
    let length = 0;
    for (const sample of samples.filter((candidate) => candidate.pipeline === pipeline)) {
      const isFalse = sample.ready === 'True' && sample.stuckMs >= stuckAfterMs;
      if (isFalse) length += everyMs / 1_000;
      else if (length > 0) stretches.push(length);
      if (!isFalse) length = 0;
    }
    if (length > 0) stretches.push(length);
  }
  return {
    intervals: stretches.length,
    seconds: stretches.reduce((sum, seconds) => sum + seconds, 0),
    worstSeconds: Math.max(0, ...stretches),
  };
}
