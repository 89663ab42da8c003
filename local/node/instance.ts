/**
 * One run of one container: a directory with its whole state, and the process that it names.
 *
 * N1  The directory is complete before the process is started, so a restarted node finds every process.
 * N2  A run starts at most once, and is never reported ended while its process lives.
 * N3  After the end no process of the run is left.
 *
 * The directory: `run.json` (by the node), `claim`, `shim`, `main`, `exit` (by ./shim.sh), `end.json` (by the node,
 * when there is no exit code to be had), `interrupted` (the node stopped the run because it ends itself), `log`.
 */
import { spawn } from 'node:child_process';
import { close, open } from 'node:fs';
import { mkdir, open as openFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { problemOf } from '../../model/errors.ts';
import { writeFileAtomic } from '../files.ts';
import { isSameProcess, signalProcess, type ProcessIdentity } from '../process-identity.ts';
import { currentBoot, parseIdentity, processesWithEnv } from './identity.ts';
import { isSystemError } from '../../model/system-error.ts';

export interface Ended {
  readonly state: 'ended';
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  /** The node ended it because the node itself was stopped. */
  readonly interrupted: boolean;
}

export type Run =
  | { readonly state: 'starting' }
  | { readonly state: 'running'; readonly startedAt: number; readonly main: ProcessIdentity }
  | Ended;

export interface Command {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
}

const runFile = z.object({ id: z.string(), boot: z.string(), createdAt: z.number() });
const endFile = z.object({
  startedAt: z.number(),
  finishedAt: z.number(),
  exitCode: z.number(),
  reason: z.string(),
  message: z.string().optional(),
});

/** The variable by which the processes of a run are found, including those that left its process group. */
const runVariable = 'MILLRACE_NODE_RUN';

const shimScript = fileURLToPath(new URL('./shim.sh', import.meta.url));
const openFd = promisify(open);
const closeFd = promisify(close);
/** A shim writes its identity within milliseconds; if it takes this long, the shim was killed before. */
const claimTakesAtMostMs = 10_000;

export class Instance {
  readonly dir: string;
  readonly number: number;
  readonly id: string;
  readonly #boot: string;
  readonly #createdAt: number;
  /** Created by an earlier node, whose shim may never have been started. */
  readonly #isFound: boolean;
  readonly #identities = new Map<'shim' | 'main', ProcessIdentity>();
  #running: Extract<Run, { state: 'running' }> | undefined;
  #ended: Ended | undefined;
  #isChild = false;

  private constructor(dir: string, number: number, run: z.infer<typeof runFile>, isFound: boolean) {
    this.dir = dir;
    this.number = number;
    this.id = run.id;
    this.#boot = run.boot;
    this.#createdAt = run.createdAt;
    this.#isFound = isFound;
  }

  /** Started by this process, which is therefore notified of its end at once. */
  get isChild(): boolean {
    return this.#isChild;
  }

  get logFile(): string {
    return join(this.dir, 'log');
  }

  /** N1. */
  static async create(dir: string, number: number, id: string, nowMs: number): Promise<Instance> {
    await mkdir(dir, { recursive: true });
    const run = { id, boot: await currentBoot(), createdAt: nowMs };
    await writeFileAtomic(join(dir, 'run.json'), JSON.stringify(run));
    return new Instance(dir, number, run, false);
  }

  /** Undefined when the node died before the directory was complete: then nothing was started. */
  static async find(dir: string, number: number): Promise<Instance | undefined> {
    const text = await readFile(join(dir, 'run.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : new Instance(dir, number, runFile.parse(JSON.parse(text)), true);
  }

  /** Starts the process. `onExit` is a hint that {@link observe} has news. */
  async start(command: Command, onExit: () => void): Promise<void> {
    const log = await openFd(this.logFile, 'a');
    try {
      const child = spawn('/bin/sh', [shimScript, this.dir, ...withOddNames(command)], {
        stdio: ['ignore', log, log],
        detached: true,
        cwd: command.cwd,
        env: { ...Object.fromEntries(command.env), [runVariable]: this.id },
      });
      child.once('exit', onExit);
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      this.#isChild = true;
    } finally {
      await closeFd(log);
    }
  }

  /** The run could not be started. */
  async fail(problem: string, nowMs: number): Promise<void> {
    await this.#end({ startedAt: nowMs, finishedAt: nowMs, exitCode: 128, reason: 'StartError', message: problem });
  }

  /** N2, N3. */
  async observe(nowMs: number): Promise<Run> {
    if (this.#ended) return this.#ended;
    const run = await this.#look(nowMs);
    if (run.state !== 'ended') return run;
    await this.#killAll();
    this.#ended = run;
    return run;
  }

  /** SIGTERM goes to the container's first process only, as on a cluster; SIGKILL to all of the run. */
  async signal(name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const main = await this.#identity('main');
    if (name === 'SIGTERM') {
      if (main) await signalProcess(main, 'SIGTERM');
      return;
    }
    if (main) await signalProcess(main, 'SIGKILL');
    else await this.#killAll();
  }

  async markInterrupted(): Promise<void> {
    await writeFile(join(this.dir, 'interrupted'), '');
  }

  async #look(nowMs: number): Promise<Run> {
    const recorded = await readFile(join(this.dir, 'end.json'), 'utf8').catch(() => undefined);
    if (recorded !== undefined) return await this.#endedFrom(endFile.parse(JSON.parse(recorded)));
    const shim = await this.#identity('shim');
    if (!shim) return await this.#unclaimed(nowMs);
    // H3: the shim ends after it has written the exit code, so while it lives there is nothing else to check.
    if (await isSameProcess(shim)) return await this.#alive(nowMs);
    const exited = await this.#exit();
    if (exited) return exited;
    await this.#killAll();
    return await this.#end({
      startedAt: await this.#time('main', this.#createdAt),
      finishedAt: nowMs,
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The process and the shim that waits for it are gone; the exit code is not known.',
    });
  }

  async #alive(nowMs: number): Promise<Run> {
    if (this.#running) return this.#running;
    const main = await this.#identity('main');
    if (!main) return { state: 'starting' };
    this.#running = { state: 'running', startedAt: await this.#time('main', nowMs), main };
    return this.#running;
  }

  /** H1: once we hold the claim, no shim will ever start this run. */
  async #unclaimed(nowMs: number): Promise<Run> {
    const isFresh = this.#boot === (await currentBoot()) && nowMs - this.#createdAt < claimTakesAtMostMs;
    if (isFresh && !this.#isFound) return { state: 'starting' };
    const claim = await openFile(join(this.dir, 'claim'), 'wx').catch(() => undefined);
    await claim?.close();
    if (!claim && (isFresh || (await this.#identity('shim')))) return { state: 'starting' };
    await this.#killAll();
    return await this.#end({
      startedAt: this.#createdAt,
      finishedAt: nowMs,
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The node ended before the process was started.',
    });
  }

  async #exit(): Promise<Ended | undefined> {
    const text = await this.#line('exit');
    if (text === undefined) return undefined;
    const exitCode = Number.parseInt(text, 10);
    return await this.#endedFrom({
      startedAt: await this.#time('main', this.#createdAt),
      finishedAt: await this.#time('exit', Date.now()),
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
    });
  }

  async #end(end: z.infer<typeof endFile>): Promise<Ended> {
    await writeFileAtomic(join(this.dir, 'end.json'), JSON.stringify(end));
    return await this.#endedFrom(end);
  }

  async #endedFrom(end: z.infer<typeof endFile>): Promise<Ended> {
    const interrupted = (await stat(join(this.dir, 'interrupted')).catch(() => undefined)) !== undefined;
    const { message, ...rest } = end;
    return { state: 'ended', interrupted, ...rest, ...(message === undefined ? {} : { message }) };
  }

  /** N3. */
  async #killAll(): Promise<void> {
    const shim = await this.#identity('shim');
    const main = await this.#identity('main');
    if (shim && ((await isSameProcess(shim)) || (main && (await isSameProcess(main))))) killGroup(shim.pid);
    for (const left of await processesWithEnv(`${runVariable}=${this.id}`)) await signalProcess(left, 'SIGKILL');
  }

  async #identity(file: 'shim' | 'main'): Promise<ProcessIdentity | undefined> {
    const known = this.#identities.get(file);
    if (known) return known;
    const line = await this.#line(file);
    const identity = line === undefined ? undefined : parseIdentity(line, this.#boot);
    if (identity) this.#identities.set(file, identity);
    return identity;
  }

  /** A line counts once its end is written. */
  async #line(file: string): Promise<string | undefined> {
    const text = await readFile(join(this.dir, file), 'utf8').catch(() => undefined);
    return text?.endsWith('\n') ? text.trimEnd() : undefined;
  }

  async #time(file: string, otherwise: number): Promise<number> {
    return (await stat(join(this.dir, file)).catch(() => undefined))?.mtimeMs ?? otherwise;
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (isSystemError(error, 'ESRCH')) return;
    throw new Error(`cannot end process group ${leader}: ${problemOf(error)}`, { cause: error });
  }
}

/** A shell drops variables with names that it does not allow, such as `log.level`; `env` passes them on. */
function withOddNames(command: Command): readonly string[] {
  const odd = [...command.env].filter(([name]) => !/^[A-Za-z_]\w*$/.test(name));
  if (odd.length === 0) return command.argv;
  return ['/usr/bin/env', ...odd.map(([name, value]) => `${name}=${value}`), ...command.argv];
}
