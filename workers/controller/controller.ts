/**
 * Watches pipelines and what they refer to, and tells Temporal what changed. No business logic: levels are compared in
 * `./level.ts`, conditions are folded in `./conditions.ts`. Two copies may run; that costs a signal, never a mistake.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { problemOf } from '../../model/errors.ts';
import { finalizer, kind, labels } from '../../model/names.ts';
import type { Streams } from '../../stream/connection.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { watchObjects } from '../../kubernetes/watch.ts';
import { ClaimsWriter } from './claims-writer.ts';
import { Copies, type ReferencedKind } from './copies.ts';
import { deviationOf } from './deviation.ts';
import { Deviations } from './deviations.ts';
import type { Engine } from './engine.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { PipelineCache, type CachedPipeline } from './pipeline-cache.ts';
import { Reports } from './reports.ts';
import { Teller } from './teller.ts';
import { Workloads, type Workload } from './workloads.ts';

export interface ControllerParts {
  readonly kube: Kube;
  readonly engine: Engine;
  readonly log: Logger;
  readonly sweepMs: number;
  /** Between two looks at which reports have expired. Default 2 s. */
  readonly tickMs?: number;
}

/** Visibility lags behind: an entity that was started within this time is not looked for. */
const listingLagMs = 10_000;

