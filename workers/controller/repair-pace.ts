/**
 * Limits how many pipelines are repaired at the same time.
 *
 * A new version of the API server may add a default to every Deployment, and a rotated Secret may be used by every
 * pipeline: then all deviate at the same moment, but not all pods of the cluster may be replaced at once.
 *
 * Q1  At most `limit` pipelines are being repaired; the others wait.
 * Q2  First come, first served; but pipelines that miss something go before those that merely differ.
 * Q3  A place becomes free when an operation has run, when nothing deviates any more, or after ten minutes without
 *     result.
 */
import type { Deviation } from './deviation.ts';

interface Repair {
  /** Of the last operation before it. */
  readonly opSeq: number;
  readonly since: number;
}

const givenUpMs = 600_000;

export class RepairPace {
  readonly #limit: number;
  readonly #running = new Map<string, Repair>();
  readonly #urgent = new Set<string>();
  readonly #patient = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#urgent.size + this.#patient.size;
  }

  /** False: it waits until {@link next} returns its key. */
  admit(key: string, deviation: Deviation, opSeq: number, now: number): boolean {
    if (this.#running.has(key)) return true;
    const queue = deviation.isUrgent ? this.#urgent : this.#patient;
    (deviation.isUrgent ? this.#patient : this.#urgent).delete(key);
    queue.add(key);
    if (!this.next().includes(key)) return false;
    queue.delete(key);
    this.#running.set(key, { opSeq, since: now });
    return true;
  }

  /** Keys whose turn has come, as many as there are free places. */
  next(): readonly string[] {
    const free = this.#limit - this.#running.size;
    return free <= 0 ? [] : [...firstOf(this.#urgent, free), ...firstOf(this.#patient, free - this.#urgent.size)];
  }

  /** An operation of this pipeline was seen. */
  observe(key: string, opSeq: number, isRunning: boolean): void {
    const repair = this.#running.get(key);
    if (repair !== undefined && opSeq > repair.opSeq && !isRunning) this.#running.delete(key);
  }

  /** Nothing deviates any more, or the pipeline is gone. */
  leave(key: string): void {
    this.#running.delete(key);
    this.#urgent.delete(key);
    this.#patient.delete(key);
  }

  /** Q3. */
  expire(now: number): void {
    for (const [key, { since }] of this.#running) if (now - since >= givenUpMs) this.#running.delete(key);
  }
}

function firstOf(keys: ReadonlySet<string>, count: number): string[] {
  const first: string[] = [];
  if (count <= 0) return first;
  for (const key of keys) {
    first.push(key);
    if (first.length === count) break;
  }
  return first;
}
