/**
 * The whole local stack: real parts, supervised by the process that calls {@link startStack}.
 *
 * T1  One stack per data directory: a second start reports that one is already running, and where; or what it lacks of
 *     the parts that the second start asks for.
 * T2  What a crashed stack left running is ended before anything is started.
 * T3  After `stop` no process and no lock is left; data and ports remain for the next start.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { mr, problemOf } from '../model/errors.ts';
import { ensureApiToken } from './api-token.ts';
import { resolveBinaries } from './binaries/resolve.ts';
import { tryLock, type Lock } from './lock.ts';
import { writeAdminKubeconfig } from './parts/kubernetes.ts';
import { ensurePki } from './parts/kubernetes/pki.ts';
import { identify } from './process-identity.ts';
import { silent, type Progress } from './progress.ts';
import { applyAddresses } from './stack/addresses.ts';
import { applyDefinitions } from './stack/definitions.ts';
import { applyIdentities } from './stack/identities.ts';
import { root } from './programs.ts';
import { writeShellEnv, type ShellTools } from './shell-env.ts';
import { layoutOf, type DataLayout } from './stack/layout.ts';
import { endLeftoverPods } from './stack/leftover-pods.ts';
import { endLeftovers } from './stack/leftovers.ts';
import { definitionOf, partNames, type PartContext, type PartName } from './stack/parts.ts';
import { counted } from '../model/text.ts';
import { planPorts, refusePortsInUse, type PortName, type Ports } from './stack/port-plan.ts';
import {
  readStackRecord,
  removeStackRecord,
  writeStackRecord,
  type PartRecord,
  type StackEndpoints,
} from './stack/record.ts';
import { SupervisedPart } from './stack/supervised-part.ts';

export type { PartName } from './stack/parts.ts';
export type { PortName } from './stack/port-plan.ts';
export type { PartRecord, StackEndpoints } from './stack/record.ts';

export interface StackOptions {
  readonly dataDir: string;
  /** Optional parts to start too. */
  readonly with?: readonly PartName[];
  /** Only these parts and what they need, for tests. Default: all that are not optional. */
  readonly only?: readonly PartName[];
  readonly ports?: Readonly<Partial<Record<PortName, number>>>;
  /** A NATS that is already running: the stack then starts none. */
  readonly natsUrl?: string;
  /** Used where no port is requested. Default `default`; tests use `free`. */
  readonly otherPorts?: 'default' | 'free';
  /** For tests: etcd does not wait for the disk. */
  readonly unsafeNoFsync?: boolean;
  readonly progress?: Progress;
  /** Aborting ends a start in progress. */
  readonly signal?: AbortSignal;
}

