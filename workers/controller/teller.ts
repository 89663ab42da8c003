/**
 * Brings the entity of a pipeline up to date with its resource.
 *
 * T1  While Temporal is unreachable nothing is lost: the pipelines with something to report wait, and continue together
 *     when it is back (`./engine-gate.ts`). After any other failure the key stays in the queue, with a growing pause.
 * T2  What prevents a notification becomes the reason of the pipeline's Ready, and an Event: a finalizer that may not
 *     be written is as much an outage as an unreachable Temporal. Only an unreachable API server cannot be reported
 *     there.
 * T3  A retry requested on the resource is passed on once, and only while something has failed: a request made before
 *     does not apply to a later failure.
 * T4  An operation that waits for a Secret or ConfigMap is notified as soon as one that the spec refers to has changed.
 */
import { fieldManagers } from '../../model/names.ts';
import { reasonOf, type MillraceError } from '../../model/errors.ts';
import { classify } from '../../activities/failures.ts';
import { addFinalizer } from '../../kubernetes/finalizer.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Deviation } from './deviation.ts';
import type { Engine } from './engine.ts';
import type { EngineGate } from './engine-gate.ts';
import type { Events } from './events.ts';
import { needOf } from './level.ts';
import type { PipelineRecord, Seen } from './pipeline-record.ts';

/** Reasons of an operation that waits until a person creates what the spec refers to. */
const missing: ReadonlySet<string> = new Set([reasonOf('MR_SECRET_MISSING'), reasonOf('MR_SECRET_KEY_MISSING')]);

export interface TellerParts {
  readonly kube: Kube;
  readonly engine: Engine;
  readonly gate: EngineGate;
  readonly events: Events;
  /** Called with the resource after our finalizer was added. */
  readonly onWritten: (resource: KubeObject) => void;
  readonly now: () => number;
}

export class Teller {
  readonly #parts: TellerParts;
  signals = 0;
  /** Number of notifications that were not needed, because the entity knew. */
  suppressed = 0;

  constructor(parts: TellerParts) {
    this.#parts = parts;
  }

  /** A resource was seen. True when its entity must be notified. */
  see({ seen, telling }: PipelineRecord): boolean {
    const need = needOf(seen, telling.told, telling.isMissing);
    const retry = retryOf(seen, telling.retried);
    if (retry.tell === undefined) telling.retried = retry.passed;
    const mustTell = need.do !== 'nothing' || retry.tell !== undefined;
    if (!mustTell && need.because === 'told') this.suppressed += 1;
    return mustTell;
  }

  /** T1: resolves even while Temporal is unreachable. */
  async work(record: PipelineRecord): Promise<void> {
    const { telling } = record;
    try {
      await this.#tell(record);
      telling.untold = undefined;
    } catch (error) {
      const known = classify(error);
      if (known.code !== 'MR_KUBERNETES_UNAVAILABLE') await this.#noteOutage(record, known);
      if (known.code !== 'MR_ENGINE_UNAVAILABLE') throw known;
      this.#parts.gate.wait(record.key);
    }
  }

  /** Reported with the next work on the pipeline. */
  noteDeviation({ telling }: PipelineRecord, deviation: Deviation): void {
    telling.deviation = deviation;
  }

  /** T4. True when an operation waits. */
  noteReferenced({ seen: { status }, telling }: PipelineRecord): boolean {
    const waitsFor = status.conditions?.find(({ type }) => type === 'Reconciling')?.reason;
    if (status.operation === undefined || waitsFor === undefined || !missing.has(waitsFor)) return false;
    telling.waiting = status.operation.id;
    return true;
  }

  /** True when the entity must be started again; one that was notified a moment ago may not be listed yet. */
  noteMissing({ telling }: PipelineRecord, graceMs: number): boolean {
    if (this.#parts.now() - telling.toldAt < graceMs) return false;
    telling.isMissing = true;
    return true;
  }

  async #tell(record: PipelineRecord): Promise<void> {
    const { engine, gate, now, onWritten } = this.#parts;
    const { ref, telling } = record;
    let need = needOf(record.seen, telling.told, telling.isMissing);
    // E2.
    if (need.do === 'addFinalizer') {
      const written = await addFinalizer(this.#parts.kube, ref, fieldManagers.controller);
      // Deleted or recreated since it was seen; the watch will report it.
      if (written === undefined) return;
      onWritten(written);
      need = needOf(record.seen, telling.told, telling.isMissing);
    }
    if (need.do === 'tell') {
      const { what } = need;
      await gate.pass(() => engine.tell(ref, what));
      this.signals += 1;
      Object.assign(telling, { told: what, toldAt: now(), isMissing: false });
    }
    const { tell: retry, passed } = retryOf(record.seen, telling.retried);
    if (retry !== undefined) {
      await gate.pass(() => engine.tellRetry(ref, retry));
      this.signals += 1;
    }
    telling.retried = passed;
    const { waiting } = telling;
    if (waiting !== undefined) {
      await gate.pass(() => engine.tellReferencedChanged(waiting));
      this.signals += 1;
      if (telling.waiting === waiting) telling.waiting = undefined;
    }
    const { deviation } = telling;
    if (deviation === undefined) return;
    if (!record.seen.deleting) {
      await gate.pass(() =>
        deviation.is === 'drift' ? engine.tellDrift(ref, deviation.what) : engine.tellCredentialsChanged(ref),
      );
      this.signals += 1;
    }
    // Another one may have been noted during the notification.
    if (telling.deviation === deviation) telling.deviation = undefined;
  }

  async #noteOutage({ ref, telling }: PipelineRecord, error: MillraceError): Promise<void> {
    const { reason, sentence: message } = error;
    if (telling.untold?.reason === reason) return;
    telling.untold = { reason, message };
    const { events, now } = this.#parts;
    const content = { type: 'Warning', reason, action: 'tell', note: message } as const;
    const problem = await events.emit(ref, content, String(now()));
    // The condition says the same; a failed Event must not hide the outage itself.
    if (problem !== undefined) telling.untold = { reason, message: `${message} (${problem})` };
  }
}

interface Retry {
  /** The request to pass on now; undefined: none. */
  readonly tell: string | undefined;
  /** The request that is dealt with once that is done. */
  readonly passed: string | undefined;
}

/** T3. `passed`: the last request that was passed on, or that came while nothing had failed. */
function retryOf({ retry, status }: Seen, passed: string | undefined): Retry {
  if (retry === undefined || retry === '' || retry === passed) return { tell: undefined, passed };
  const isStalled = status.conditions?.some(({ type, status: value }) => type === 'Stalled' && value === 'True');
  if (isStalled === true) return { tell: retry, passed: retry };
  return { tell: undefined, passed: status.operation === undefined ? retry : passed };
}