export class Controller {
  readonly #parts: ControllerParts;
  readonly #cache = new PipelineCache();
  readonly #reports = new Reports(() => Date.now());
  readonly #teller: Teller;
  readonly #writer: ClaimsWriter;
  readonly #tellings: KeyedQueue;
  readonly #writings: KeyedQueue;
  readonly #workloads = new Workloads();
  readonly #copies = new Copies();
  readonly #deviations = new Deviations(() => Date.now());
  #streams: Streams | undefined;
  #synced = false;
  relists = 0;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    const { kube, engine, log } = parts;
    const now = () => Date.now();
    const cache = this.#cache;
    this.#teller = new Teller({ kube, engine, cache, now });
    this.#writer = new ClaimsWriter({
      ...{ kube, cache, now, reports: this.#reports, workloads: this.#workloads, teller: this.#teller },
      streams: () => this.#streams,
    });
    const onError = (what: string) => (key: string, error: unknown, retryInMs: number) => {
      log.warn({ pipeline: key, problem: problemOf(error), retryInMs: Math.round(retryInMs) }, what);
      this.#writings.add(key);
    };
    this.#tellings = new KeyedQueue({
      work: (key) => this.#tellAndWrite(key),
      onError: onError('Temporal could not be told'),
    });
    this.#writings = new KeyedQueue({
      work: (key) => this.#writer.work(key),
      onError: (key, error) =>
        log.warn({ pipeline: key, problem: problemOf(error) }, 'conditions could not be written'),
    });
  }

  get isSynced(): boolean {
    return this.#synced;
  }

  get signals(): number {
    return this.#teller.signals;
  }

  /** Times that an entity was not told because it knew. */
  get suppressed(): number {
    return this.#teller.suppressed;
  }

  get queueDepth(): number {
    return this.#tellings.depth;
  }

  get oldestKeyAgeMs(): number {
    return this.#tellings.oldestAgeMs;
  }

  /** Reports count from now on; until then the data conditions are Unknown. */
  useStreams(streams: Streams): void {
    this.#streams = streams;
    this.#reports.follow(streams, (pid) => {
      const cached = this.#cache.byPid(pid);
      if (cached !== undefined && this.#writer.isDue(cached)) this.#writings.add(cached.key);
    });
    for (const { pid } of this.#cache.all()) this.#readStored(pid);
  }

  /** Resolves when `signal` is aborted and what was begun has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#watchPipelines(signal),
      this.#watchReferenced('Secret', signal),
      this.#watchReferenced('ConfigMap', signal),
      this.#watchWorkloads(signal),
      this.#every(this.#parts.tickMs ?? 2_000, signal, () => this.#tick()),
      this.#every(this.#parts.sweepMs, signal, () => this.#sweep()),
    ]);
    await Promise.all([this.#tellings.close(), this.#writings.close()]);
    this.#reports.close();
  }

  async #tellAndWrite(key: string): Promise<void> {
    await this.#teller.work(key);
    this.#writings.add(key);
  }

  #watchPipelines(signal: AbortSignal): Promise<void> {
    return watchObjects(this.#parts.kube, {
      kind,
      signal,
      onList: (resources) => {
        const known = new Map(this.#cache.all().map(({ key, pid }) => [key, pid]));
        for (const gone of this.#cache.replaceAll(resources)) this.#gone(gone);
        for (const cached of this.#cache.all()) this.#seen(cached, known.get(cached.key));
        this.#synced = true;
        this.relists += 1;
      },
      onChange: (change, resource) => {
        const key = `${resource.metadata.namespace ?? ''}/${resource.metadata.name}`;
        if (change === 'deleted') {
          const gone = this.#cache.remove(key);
          return gone === undefined ? undefined : this.#gone(gone);
        }
        const before = this.#cache.get(key)?.pid;
        this.#seen(this.#cache.put(resource), before);
      },
      onError: (problem) => this.#parts.log.warn({ problem }, 'pipelines are not watched for now'),
    });
  }

  #seen(cached: CachedPipeline, pidBefore: string | undefined): void {
    this.#tellings.add(cached.key);
    if (pidBefore !== cached.pid) this.#readStored(cached.pid);
  }

  #gone({ key, pid, ref }: CachedPipeline): void {
    this.#tellings.forget(key);
    this.#tellings.add(key);
    this.#deviations.forget(ref.uid);
    this.#reports.forget(pid);
    this.#writer.forget(pid);
  }

  #readStored(pid: string): void {
    if (this.#streams === undefined) return;
    this.#reports.readStored(this.#streams, pid).catch((error: unknown) => {
      // The pods report again within ten seconds.
      this.#parts.log.debug({ pid, problem: problemOf(error) }, 'stored reports could not be read');
    });
  }

  /** Only metadata: a value is read by nobody but the activity that copies the named keys. */
  #watchReferenced(referenced: ReferencedKind, signal: AbortSignal): Promise<void> {
    return watchObjects(this.#parts.kube, {
      kind: referenced,
      metadataOnly: true,
      signal,
      onList: (objects) => this.#copies.replaceAll(referenced, objects),
      onChange: (change, object) =>
        change === 'deleted' ? this.#copies.remove(referenced, object) : this.#copies.put(referenced, object),
      onError: (problem) => this.#parts.log.warn({ problem }, `${referenced}s are not watched for now`),
    });
  }

  #watchWorkloads(signal: AbortSignal): Promise<void> {
    const note = (workload: Workload | undefined) => {
      const cached = workload === undefined ? undefined : this.#cache.get(workload.pipeline);
      if (cached !== undefined && this.#writer.isDue(cached)) this.#writings.add(cached.key);
    };
    return watchObjects(this.#parts.kube, {
      kind: 'Deployment',
      labels: { [labels.managedBy]: 'millrace' },
      signal,
      onList: (deployments) => this.#workloads.replaceAll(deployments),
      onChange: (change, deployment) =>
        note(change === 'deleted' ? this.#workloads.remove(deployment) : this.#workloads.put(deployment)),
      onError: (problem) => this.#parts.log.warn({ problem }, 'Deployments are not watched for now'),
    });
  }

  /** Reports expire, and deviations last, without anybody saying so. */
  #tick(): void {
    for (const cached of this.#cache.all()) {
      if (this.#writer.isDue(cached)) this.#writings.add(cached.key);
      this.#lookForDeviation(cached);
    }
  }

  #lookForDeviation(cached: CachedPipeline): void {
    if (!this.#workloads.isSynced || !this.#copies.isSynced) return;
    const { ref, resource, status } = cached;
    const { generation = 0, deletionTimestamp } = resource.metadata;
    const deviation = deviationOf({
      generation,
      deleting: deletionTimestamp != null,
      status,
      workloads: this.#workloads.of(ref.uid),
      stale: this.#copies.staleOf(cached),
    });
    if (!this.#deviations.isDue(ref.uid, deviation, status.opSeq ?? 0) || deviation === undefined) return;
    this.#parts.log.info({ pipeline: cached.key, ...deviation }, 'the cluster is not as it was left');
    this.#teller.noteDeviation(cached, deviation);
    this.#tellings.add(cached.key);
  }

  /** Entities that were ended by hand, or lost: their pipelines are told again. */
  async #sweep(): Promise<void> {
    if (!this.#synced) return;
    const open = await this.#parts.engine.openEntities();
    for (const cached of this.#cache.all()) {
      const { namespace, name, uid } = cached.ref;
      const isOurs = cached.resource.metadata.finalizers?.includes(finalizer) === true;
      if (!isOurs || open.has(`pipeline/${namespace}/${name}/${uid}`)) continue;
      if (this.#teller.noteMissing(cached, listingLagMs)) this.#tellings.add(cached.key);
    }
  }

  async #every(ms: number, signal: AbortSignal, act: () => void | Promise<void>): Promise<void> {
    const pause = () => delay(ms, true, { signal }).catch(() => false);
    while (await pause()) {
      try {
        await act();
      } catch (error) {
        this.#parts.log.warn({ problem: problemOf(error) }, 'a regular look failed and comes again');
      }
    }
  }
}
