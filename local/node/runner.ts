/**
 * One container of a pod through all its runs.
 *
 * U1  Run n is in directory n; the restart count is the number of the current run. The last two are kept, for
 *     `--previous`.
 * U2  A stop sends SIGTERM once the preStop hook is over, and SIGKILL when the grace period is over, hook included.
 * U3  `tick` never blocks on the container: it checks, and does what is due.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { problemOf } from '../../model/errors.ts';
import { delayOf, nextStreak, type Backoff } from './backoff.ts';
import { StartError } from './command.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerFault, type FaultReason } from './fault.ts';
import { Instance, type Command, type Ended, type Run } from './instance.ts';
import type { LogSource } from './log-stream.ts';
import { runHook } from './hook.ts';
import type { ProbeTarget } from './probe-action.ts';
import { Prober } from './prober.ts';
import type { Container } from './pod.ts';
import type { PodEvent } from './pod-events.ts';

export interface RunnerOptions {
  /** Holds one directory per run. */
  readonly dir: string;
  readonly runIdPrefix: string;
  readonly container: Container;
  readonly isInit: boolean;
  readonly backoff: Backoff;
  readonly maxLogBytes: number;
  /** The container status that the API has; read when needed, because a restarted node learns it late. */
  readonly known: () => KnownStatus | undefined;
  readonly graceMs: number;
  readonly onChange: () => void;
  readonly onEvent: (event: PodEvent) => void;
}

/** For a restarted node: neither readiness nor the restart count may decrease meanwhile. */
export interface KnownStatus {
  readonly restarts: number;
  readonly runId: string | undefined;
  readonly isStarted: boolean;
  readonly isReady: boolean;
}

interface Stop {
  killAt: number;
  isHookOver: boolean;
  isSignalled: boolean;
}

interface Held {
  readonly instance: Instance;
  readonly log: ContainerLog;
}

/** The end of a child process is an event; that of a run found again is only seen by polling. */
const lookMs = { starting: 25, child: 500, found: 200 } as const;

export class ContainerRunner {
  readonly options: RunnerOptions;
  #current: Held | undefined;
  #previous: Held | undefined;
  #run: Run | undefined;
  #previousEnd: Ended | undefined;
  #prober: Prober | undefined;
  #stop: Stop | undefined;
  #streak = 0;
  #fault: { readonly reason: FaultReason; readonly message: string } | undefined;
  #isMarked = false;
  notBefore = 0;

  private constructor(options: RunnerOptions) {
    this.options = options;
  }

