/**
 * What only a list of all entities shows, every few minutes.
 *
 * ES1 An entity that was terminated or lost is started again: its pipeline is reported as if it were new.
 * ES2 An entity is notified of a readiness that it does not show yet (`./readiness.ts`), a limited number per sweep:
 *     while NATS is down, no pipeline is ready.
 * ES3 Leftovers of a pipeline that is gone are taken down by its entity, which is notified (`./leftovers.ts`).
 */
import type { Logger } from 'pino';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { entityWorkflowId } from '../../model/workflow-ids.ts';
import type { Engine, OpenEntities } from './engine.ts';
import type { EngineGate } from './engine-gate.ts';
import type { Events } from './events.ts';
import { Leftovers, type LeftoversParts } from './leftovers.ts';
import type { PipelineCache } from './pipeline-cache.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import { readinessToTell } from './readiness.ts';

export interface EntitySweepParts extends Pick<LeftoversParts, 'kube' | 'streams' | 'cluster' | 'now'> {
  readonly engine: Engine;
  readonly gate: EngineGate;
  readonly log: Logger;
  readonly events: Events;
  readonly cache: PipelineCache;
  readonly sweepMs: number;
  /** ES1. */
  readonly onMissing: (record: PipelineRecord) => void;
}

/** A readiness is reported when it has lasted this long. */
const lastingReadinessMs = 30_000;
/** ES2. */
const maxReadinessTold = 200;

export class EntitySweep {
  readonly #parts: EntitySweepParts;
  readonly #leftovers: Leftovers;

  constructor(parts: EntitySweepParts) {
    const { kube, streams, cluster, now, cache, sweepMs } = parts;
    this.#parts = parts;
    this.#leftovers = new Leftovers({
      ...{ kube, streams, cluster, now, distanceMs: sweepMs / 2 },
      isKnown: (of) => ('uid' in of ? cache.byUid(of.uid) : cache.byPid(of.pid)) !== undefined,
      tell: (pipeline, trace) => this.#tellOfLeftover(pipeline, trace),
    });
  }

  /** Number of pipelines that are gone and have left something. */
  get leftovers(): number {
    return this.#leftovers.size;
  }

  async run(): Promise<void> {
    const open = await this.#parts.engine.openEntities();
    this.#findMissing(open);
    await this.#tellReadiness(open);
    await this.#leftovers.sweep(open);
  }

  #findMissing({ states }: OpenEntities): void {
    for (const record of this.#parts.cache.all())
      if (record.seen.isOurs && !states.has(idOf(record))) this.#parts.onMissing(record);
  }

  async #tellReadiness({ states }: OpenEntities): Promise<void> {
    const { cache, gate, engine, sweepMs } = this.#parts;
    const now = this.#parts.now();
    const lastingMs = Math.min(lastingReadinessMs, sweepMs / 2);
    let told = 0;
    for (const record of cache.all()) {
      const id = idOf(record);
      if (!states.has(id)) continue;
      const { ref, seen, telling } = record;
      const toldAt = telling.readinessToldAt;
      const readiness = readinessToTell({ seen, shown: states.get(id), now, toldAt, lastingMs });
      if (readiness === undefined) continue;
      await gate.pass(() => engine.tellReadiness(ref, readiness));
      telling.readinessToldAt = now;
      told += 1;
      if (told === maxReadinessTold) return;
    }
  }

  async #tellOfLeftover(pipeline: PipelineRef, trace: string): Promise<void> {
    const { engine, gate, log, events } = this.#parts;
    const { namespace, name, uid } = pipeline;
    await gate.pass(() => engine.tell(pipeline, { generation: 0, deleting: false }));
    log.warn({ pipeline: `${namespace}/${name}`, uid, trace }, 'something is left of a pipeline that is gone');
    const note = `The pipeline is gone, and ${trace} is left of it. What is left is taken down.`;
    await events.emit(pipeline, { type: 'Warning', reason: 'LeftBehind', action: 'takeDown', note }, trace);
  }
}

function idOf({ ref: { namespace, name, uid } }: PipelineRecord): string {
  return entityWorkflowId(namespace, name, uid);
}
