/**
 * Watches pipelines and what they refer to, and tells Temporal what changed. No business logic: levels are compared in
 * `./level.ts`, conditions are folded in `./conditions.ts`. Two copies may run; that costs a signal, never a mistake.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { findReferences } from '../../crds/credentials.ts';
import { problemOf } from '../../crds/errors.ts';
import { toJson } from '../../crds/json.ts';
import { finalizer, kind } from '../../crds/names.ts';
import type { CredentialRef } from '../../crds/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import type { Kube } from '../../activities/kubernetes/kube.ts';
import type { KubeObject } from '../../activities/kubernetes/objects.ts';
import { watchObjects } from '../../activities/kubernetes/watch.ts';
import { ClaimsWriter } from './claims-writer.ts';
import type { Engine } from './engine.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { PipelineCache, type CachedPipeline } from './pipeline-cache.ts';
import { Reports } from './reports.ts';
import { Teller } from './teller.ts';

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
  readonly #versions = new Map<string, string>();
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
      ...{ kube, cache, now, reports: this.#reports, teller: this.#teller },
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

  get queueDepth(): number {
    return this.#tellings.depth;
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
        for (const key of this.#cache.replaceAll(resources)) this.#gone(key, known.get(key));
        for (const cached of this.#cache.all()) this.#seen(cached, known.get(cached.key));
        this.#synced = true;
        this.relists += 1;
      },
      onChange: (change, resource) => {
        const key = `${resource.metadata.namespace ?? ''}/${resource.metadata.name}`;
        if (change === 'deleted') return this.#gone(key, this.#cache.remove(key)?.pid);
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

  #gone(key: string, pid: string | undefined): void {
    this.#tellings.forget(key);
    this.#tellings.add(key);
    if (pid === undefined) return;
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
  #watchReferenced(referenced: 'Secret' | 'ConfigMap', signal: AbortSignal): Promise<void> {
    const note = (object: KubeObject, isFirstList: boolean) => {
      const { namespace = '', name, resourceVersion = '' } = object.metadata;
      const key = `${referenced}/${namespace}/${name}`;
      const before = this.#versions.get(key);
      this.#versions.set(key, resourceVersion);
      if (!isFirstList && before !== resourceVersion) this.#credentialChanged(referenced, namespace, name);
    };
    let isFirstList = true;
    return watchObjects(this.#parts.kube, {
      kind: referenced,
      metadataOnly: true,
      signal,
      onList: (objects) => {
        for (const object of objects) note(object, isFirstList);
        isFirstList = false;
      },
      onChange: (change, object) => {
        if (change === 'changed') note(object, false);
      },
      onError: (problem) => this.#parts.log.warn({ problem }, `${referenced}s are not watched for now`),
    });
  }

  #credentialChanged(referenced: 'Secret' | 'ConfigMap', namespace: string, name: string): void {
    const wanted: CredentialRef['kind'] = referenced === 'Secret' ? 'secret' : 'configMap';
    for (const cached of this.#cache.all()) {
      if (cached.ref.namespace !== namespace) continue;
      const { refs } = findReferences(toJson(cached.resource['spec'] ?? null));
      if (!refs.some((ref) => ref.kind === wanted && ref.name === name)) continue;
      this.#teller.noteCredentialsChanged(cached);
      this.#tellings.add(cached.key);
    }
  }

  /** Reports expire without anybody saying so. */
  #tick(): void {
    for (const cached of this.#cache.all()) if (this.#writer.isDue(cached)) this.#writings.add(cached.key);
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
