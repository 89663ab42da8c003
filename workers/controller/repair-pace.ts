/**
 * How many pipelines are put right at once.
 *
 * A new version of the API server may give every Deployment a default that no hash knows, and a rotated Secret may be
 * everybody's: then everything deviates at the same moment, and the cluster must not be rolled at once for it.
 *
 * Q1  At most `limit` pipelines are being put right; the others wait.
 * Q2  They go in the order in which they came; one that lacks something goes before those that are merely different.
 * Q3  A place is free when an operation has run, when nothing deviates any more, or when nothing has come of it for ten
 *     minutes.
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

  /** False: it waits, and is named by {@link next} when its turn has come. */
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

  /** Whose turn it is, as far as there are places. */
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