  /** U1: finds the existing runs. */
  static async open(options: RunnerOptions): Promise<ContainerRunner> {
    const runner = new ContainerRunner(options);
    await mkdir(options.dir, { recursive: true });
    const numbers = (await readdir(options.dir))
      .map(Number)
      .filter(Number.isInteger)
      .sort((a, b) => a - b);
    for (const number of numbers) {
      const instance = await Instance.find(join(options.dir, String(number)), number);
      if (!instance) continue;
      runner.#previous = runner.#current;
      runner.#current = runner.#hold(instance);
    }
    if (runner.#previous) runner.#previousEnd = endOf(await runner.#previous.instance.observe(Date.now()));
    return runner;
  }

  get name(): string {
    return this.options.container.name;
  }

  get run(): Run | undefined {
    return this.#run;
  }

  get isActive(): boolean {
    return this.#run?.state === 'running' || this.#run?.state === 'starting';
  }

  /** When it should be checked again; undefined when it is not running. */
  get lookAgainMs(): number | undefined {
    if (!this.isActive) return undefined;
    if (this.#run?.state === 'starting') return lookMs.starting;
    return this.#current?.instance.isChild ? lookMs.child : lookMs.found;
  }

  get restarts(): number {
    return this.#current?.instance.number ?? this.options.known()?.restarts ?? 0;
  }

  get runId(): string | undefined {
    return this.#current?.instance.id;
  }

  get previousEnd(): Ended | undefined {
    return this.#previousEnd;
  }

  get fault(): { readonly reason: FaultReason; readonly message: string } | undefined {
    return this.#fault;
  }

  get backoffMs(): number | undefined {
    return this.#run?.state === 'ended' ? delayOf(this.#streak, this.options.backoff) : undefined;
  }

  get isStarted(): boolean {
    if (this.options.isInit) return this.#run?.state === 'running';
    return this.#run?.state === 'running' && (this.#prober?.isStarted ?? false);
  }

  get isReady(): boolean {
    if (this.options.isInit) return this.#run?.state === 'ended' && this.#run.exitCode === 0;
    return this.#run?.state === 'running' && (this.#prober?.isReady ?? false);
  }

  /** U3. */
  async tick(now: number, target: ProbeTarget | undefined): Promise<void> {
    const held = this.#current;
    if (!held || this.#run?.state === 'ended') return;
    const run = await held.instance.observe(now);
    await held.log.look(now);
    if (run.state === 'ended') await this.#noteEnd(run, held);
    else this.#run = run;
    // A run that was found again is running before the pod's address is known.
    const needsProbes = run.state === 'running' && !this.#prober && !this.#stop && !this.options.isInit;
    if (needsProbes && target) this.#startProbes(run, target);
    if (run.state !== 'ended' && this.#stop) await this.#pressOn(held.instance, this.#stop, now);
  }

  /** Starts the next run, or records the fault that prevents it. */
  async start(makeCommand: () => Promise<Command>, now: number): Promise<void> {
    let command: Command | StartError;
    try {
      command = await makeCommand();
    } catch (error) {
      if (error instanceof ContainerFault) {
        this.setFault(error);
        return;
      }
      if (!(error instanceof StartError)) throw error;
      command = error;
    }
    this.#fault = undefined;
    const held = await this.#nextRun(now);
    if (command instanceof StartError) {
      await held.instance.fail(command.message, now);
      this.options.onEvent({ type: 'Warning', reason: 'Failed', message: `Error: ${command.message}` });
      return;
    }
    try {
      await held.instance.start(command, this.options.onChange);
    } catch (error) {
      await held.instance.fail(problemOf(error), now);
      return;
    }
    this.options.onEvent({ type: 'Normal', reason: 'Started', message: `Started container ${this.name}` });
  }

  setFault(fault: ContainerFault): void {
    if (this.#fault?.message !== fault.message) {
      const reason = fault.reason === 'ContainerCreating' ? 'FailedMount' : 'Failed';
      this.options.onEvent({ type: 'Warning', reason, message: `Error: ${fault.message}` });
    }
    this.#fault = { reason: fault.reason, message: fault.message };
  }

  /** U2. When called again with a shorter grace period, the earlier deadline counts. */
  stop(graceMs: number, now: number, why: string, target: ProbeTarget | undefined): void {
    if (!this.isActive) return;
    if (this.#stop) {
      this.#stop.killAt = Math.min(this.#stop.killAt, now + graceMs);
      return;
    }
    this.#prober?.stop();
    this.options.onEvent({ type: 'Normal', reason: 'Killing', message: why });
    const stop: Stop = { killAt: now + graceMs, isHookOver: false, isSignalled: false };
    this.#stop = stop;
    const hook = this.options.container.lifecycle?.preStop;
    if (!hook || !target) {
      stop.isHookOver = true;
      return;
    }
    void runHook(hook, target, graceMs).then((outcome) => {
      if (outcome.result === 'failure') {
        this.options.onEvent({ type: 'Warning', reason: 'FailedPreStopHook', message: outcome.problem });
      }
      stop.isHookOver = true;
      this.options.onChange();
    });
  }

  async markInterrupted(): Promise<void> {
    if (!this.isActive || this.#isMarked) return;
    this.#isMarked = true;
    await this.#current?.instance.markInterrupted();
  }

  /** The log of the current run, or of the previous one. */
  logSource(previous: boolean): LogSource | undefined {
    const held = previous ? this.#previous : this.#current;
    if (!held) return undefined;
    return { log: held.log, isEnded: () => held !== this.#current || this.#run?.state === 'ended' };
  }

  close(): void {
    this.#prober?.stop();
  }

  async #nextRun(now: number): Promise<Held> {
    const { dir, runIdPrefix } = this.options;
    const known = this.options.known();
    const last = this.#current?.instance.number ?? (known?.runId === undefined ? -1 : known.restarts);
    const number = last + 1;
    const instance = await Instance.create(
      join(dir, String(number)),
      number,
      `${runIdPrefix}/${this.name}/${number}`,
      now,
    );
    if (this.#previous) await rm(this.#previous.instance.dir, { recursive: true, force: true });
    this.#previous = this.#current;
    this.#previousEnd = this.#run?.state === 'ended' ? this.#run : undefined;
    this.#current = this.#hold(instance);
    this.#run = { state: 'starting' };
    this.#stop = undefined;
    return this.#current;
  }

  async #noteEnd(ended: Ended, held: Held): Promise<void> {
    this.#prober?.stop();
    this.#prober = undefined;
    this.#stop = undefined;
    if (!ended.interrupted) {
      this.#streak = nextStreak(this.#streak, ended.finishedAt - ended.startedAt, this.options.backoff);
      const wait = delayOf(this.#streak, this.options.backoff);
      this.notBefore = ended.finishedAt + wait;
      if (wait > 0) {
        const message = `Back-off restarting failed container ${this.name}`;
        this.options.onEvent({ type: 'Warning', reason: 'BackOff', message });
      }
    }
    const message = ended.message ?? (await this.#lastWords(ended, held.log));
    this.#run = message === undefined ? ended : { ...ended, message };
  }

  /** terminationMessagePolicy FallbackToLogsOnError: the end of the output, at most 80 lines and 2 KiB. */
  async #lastWords(ended: Ended, log: ContainerLog): Promise<string | undefined> {
    if (ended.exitCode === 0 || this.options.container.terminationMessagePolicy !== 'FallbackToLogsOnError') {
      return undefined;
    }
    const { lines } = await log.lines(Date.now());
    const text = Buffer.concat(lines.slice(-80).map((line) => line.text));
    return text.subarray(-2048).toString('utf8').trim() || undefined;
  }

  #startProbes(run: Extract<Run, { state: 'running' }>, target: ProbeTarget): void {
    const known = this.options.known();
    const before = known?.runId === this.runId ? known : undefined;
    this.#prober = new Prober(target, run.startedAt, before, {
      onChange: this.options.onChange,
      onFailure: (kind, problem) => {
        const message = `${kind.charAt(0).toUpperCase()}${kind.slice(1)} probe failed: ${problem}`;
        this.options.onEvent({ type: 'Warning', reason: 'Unhealthy', message });
      },
      onUnhealthy: (kind, probe) => {
        const seconds = probe.terminationGracePeriodSeconds;
        const graceMs = seconds === undefined ? this.options.graceMs : seconds * 1000;
        this.stop(graceMs, Date.now(), `Container ${this.name} failed ${kind} probe, will be restarted`, target);
        this.options.onChange();
      },
    });
  }

  async #pressOn(instance: Instance, stop: Stop, now: number): Promise<void> {
    if (now >= stop.killAt) {
      await instance.signal('SIGKILL');
      return;
    }
    if (!stop.isHookOver || stop.isSignalled || this.#run?.state !== 'running') return;
    stop.isSignalled = true;
    await instance.signal('SIGTERM');
  }

  #hold(instance: Instance): Held {
    return { instance, log: new ContainerLog(instance.logFile, this.options.maxLogBytes) };
  }
}

function endOf(run: Run): Ended | undefined {
  return run.state === 'ended' ? run : undefined;
}
