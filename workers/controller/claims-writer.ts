/** Keeps the controller's conditions of each pipeline as they are in truth, with as few writes as that takes. */
import { countDeadLetters } from '../../stream/streams.ts';
import type { Streams } from '../../stream/connection.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import { KubeError } from '../../activities/kubernetes/kube-error.ts';
import type { Kube } from '../../activities/kubernetes/kube.ts';
import { claimsOf } from './conditions.ts';
import { minWriteMs, urgencyOf, writeDataStatus } from './data-status.ts';
import type { CachedPipeline, PipelineCache } from './pipeline-cache.ts';
import type { Reports } from './reports.ts';
import type { Teller } from './teller.ts';

export interface ClaimsWriterParts {
  readonly kube: Kube;
  readonly cache: PipelineCache;
  readonly reports: Reports;
  readonly teller: Teller;
  readonly streams: () => Streams | undefined;
  readonly now: () => number;
}

interface Counted {
  readonly records: number;
  /** Sum of what the pods had counted by then: a new sum is a reason to count again. */
  readonly reported: number;
  readonly at: number;
}

export class ClaimsWriter {
  readonly #parts: ClaimsWriterParts;
  readonly #writtenAt = new Map<string, number>();
  readonly #counted = new Map<string, Counted>();

  constructor(parts: ClaimsWriterParts) {
    this.#parts = parts;
  }

  /** Whether there is something to write for this pipeline now. Reads nothing but memory. */
  isDue(cached: CachedPipeline): boolean {
    const { reports, now } = this.#parts;
    const live = reports.live(cached.pid);
    if (this.#mustCount(cached, live)) return true;
    const urgency = urgencyOf(this.#claims(cached, live), this.#records(cached), cached.status);
    const isAllowed = now() - (this.#writtenAt.get(cached.pid) ?? 0) >= minWriteMs;
    return urgency === 'now' || (urgency === 'later' && isAllowed);
  }

  async work(key: string): Promise<void> {
    const { kube, cache, reports, now } = this.#parts;
    const cached = cache.get(key);
    if (cached === undefined) return;
    const live = reports.live(cached.pid);
    if (this.#mustCount(cached, live)) await this.#count(cached, live);
    if (!this.isDue(cached)) return;
    const claims = this.#claims(cached, live);
    try {
      await writeDataStatus(kube, cached.resource, cached.status, claims, this.#records(cached), now());
      this.#writtenAt.set(cached.pid, now());
    } catch (error) {
      // Gone meanwhile, or another pipeline with its name: then there is nothing to say.
      if (error instanceof KubeError && (error.isNotFound || error.isConflict)) return;
      throw error;
    }
  }

  forget(pid: string): void {
    this.#writtenAt.delete(pid);
    this.#counted.delete(pid);
  }

  #claims(cached: CachedPipeline, reports: readonly PodReport[]) {
    const { generation = 0, deletionTimestamp } = cached.resource.metadata;
    return claimsOf({
      generation,
      deleting: deletionTimestamp != null,
      status: cached.status,
      reports,
      deadLetters: this.#records(cached),
      engineUnavailable: this.#parts.teller.engineUnavailable(cached),
    });
  }

  #records({ pid, status }: CachedPipeline): number {
    return this.#counted.get(pid)?.records ?? status.deadLetters?.records ?? 0;
  }

  #mustCount({ pid }: CachedPipeline, reports: readonly PodReport[]): boolean {
    if (reports.length === 0 || this.#parts.streams() === undefined) return false;
    const counted = this.#counted.get(pid);
    if (counted === undefined) return true;
    return counted.reported !== sumOf(reports) && this.#parts.now() - counted.at >= minWriteMs;
  }

  async #count({ pid, status }: CachedPipeline, reports: readonly PodReport[]): Promise<void> {
    const streams = this.#parts.streams();
    if (streams === undefined) return;
    const before = this.#counted.get(pid)?.records ?? status.deadLetters?.records ?? 0;
    // While NATS is away the count stays as it was; it is taken again with the next report.
    const records = await countDeadLetters(streams.js, pid).catch(() => before);
    this.#counted.set(pid, { records, reported: sumOf(reports), at: this.#parts.now() });
  }
}

function sumOf(reports: readonly PodReport[]): number {
  return reports.reduce((sum, { deadLetters }) => sum + deadLetters, 0);
}
