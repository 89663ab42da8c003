/**
 * Takes a pipeline to where its entity knows what its resource says.
 *
 * A failure leaves the key in the queue, with a growing pause; while Temporal is down the pipelines that wait for it say
 * so, and the others go on.
 */
import { fieldManagers } from '../../model/names.ts';
import { MillraceError, problemOf } from '../../model/errors.ts';
import { emitEvent } from '../../activities/status/event.ts';
import { addFinalizer } from '../../kubernetes/finalizer.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Engine } from './engine.ts';
import type { Deviation } from './deviation.ts';
import { needOf, type Told } from './level.ts';
import type { CachedPipeline, PipelineCache } from './pipeline-cache.ts';

export interface TellerParts {
  readonly kube: Kube;
  readonly engine: Engine;
  readonly cache: PipelineCache;
  readonly now: () => number;
}

interface Memory {
  readonly uid: string;
  told?: Told;
  toldAt: number;
  isMissing: boolean;
  deviation: Deviation | undefined;
  engineUnavailable: string | undefined;
}

export class Teller {
  readonly #parts: TellerParts;
  readonly #memory = new Map<string, Memory>();
  signals = 0;
  /** Times that an entity was not told because it knew. */
  suppressed = 0;

  constructor(parts: TellerParts) {
    this.#parts = parts;
  }

  async work(key: string): Promise<void> {
    const cached = this.#parts.cache.get(key);
    if (cached === undefined) return void this.#memory.delete(key);
    const memory = this.#of(cached);
    try {
      await this.#tell(cached, memory);
      memory.engineUnavailable = undefined;
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MR_ENGINE_UNAVAILABLE')
        await this.#noteOutage(cached, memory, error);
      throw error;
    }
  }

  engineUnavailable(cached: CachedPipeline): string | undefined {
    return this.#of(cached).engineUnavailable;
  }

  /** Told with the next work on the pipeline. */
  noteDeviation(cached: CachedPipeline, deviation: Deviation): void {
    this.#of(cached).deviation = deviation;
  }

  /** True when the entity must be started again; one that was told a moment ago may not be listed yet. */
  noteMissing(cached: CachedPipeline, graceMs: number): boolean {
    const memory = this.#of(cached);
    if (this.#parts.now() - memory.toldAt < graceMs) return false;
    memory.isMissing = true;
    return true;
  }

  async #tell(cached: CachedPipeline, memory: Memory): Promise<void> {
    const { engine, cache, now } = this.#parts;
    let { resource, status } = cached;
    let need = needOf(resource, status, memory.told, memory.isMissing);
    if (need.do === 'addFinalizer') {
      ({ resource, status } = cache.put(await this.#addFinalizer(cached)));
      need = needOf(resource, status, memory.told, memory.isMissing);
    }
    if (need.do === 'nothing' && need.because === 'told') this.suppressed += 1;
    if (need.do === 'tell') {
      await engine.tell(cached.ref, need.what);
      this.signals += 1;
      Object.assign(memory, { told: need.what, toldAt: now(), isMissing: false });
    }
    const { deviation } = memory;
    if (deviation === undefined) return;
    if (resource.metadata.deletionTimestamp == null) {
      await (deviation.is === 'drift'
        ? engine.tellDrift(cached.ref, deviation.what)
        : engine.tellCredentialsChanged(cached.ref));
      this.signals += 1;
    }
    // Another may have been noted while this one was told.
    if (memory.deviation === deviation) memory.deviation = undefined;
  }

  /** E2: there before anything is started. */
  async #addFinalizer({ ref }: CachedPipeline) {
    const written = await addFinalizer(this.#parts.kube, ref, fieldManagers.controller);
    if (written === undefined) throw new Error(`pipeline ${ref.namespace}/${ref.name} is gone`);
    return written;
  }

  async #noteOutage({ ref }: CachedPipeline, memory: Memory, error: MillraceError): Promise<void> {
    if (memory.engineUnavailable !== undefined) return;
    memory.engineUnavailable = error.sentence;
    const { kube, now } = this.#parts;
    const content = { type: 'Warning', reason: error.reason, action: 'tell', note: error.sentence } as const;
    const source = { controller: 'millrace.io/controller', instance: 'controller' } as const;
    await emitEvent(kube, ref, content, { key: String(now()), at: now(), source }).catch((problem: unknown) => {
      // The condition says the same; the outage must not hide behind an Event that could not be written.
      memory.engineUnavailable = `${error.sentence} (${problemOf(problem)})`;
    });
  }

  #of({ key, ref }: CachedPipeline): Memory {
    const known = this.#memory.get(key);
    if (known?.uid === ref.uid) return known;
    const fresh: Memory = {
      uid: ref.uid,
      toldAt: 0,
      isMissing: false,
      deviation: undefined,
      engineUnavailable: undefined,
    };
    this.#memory.set(key, fresh);
    return fresh;
  }
}
