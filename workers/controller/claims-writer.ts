/** Keeps the controller's part of each pipeline's status as it is in truth, with as few writes as that takes. */
import { countDeadLetters } from '../../stream/streams.ts';
import type { Streams } from '../../stream/connection.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { claimsOf, type StageFact } from './conditions.ts';
import { minWriteMs, urgencyOf, writeDataStatus, type Said } from './data-status.ts';
import type { CachedPipeline, PipelineCache } from './pipeline-cache.ts';
import { PodReasons } from './pod-reasons.ts';
import type { Reports } from './reports.ts';
import type { Teller } from './teller.ts';
import type { Workloads } from './workloads.ts';

export interface ClaimsWriterParts {
  readonly kube: Kube;
  readonly cache: PipelineCache;
  readonly reports: Reports;
  readonly workloads: Workloads;
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
  readonly #reasons: PodReasons;
  readonly #writtenAt = new Map<string, number>();
  readonly #counted = new Map<string, Counted>();

  constructor(parts: ClaimsWriterParts) {
    this.#parts = parts;
    this.#reasons = new PodReasons(parts.kube, parts.now);
  }

  /** Whether there is something to write, or to find out, for this pipeline now. Reads nothing but memory. */
  isDue(cached: CachedPipeline): boolean {
    const { reports, workloads } = this.#parts;
    if (!workloads.isSynced) return false;
    const live = reports.live(cached.pid);
    return this.#mustCount(cached, live) || this.#mustAsk(cached) || this.#mustWrite(cached, live);
  }

  async work(key: string): Promise<void> {
    const { kube, cache, reports, workloads, now } = this.#parts;
    const cached = cache.get(key);
    if (cached === undefined || !workloads.isSynced) return;
    const live = reports.live(cached.pid);
    if (this.#mustCount(cached, live)) await this.#count(cached, live);
    for (const workload of workloads.of(cached.ref.uid)) {
      if (this.#reasons.mustAsk(workload)) await this.#reasons.ask(workload);
    }
    if (!this.#mustWrite(cached, live)) return;
    try {
      await writeDataStatus(kube, cached.resource, cached.status, this.#said(cached, live), now());
      this.#writtenAt.set(cached.pid, now());
    } catch (error) {
      // Gone meanwhile, or another pipeline with its name: then there is nothing to say.
      if (error instanceof KubeError && (error.isProvenAbsent() || error.isConflict())) return;
      throw error;
    }
  }

  forget(pid: string): void {
    this.#writtenAt.delete(pid);
    this.#counted.delete(pid);
  }

  #mustAsk({ ref }: CachedPipeline): boolean {
    return this.#parts.workloads.of(ref.uid).some((workload) => this.#reasons.mustAsk(workload));
  }

  #mustWrite(cached: CachedPipeline, live: readonly PodReport[]): boolean {
    const urgency = urgencyOf(this.#said(cached, live), cached.status);
    const isAllowed = this.#parts.now() - (this.#writtenAt.get(cached.pid) ?? 0) >= minWriteMs;
    return urgency === 'now' || (urgency === 'later' && isAllowed);
  }

  #said(cached: CachedPipeline, reports: readonly PodReport[]): Said {
    const { generation = 0, deletionTimestamp } = cached.resource.metadata;
    const stages = this.#stages(cached);
    const deadLetters = this.#records(cached);
    const claims = claimsOf({
      generation,
      deleting: deletionTimestamp != null,
      status: cached.status,
      reports,
      stages,
      deadLetters,
      engineUnavailable: this.#parts.teller.engineUnavailable(cached),
    });
    const deployed = new Set(this.#parts.workloads.of(cached.ref.uid).map(({ stage }) => stage));
    const counts = stages.filter(({ name }) => deployed.has(name)).map(({ name, ready }) => ({ name, ready }));
    return { claims, deadLetters, stages: counts };
  }

  /** Of the stages that the lifecycle has named: the list is its own, the numbers of ready pods are not. */
  #stages({ ref, status }: CachedPipeline): StageFact[] {
    const live = this.#parts.workloads.of(ref.uid);
    return (status.stages ?? []).map(({ name, replicas }) => {
      const workload = live.find(({ stage }) => stage === name);
      if (workload === undefined) return { name, wanted: replicas, ready: 0, why: 'its Deployment was deleted' };
      return { name, wanted: replicas, ready: workload.ready, why: this.#reasons.of(workload) };
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
    const records = await countDeadLetters(streams, pid).catch(() => before);
    this.#counted.set(pid, { records, reported: sumOf(reports), at: this.#parts.now() });
  }
}

function sumOf(reports: readonly PodReport[]): number {
  return reports.reduce((sum, { deadLetters }) => sum + deadLetters, 0);
}
