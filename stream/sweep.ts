/**
 * E6: who writes, sweeps. Trims one writer's subject up to the smallest position that all reading stages have
 * committed, and always keeps its last frame, because that is the writer's checkpoint (E3).
 *
 * W1  A frame that some reading stage has not committed is never removed: a slot without a commit counts as 0.
 * W2  A stale writer may sweep: committed positions only rise, so what it removes is committed for good.
 *
 * Positions may be read from a replica that lags: it then removes less.
 */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import type { Clock } from './clock.ts';
import { committedPosition } from './commit-entry.ts';
import type { JetStreamPort } from './jetstream-port.ts';

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
export async function sweepableUpTo(streams: JetStreamPort, target: SweepTarget): Promise<number> {
  const stream = edgeStream(target.pid, commitsEdge);
  const lasts = await streams.lastOfEach(stream, commitSubject(target.pid, '*', target.shard));
  const committed = new Map(
    lasts.map((last) => [last.subject, committedPosition(last.data, { stream, sequence: last.seq })]),
  );
  if (target.readers.length === 0) return 0;
  return Math.min(...target.readers.map((stage) => committed.get(commitSubject(target.pid, stage, target.shard)) ?? 0));
}

/** Returns the sequence up to which the subject is now empty. `lastSequence`: of the writer's last frame, which stays. */
export async function sweep(streams: JetStreamPort, target: SweepTarget, lastSequence: number): Promise<number> {
  const upTo = Math.min(await sweepableUpTo(streams, target), lastSequence - 1);
  // `seq` names the first message to stay.
  if (upTo > 0) await streams.purgeStream(target.stream, { filter: target.subject, seq: upTo + 1 });
  return Math.max(0, upTo);
}

/**
 * Sweeps behind one writer: soon after each frame and every `everyMs` while something is left to remove. A writer that
 * has gone quiet still sweeps, else its committed frames would keep the edge full for the others; one that has nothing
 * left to sweep costs nothing.
 */
export class Sweeper {
  readonly #streams: JetStreamPort;
  readonly #target: SweepTarget;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #onFailure: (error: unknown) => void;
  #lastSequence = 0;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(
    streams: JetStreamPort,
    target: SweepTarget,
    clock: Clock,
    onFailure: (error: unknown) => void,
    everyMs = 2_000,
  ) {
    this.#streams = streams;
    this.#target = target;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#everyMs = everyMs;
  }

  /** The writer's last frame is this one. Cheap: call it after every frame. */
  wrote(lastSequence: number): void {
    this.#lastSequence = lastSequence;
    if (this.#closed) return;
    this.#cancel ??= this.#clock.after(this.#everyMs, () => this.now());
  }

  /** At once, unless one is running: the edge is full. */
  now(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
    });
  }

  /** At once, and resolves when it is done. */
  async done(): Promise<void> {
    await this.#running;
    this.now();
    await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #sweep(): Promise<void> {
    const lastSequence = this.#lastSequence;
    try {
      if (
        (await sweep(this.#streams, this.#target, lastSequence)) >= lastSequence - 1 &&
        this.#lastSequence === lastSequence
      )
        return;
    } catch (error) {
      this.#onFailure(error);
    }
    this.wrote(this.#lastSequence);
  }
}
