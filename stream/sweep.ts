/**
 * E6: who writes, sweeps. Trims one writer's subject up to the smallest position that all reading stages have
 * committed, and always keeps its last frame, because that is the writer's checkpoint (E3).
 *
 * W1  A frame that some reading stage has not committed is never removed: a slot without a commit counts as 0.
 * W2  A stale writer may sweep: committed positions only rise, so what it removes is committed for good.
 *
 * Positions may be read from a replica that lags: it then removes less.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { commitsEdge, commitSubject, edgeStream } from '../crds/names.ts';
import type { Plan } from '../crds/plan.ts';
import { committedPosition } from './commit-entry.ts';
import { readLastOfEach } from './last-messages.ts';

/** The stages that read an edge: what a sweep must wait for. */
export function readersOf(plan: Plan, edge: string): string[] {
  return plan.stages.flatMap((stage) => (stage.kind === 'sink' && stage.reads === edge ? [stage.name] : []));
}

export interface SweepTarget {
  readonly pid: string;
  readonly stream: string;
  /** The writer's own subject. */
  readonly subject: string;
  /** Slot of the reading stages that sees this subject. */
  readonly shard: number;
  readonly readers: readonly string[];
}

/** The sequence up to which every reader has committed the shard; 0 when one has not begun. */
export async function sweepableUpTo(jsm: JetStreamManager, target: SweepTarget): Promise<number> {
  const stream = edgeStream(target.pid, commitsEdge);
  const lasts = await readLastOfEach(jsm, stream, commitSubject(target.pid, '*', target.shard));
  const committed = new Map(
    lasts.map((last) => [last.subject, committedPosition(last.data, { stream, sequence: last.seq })]),
  );
  if (target.readers.length === 0) return 0;
  return Math.min(...target.readers.map((stage) => committed.get(commitSubject(target.pid, stage, target.shard)) ?? 0));
}

/** Returns how many frames it removed. `lastSequence`: of the writer's last frame, which stays. */
export async function sweep(jsm: JetStreamManager, target: SweepTarget, lastSequence: number): Promise<number> {
  const upTo = Math.min(await sweepableUpTo(jsm, target), lastSequence - 1);
  if (upTo < 1) return 0;
  // `seq` names the first message to stay.
  const { purged } = await jsm.streams.purge(target.stream, { filter: target.subject, seq: upTo + 1 });
  return purged;
}

/** Runs a sweep at most every `everyMs`, and never two at once. Failures wait for the next turn. */
export class Sweeper {
  readonly #jsm: JetStreamManager;
  readonly #target: SweepTarget;
  readonly #everyMs: number;
  readonly #onFailure: (error: unknown) => void;
  #last = -Infinity;
  #running: Promise<void> | undefined;

  constructor(jsm: JetStreamManager, target: SweepTarget, onFailure: (error: unknown) => void, everyMs = 2_000) {
    this.#jsm = jsm;
    this.#target = target;
    this.#onFailure = onFailure;
    this.#everyMs = everyMs;
  }

  /** Call as often as you like. */
  maybe(monotonicMs: number, lastSequence: number): void {
    if (this.#running !== undefined || monotonicMs - this.#last < this.#everyMs) return;
    this.#last = monotonicMs;
    this.now(lastSequence);
  }

  /** At once, unless one is running: the edge is full. */
  now(lastSequence: number): void {
    this.#running ??= sweep(this.#jsm, this.#target, lastSequence)
      .then(() => undefined, this.#onFailure)
      .finally(() => {
        this.#running = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.#running;
  }
}