export interface StackPart {
  readonly name: PartName;
  /** Of the current process; undefined while there is none. */
  readonly pid: number | undefined;
  readonly record: PartRecord;
  /** Sends a signal to its process group; the part comes back by itself. */
  kill(signal: NodeJS.Signals): void;
  /** Ends it and keeps it ended until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface Stack extends AsyncDisposable {
  readonly dataDir: string;
  readonly endpoints: StackEndpoints;
  readonly parts: readonly StackPart[];
  part(name: PartName): StackPart;
  stop(): Promise<void>;
}

/** Starts the stack and resolves when every part is ready. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const layout = layoutOf(resolve(options.dataDir));
  const lock = await claim(layout, options.with ?? []);
  let stack: RunningStack | undefined;
  try {
    stack = await RunningStack.prepare(layout, lock, options);
    await stack.start();
    return stack;
  } catch (error) {
    if (stack) await stack.stop();
    else await lock.release();
    throw error;
  }
}

/** Takes the data directory, or throws with who has it, and with what that stack lacks of the requested parts. */
async function claim({ dir, lock: path }: DataLayout, wanted: readonly PartName[]): Promise<Lock> {
  const lock = await tryLock(path);
  if ('release' in lock) return lock;
  const { pid } = lock.heldBy;
  const running = await readStackRecord(dir);
  if (running?.ready !== true) throw mr('MR_STACK_RUNNING', { dir, pid, where: stillStarting });
  const has = running.parts.map(({ name }) => name);
  const missing = wanted.filter((name) => !has.includes(name));
  if (missing.length > 0) {
    const extras = partNames.filter((name) => definitionOf(name).optional && [...has, ...wanted].includes(name));
    const lists = { missing: missing.join(' and '), parts: has.join(', '), extras: extras.join(',') };
    throw mr('MR_STACK_LACKS_PARTS', { dir, pid, ...lists });
  }
  const { kubernetesUrl, apiUrl } = running.endpoints;
  throw mr('MR_STACK_RUNNING', { dir, pid, where: `Kubernetes at ${kubernetesUrl}, API at ${apiUrl}` });
}

/** Of a stack whose parts are not all ready, or whose binaries are still being made. */
export const stillStarting = 'it is still starting';

/** Ends what a crashed stack left in a data directory that no stack holds. Returns the names of what was ended. */
export async function cleanUp(dataDir: string): Promise<readonly string[]> {
  const left = await readStackRecord(dataDir);
  if (!left) return [];
  const ended = await endLeftovers(left, (part) => (isPartName(part) ? graceOf(part) : defaultGraceMs));
  const pods = await endLeftoverPods(layoutOf(dataDir).of('node'));
  await removeStackRecord(dataDir);
  return pods === 0 ? ended : [...ended, `${counted(pods, 'process', 'processes')} of pods`];
}

const defaultGraceMs = 10_000;
const graceOf = (name: PartName) => definitionOf(name).graceMs ?? defaultGraceMs;
const isPartName = (name: string): name is PartName => partNames.some((known) => known === name);

class RunningStack implements Stack {
  readonly dataDir: string;
  readonly parts: readonly StackPart[];
  readonly #layout: DataLayout;
  readonly #lock: Lock;
  readonly #options: StackOptions;
  readonly #context: PartContext;
  readonly #supervised = new Map<PartName, SupervisedPart>();
  readonly #since = new Date().toISOString();
  #endpoints: StackEndpoints;
  #isReady = false;
  #isClosed = false;
  #writing: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  static async prepare(layout: DataLayout, lock: Lock, options: StackOptions): Promise<RunningStack> {
    const progress = options.progress ?? silent;
    await mkdir(layout.logs, { recursive: true });
    const ended = await cleanUp(layout.dir);
    if (ended.length > 0) progress.say(`ended what a crashed stack had left running: ${ended.join(', ')}`);
    const names = selected(options);
    for (const name of names) definitionOf(name).requires?.();
    const binaries = await resolveBinaries([...new Set(names.flatMap((name) => definitionOf(name).binaries))], {
      progress,
    });
    const ports = await planPorts({
      asked: options.ports ?? {},
      otherwise: options.otherPorts ?? 'default',
      file: layout.ports,
      wanted: names.flatMap((name) => definitionOf(name).ports),
      say: progress.say,
    });
    const dir = layout.of('kubernetes');
    const pki = await ensurePki(join(dir, 'pki'), new Date());
    const plane = { dir, logDir: layout.logs, pki, ports, unsafeNoFsync: options.unsafeNoFsync ?? false };
    await writeAdminKubeconfig(plane, layout.kubeconfig);
    await ensureApiToken(layout.apiToken);
    await writeShellEnv(layout, endpointsOf(layout, ports), shellTools(names, ports, binaries));
    return new RunningStack(layout, lock, options, names, ports, plane);
  }

