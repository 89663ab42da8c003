/**
 * What the controller watches: Pipelines, copied credentials, Deployments. Each watch updates a cache and names the
 * pipelines that a change is about.
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
  replaceAll(all: readonly Kept[]): void;
  put(one: Kept): void;
  remove(one: Kept): void;
}

const ownObjects = { [labels.managedBy]: 'millrace' };

export class Informers {
  readonly #parts: InformersParts;
  #isSynced = false;
  relists = 0;

  constructor(parts: InformersParts) {
    this.#parts = parts;
  }

  /** The pipelines were listed. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Resolves when the signal is aborted. */
  async run(): Promise<void> {
    await Promise.all([this.#pipelines(), this.#copies(), this.#workloads()]);
  }

  #pipelines(): Promise<void> {
    const { cache, log, onSighting, onGone } = this.#parts;
    return watchKept<Sighting>(this.#parts.kube, {
      ...this.#common('pipelines'),
      kind,
      keep: (resource: KubeObject) => sightingOf(resource, (key) => cache.get(key)),
      onList: (sightings) => {
        for (const sighting of sightings) onSighting(sighting, true);
        for (const gone of cache.keepOnly(new Set(sightings.map(({ key }) => key)))) onGone(gone);
        if (!this.#isSynced) log.info({ pipelines: cache.size }, 'pipelines are known');
        this.#isSynced = true;
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
    });
  }

  #copies(): Promise<void> {
    const { copies } = this.#parts;
    return this.#follow('copied credentials', copies, { kind: 'Secret', metadataOnly: true, keep: copyOf });
  }

  #workloads(): Promise<void> {
    return this.#follow('Deployments', this.#parts.workloads, { kind: 'Deployment', keep: workloadOf });
  }

  /** Watches objects that Millrace created, kept by pipeline. */
  #follow<Kept extends { readonly pipelineUid: string }>(
    what: string,
    cache: CacheOf<Kept>,
    which: Pick<KeepingOptions<Kept>, 'kind' | 'metadataOnly' | 'keep'>,
  ): Promise<void> {
    const { kube, onChange } = this.#parts;
    return watchKept<Kept>(kube, {
      ...this.#common(what),
      ...which,
      labels: ownObjects,
      onList: (all) => {
        cache.replaceAll(all);
        onChange(undefined);
      },
      onChange: (change, object) => {
        if (change === 'deleted') cache.remove(object);
        else cache.put(object);
        onChange(object.pipelineUid);
      },
    });
  }

  #common(what: string): Pick<WatchOptions, 'signal' | 'clock' | 'onError'> {
    const { signal, clock, log } = this.#parts;
    return { signal, clock, onError: (problem) => log.warn({ problem }, `${what} are not watched for now`) };
  }
}
