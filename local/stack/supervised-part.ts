/**
 * One part of the stack, kept running.
 *
 * S1  A part that ends is started again with back-off, until it is stopped by intent. Data and ports stay the same.
 * S2  `onChange` is called whenever its process or its state changes, before the part is ready: what is recorded there
 *     is enough to clean up after a crash of the supervisor.
 * S3  `stop` ends it in every state: while it starts, while it waits for its next attempt, while it runs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { problemOf } from '../../model/errors.ts';
import { identify, type ProcessIdentity } from '../process-identity.ts';
import type { RunningProcess } from '../process.ts';
import type { PartRecord, partStates } from './record.ts';

export type PartProcess = Pick<RunningProcess, 'pid' | 'exited' | 'isRunning' | 'stop' | 'kill'>;

export interface PartSpec {
  readonly name: string;
  /** What a person connects to; empty when nothing listens. */
  readonly address: string;
  readonly logFile: string;
  /** Starts it and waits until it is ready. */
  launch(onSpawn: (pid: number) => void): Promise<PartProcess>;
}

export type PartState = (typeof partStates)[number];

const firstBackoffMs = 250;
const maxBackoffMs = 10_000;
/** After this long, an end is a new fault and not the next of a series. */
const healthyAfterMs = 30_000;
/** For a process that is stopped before it is ready. */
const startGraceMs = 5_000;

export class SupervisedPart {
  readonly spec: PartSpec;
  readonly #onChange: () => void;
  #state: PartState = 'waiting';
  #process: PartProcess | undefined;
  #identity: ProcessIdentity | undefined;
  #problem: string | undefined;
  #restarts = 0;
  #wanted = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(spec: PartSpec, onChange: () => void) {
    this.spec = spec;
    this.#onChange = onChange;
  }

  get state(): PartState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#identity?.pid;
  }

  get record(): PartRecord {
    return {
      name: this.spec.name,
      state: this.#state,
      address: this.spec.address,
      logFile: this.spec.logFile,
      restarts: this.#restarts,
      ...(this.#identity ? { process: this.#identity } : {}),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Starts it; throws when the first start fails. From then on it is kept running. */
  async start(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'starting') return;
    await this.#loop;
    const wanted = new AbortController();
    this.#wanted = wanted;
    this.#become('starting');
    const first = this.#launch(wanted.signal);
    this.#loop = first.then(
      () => this.#keepRunning(wanted.signal),
      () => undefined,
    );
    try {
      await first;
    } catch (error) {
      this.#problem = problemOf(error);
      this.#become('stopped');
      throw error;
    }
  }

  /** Ends it and keeps it ended until `start`. */
  async stop(): Promise<void> {
    this.#wanted.abort();
    await this.#process?.stop();
    await this.#loop;
    this.#problem = undefined;
    this.#become('stopped');
  }

  /** Sends a signal to its process group: what a fault test does. It comes back by itself. */
  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async #launch(wanted: AbortSignal): Promise<void> {
    const spawned: number[] = [];
    const end = () => {
      for (const pid of spawned) signalGroup(pid, 'SIGTERM');
      void delay(startGraceMs, undefined, { ref: false }).then(() => {
        for (const pid of spawned) signalGroup(pid, 'SIGKILL');
      });
    };
    wanted.addEventListener('abort', end, { once: true });
    try {
      wanted.throwIfAborted();
      const started = await this.spec.launch((pid) => {
        spawned.push(pid);
        if (wanted.aborted) end();
        void this.#identifyAs(pid);
      });
      this.#process = started;
      await this.#identifyAs(started.pid);
      if (wanted.aborted) {
        await started.stop();
        wanted.throwIfAborted();
      }
      this.#problem = undefined;
      this.#become('running');
    } finally {
      wanted.removeEventListener('abort', end);
    }
  }

  async #identifyAs(pid: number): Promise<void> {
    this.#identity = await identify(pid);
    this.#onChange();
  }

  async #keepRunning(wanted: AbortSignal): Promise<void> {
    let backoffMs = firstBackoffMs;
    let startedAt = Date.now();
    const isOver = () => wanted.aborted;
    while (!isOver()) {
      if (this.#state === 'running') await this.#process?.exited;
      if (isOver()) break;
      // What the dead leader left of its group would hold its ports and locks.
      await this.#process?.stop();
      if (Date.now() - startedAt > healthyAfterMs) backoffMs = firstBackoffMs;
      this.#process = undefined;
      this.#identity = undefined;
      this.#become('restarting');
      await delay(backoffMs, undefined, { signal: wanted }).catch(() => undefined);
      if (isOver()) break;
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      startedAt = Date.now();
      this.#restarts += 1;
      try {
        await this.#launch(wanted);
      } catch (error) {
        this.#problem = problemOf(error);
      }
    }
    this.#process = undefined;
    this.#identity = undefined;
  }

  #become(state: PartState): void {
    this.#state = state;
    this.#onChange();
  }
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // It has ended already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