  private constructor(
    layout: DataLayout,
    lock: Lock,
    options: StackOptions,
    names: readonly PartName[],
    ports: Ports,
    plane: PartContext['plane'],
  ) {
    this.dataDir = layout.dir;
    this.#layout = layout;
    this.#lock = lock;
    this.#options = options;
    this.#endpoints = {
      ...endpointsOf(layout, ports),
      ...(options.natsUrl === undefined ? {} : { natsUrl: options.natsUrl }),
    };
    const say = (options.progress ?? silent).say;
    const publish = (more: Partial<StackEndpoints>) => {
      this.#endpoints = { ...this.#endpoints, ...more };
    };
    this.#context = { layout, ports, plane, endpoints: this.#endpoints, say, publish };
    for (const name of names) this.#supervised.set(name, this.#supervise(name));
    this.parts = names.map((name) => this.#view(name));
  }

  get endpoints(): StackEndpoints {
    return this.#endpoints;
  }

  part(name: PartName): StackPart {
    const part = this.parts.find((candidate) => candidate.name === name);
    if (!part) throw new RangeError(`this stack runs no ${name}`);
    return part;
  }

  /** Starts every part as soon as its needs are ready. */
  async start(): Promise<void> {
    const { signal } = this.#options;
    const ready = new Map<string, Promise<void>>();
    const when = (name: string): Promise<void> => {
      const known = ready.get(name);
      if (known) return known;
      const start = name === 'definitions' ? this.#applyDefinitions(when) : this.#startPart(name, when);
      ready.set(name, start);
      return start;
    };
    const onAbort = () => void this.stop();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      await Promise.all([...this.#supervised.keys()].map(when));
      signal?.throwIfAborted();
    } finally {
      signal?.removeEventListener('abort', onAbort);
      // The first failure is thrown; later ones must not end the process as unhandled rejections.
      if (this.#isStopping()) await Promise.allSettled(ready.values());
    }
    this.#isReady = true;
    this.#write();
    await this.#writing;
  }

  #isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #startPart(name: string, when: (name: string) => Promise<void>): Promise<void> {
    const part = isPartName(name) ? this.#supervised.get(name) : undefined;
    if (!part || !isPartName(name)) return;
    await Promise.all(definitionOf(name).needs.map(when));
    if (this.#isStopping()) return;
    const step = (this.#options.progress ?? silent).begin(name);
    try {
      await part.start();
      step.done('ready');
    } catch (error) {
      step.failed(this.#isStopping() ? 'stopped' : 'failed');
      throw error;
    }
  }

  async #applyDefinitions(when: (name: string) => Promise<void>): Promise<void> {
    if (!this.#supervised.has('kube-apiserver')) return;
    await when('kube-apiserver');
    const { pki, dir } = this.#context.plane;
    const access = { url: this.#endpoints.kubernetesUrl, ca: pki.ca, user: pki.admin };
    await applyDefinitions(access, join(root, 'crds'));
    await applyIdentities(access, dir);
    const { ports } = this.#context;
    const kafka = this.#supervised.has('kafka') ? kafkaBrokers(ports) : undefined;
    await applyAddresses(access, { clickhouse: this.#endpoints.clickhouseUrl, kafka });
  }

  /** In reverse order: nothing stops before everything that needs it has stopped. */
  async #stopAll(): Promise<void> {
    const gone = new Map<PartName, Promise<void>>();
    const stop = (name: PartName): Promise<void> => {
      const known = gone.get(name);
      if (known) return known;
      const dependants = [...this.#supervised.keys()].filter((other) => needsOf(other).includes(name));
      const stopped = Promise.all(dependants.map(stop)).then(() => this.#supervised.get(name)?.stop());
      gone.set(name, stopped);
      return stopped;
    };
    await Promise.all([...this.#supervised.keys()].map(stop));
    if (this.#supervised.has('node')) await endLeftoverPods(this.#layout.of('node'));
    this.#isClosed = true;
    await this.#writing;
    await removeStackRecord(this.dataDir);
    await this.#lock.release();
  }

  #supervise(name: PartName): SupervisedPart {
    const definition = definitionOf(name);
    const logFile = join(this.#layout.logs, `${name}.log`);
    const launch = async (onSpawn: (pid: number) => void) => {
      // Otherwise a process that took the port since it was chosen could answer instead of the part, which would seem
      // ready.
      await refusePortsInUse(definition.ports, this.#context.ports);
      return definition.launch(this.#context, onSpawn, logFile);
    };
    return new SupervisedPart({ name, address: definition.address(this.#context), logFile, launch }, () =>
      this.#write(),
    );
  }

  #view(name: PartName): StackPart {
    const part = this.#supervised.get(name);
    if (!part) throw new RangeError(`this stack runs no ${name}`);
    return {
      name,
      get pid() {
        return part.pid;
      },
      get record() {
        return part.record;
      },
      kill: (signal) => part.kill(signal),
      stop: () => part.stop(),
      start: () => part.start(),
    };
  }

  /** One write at a time, each with the state at its start. */
  #write(): void {
    if (this.#isClosed) return;
    this.#writing = this.#writing
      .then(async () => {
        const supervisor = await identify(process.pid);
        if (!supervisor) throw new TypeError('this process runs');
        await writeStackRecord(this.dataDir, {
          version: 1,
          supervisor,
          since: this.#since,
          ready: this.#isReady,
          endpoints: this.#endpoints,
          parts: [...this.#supervised.values()].map((part) => part.record),
        });
      })
      .catch((error: unknown) => {
        // A full disk must not end the stack; only `status` and the next clean-up would know less.
        this.#context.say(`the record of the stack could not be written: ${problemOf(error)}`);
      });
  }
}

/** Needs; `definitions` counts as a need of kube-apiserver. Workloads also stop before what they connect to. */
function needsOf(name: PartName): readonly PartName[] {
  const needs = definitionOf(name).needs.flatMap((need) => (need === 'definitions' ? ['kube-apiserver'] : [need]));
  const connectsTo: readonly PartName[] = name === 'node' ? ['nats', 'clickhouse', 'kafka', 'postgres'] : [];
  return [...needs.filter(isPartName), ...connectsTo];
}

/** The requested parts with everything that they need, in the order of the table. */
function selected(options: StackOptions): readonly PartName[] {
  const asked = options.only ?? partNames.filter((name) => !definitionOf(name).optional);
  const names = new Set<PartName>();
  const add = (name: PartName) => {
    if (names.has(name)) return;
    for (const need of definitionOf(name).needs) {
      if (need === 'definitions') add('kube-apiserver');
      else if (isPartName(need)) add(need);
    }
    names.add(name);
  };
  for (const name of [...asked, ...(options.with ?? [])]) add(name);
  if (options.natsUrl !== undefined) names.delete('nats');
  return partNames.filter((name) => names.has(name));
}

function kafkaBrokers(ports: Ports): string {
  return `127.0.0.1:${ports.kafka}`;
}

function shellTools(names: readonly PartName[], ports: Ports, binaries: ReadonlyMap<string, string>): ShellTools {
  const temporal = binaries.get('temporal');
  return {
    programs: temporal === undefined ? {} : { temporal },
    others: {
      kafkaBrokers: names.includes('kafka') ? kafkaBrokers(ports) : undefined,
      postgresPort: names.includes('postgres') ? ports.postgres : undefined,
    },
  };
}

function endpointsOf(layout: DataLayout, ports: Ports): StackEndpoints {
  return {
    kubeconfig: layout.kubeconfig,
    kubernetesUrl: `https://127.0.0.1:${ports.apiserver}`,
    natsUrl: `nats://127.0.0.1:${ports.nats}`,
    temporalAddress: `127.0.0.1:${ports.temporal}`,
    temporalUiUrl: `http://127.0.0.1:${ports['temporal-ui']}`,
    clickhouseUrl: `http://127.0.0.1:${ports.clickhouse}`,
    apiUrl: `http://127.0.0.1:${ports.api}`,
  };
}
