/**
 * What the controller watches: Pipelines, copied credentials, Deployments. Each watch updates a cache and names the
 * pipelines that a change is about.
 *
 * I1  Where only some namespaces are watched, each is watched by itself: one that cannot be read, because it is gone with
 *     the rights in it, keeps none of the others waiting.
 */
import type { Logger } from 'pino';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { watchKept, type KeepingOptions, type WatchOptions } from '../../kubernetes/watch.ts';
import { kind, labels } from '../../model/names.ts';
import type { Clock } from '../../model/clock.ts';
import { copyOf, type Copies } from './copies.ts';
import type { PipelineCache } from './pipeline-cache.ts';
import { sightingOf, type PipelineRecord, type Sighting } from './pipeline-record.ts';
import { workloadOf, type Workloads } from './workloads.ts';

export interface InformersParts {
  readonly kube: Kube;
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends all watches. */
  readonly signal: AbortSignal;
  readonly cache: PipelineCache;
  readonly copies: Copies;
  readonly workloads: Workloads;
  /** A resource was seen. `isListed`: in a list, which overrides anything seen before. */
  readonly onSighting: (sighting: Sighting, isListed: boolean) => void;
  readonly onGone: (record: PipelineRecord) => void;
  /** Something about this pipeline has changed; undefined: about any pipeline. */
  readonly onChange: (pipelineUid: string | undefined) => void;
}

/** The objects of one kind, by pipeline. */
interface CacheOf<Kept> {
  replaceAll(all: readonly Kept[], namespace: string | undefined): void;
  put(one: Kept): void;
  remove(one: Kept): void;
}

const ownObjects = { [labels.managedBy]: 'millrace' };

export class Informers {
  readonly #parts: InformersParts;
  /** Namespaces whose pipelines were neither listed nor refused yet; undefined: all of them together. */
  readonly #awaited: Set<string | undefined>;
  #hasList = false;
  relists = 0;

  constructor(parts: InformersParts) {
    this.#parts = parts;
    this.#awaited = new Set(this.#places);
  }

  /** The pipelines were listed, but for namespaces that cannot be read (I1). */
  get isSynced(): boolean {
    return this.#hasList && this.#awaited.size === 0;
  }

  get #places(): readonly (string | undefined)[] {
    return this.#parts.kube.transport.onlyIn ?? [undefined];
  }

  /** Resolves when the signal is aborted. */
  async run(): Promise<void> {
    const watches = this.#places.flatMap((namespace) => [
      this.#pipelines(namespace),
      this.#copies(namespace),
      this.#workloads(namespace),
    ]);
    await Promise.all(watches);
  }

  #pipelines(namespace: string | undefined): Promise<void> {
    const { cache, log, onSighting, onGone } = this.#parts;
    const { onError, ...common } = this.#common('pipelines', namespace);
    return watchKept<Sighting>(this.#parts.kube, {
      ...common,
      kind,
      keep: (resource: KubeObject) => sightingOf(resource, (key) => cache.get(key)),
      onList: (sightings) => {
        for (const sighting of sightings) onSighting(sighting, true);
        for (const gone of cache.keepOnly(new Set(sightings.map(({ key }) => key)), namespace)) onGone(gone);
        this.#hasList = true;
        if (this.#awaited.delete(namespace)) log.info({ pipelines: cache.size, namespace }, 'pipelines are known');
        this.relists += 1;
      },
      onChange: (change, sighting) => {
        if (change === 'changed') return onSighting(sighting, false);
        const record = cache.get(sighting.key);
        // A new pipeline may have its name already.
        if (record?.ref.uid !== sighting.ref.uid) return;
        cache.remove(record);
        onGone(record);
      },
      onError: (problem) => {
        // I1.
        if (namespace !== undefined) this.#awaited.delete(namespace);
        onError(problem);
      },
    });
  }

  #copies(namespace: string | undefined): Promise<void> {
    const { copies } = this.#parts;
    return this.#follow('copied credentials', namespace, copies, { kind: 'Secret', metadataOnly: true, keep: copyOf });
  }

  #workloads(namespace: string | undefined): Promise<void> {
    return this.#follow('Deployments', namespace, this.#parts.workloads, { kind: 'Deployment', keep: workloadOf });
  }

  /** Watches objects that Millrace created, kept by pipeline. */
  #follow<Kept extends { readonly pipelineUid: string }>(
    what: string,
    namespace: string | undefined,
    cache: CacheOf<Kept>,
    which: Pick<KeepingOptions<Kept>, 'kind' | 'metadataOnly' | 'keep'>,
  ): Promise<void> {
    const { kube, onChange } = this.#parts;
    return watchKept<Kept>(kube, {
      ...this.#common(what, namespace),
      ...which,
      labels: ownObjects,
      onList: (all) => {
        cache.replaceAll(all, namespace);
        onChange(undefined);
      },
      onChange: (change, object) => {
        if (change === 'deleted') cache.remove(object);
        else cache.put(object);
        onChange(object.pipelineUid);
      },
    });
  }

  #common(
    what: string,
    namespace: string | undefined,
  ): Pick<WatchOptions, 'namespace' | 'signal' | 'clock' | 'onError'> {
    const { signal, clock, log } = this.#parts;
    const onError = (problem: string) => log.warn({ problem, namespace }, `${what} are not watched for now`);
    return { namespace, signal, clock, onError };
  }
}
