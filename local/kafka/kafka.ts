/**
 * Apache Kafka on loopback: one KRaft node, broker and controller in one Java process.
 *
 * K1  The directory is formatted once; a later start finds topics, offsets and users again.
 * K2  When `startKafka` resolves, the broker answers requests.
 * K3  `kill` is SIGKILL; `restart` starts the same node again on the same ports, however it ended.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mr, problemOf } from '../../model/errors.ts';
import { freePort } from '../ports.ts';
import { startProcess, type RunningProcess } from '../process.ts';
import { resolveKafkaJars } from './jars.ts';
import { ensureKeystore } from './keystore.ts';
import { answersApiVersions } from './probe.ts';
import { scramArguments, serverProperties, type KafkaProtocol, type KafkaUser } from './properties.ts';
import { isSystemError } from '../../model/system-error.ts';

const run = promisify(execFile);

export interface KafkaOptions {
  /** Logs of topics, configuration, keystore and log file live here. */
  readonly dir: string;
  /** Port of the PLAINTEXT listener. */
  readonly port: number;
  /** Default: a free one. */
  readonly controllerPort?: number;
  /** Further listeners; each without a port gets a free one. */
  readonly listeners?: readonly { readonly protocol: Exclude<KafkaProtocol, 'PLAINTEXT'>; readonly port?: number }[];
  /** Who may log in at SASL listeners, by PLAIN and SCRAM. Fixed by the first start. */
  readonly users?: readonly KafkaUser[];
  /** Default false: a client that names a missing topic gets an error. */
  readonly autoCreateTopics?: boolean;
  /** Default 512. */
  readonly maxHeapMb?: number;
  readonly logFile?: string;
  readonly progress?: (message: string) => void;
  /** Called with the pid as soon as the process exists, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

export interface Kafka {
  readonly pid: () => number;
  readonly logFile: string;
  readonly isRunning: () => boolean;
  /** Of the PLAINTEXT listener: `["127.0.0.1:<port>"]`. */
  readonly brokers: readonly string[];
  /** `127.0.0.1:<port>` of each listener. */
  readonly listeners: Readonly<Partial<Record<KafkaProtocol, string>>>;
  /** What a client of a TLS listener must trust; null when there is none. */
  readonly caPem: string | null;
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const jars = await resolveKafkaJars(options.progress ? { progress: options.progress } : {});
  const logFile = options.logFile ?? join(options.dir, 'kafka.log');
  const config = await configure(options, jars, logFile);
  const start = () => startBroker(options, jars, config.file, logFile);
  let running = await start();
  const stop = () => running.stop();
  return {
    pid: () => running.pid,
    logFile,
    isRunning: () => running.isRunning(),
    brokers: [`127.0.0.1:${options.port}`],
    listeners: config.listeners,
    caPem: config.caPem,
    stop,
    async kill() {
      running.kill('SIGKILL');
      await running.exited;
    },
    async restart() {
      await stop();
      running = await start();
    },
  };
}

interface Configured {
  readonly file: string;
  readonly listeners: Partial<Record<KafkaProtocol, string>>;
  readonly caPem: string | null;
}

async function configure(options: KafkaOptions, jars: string, logFile: string): Promise<Configured> {
  const logDir = join(options.dir, 'logs');
  await mkdir(options.dir, { recursive: true });
  const listeners: { protocol: KafkaProtocol; port: number }[] = [{ protocol: 'PLAINTEXT', port: options.port }];
  for (const { protocol, port } of options.listeners ?? [])
    listeners.push({ protocol, port: port ?? (await freePort()) });
  const needsTls = listeners.some(({ protocol }) => protocol.endsWith('SSL'));
  const keystore = needsTls ? await ensureKeystore(options.dir) : null;
  const users = options.users ?? [];
  const file = join(options.dir, 'server.properties');
  const controllerPort = options.controllerPort ?? (await freePort());
  const autoCreateTopics = options.autoCreateTopics ?? false;
  const text = serverProperties({ logDir, controllerPort, listeners, users, autoCreateTopics, keystore });
  await writeFile(file, text, { mode: 0o600 });
  await formatOnce(logDir, file, jars, users, logFile);
  const addresses = listeners.map(({ protocol, port }) => [protocol, `127.0.0.1:${port}`] as const);
  return { file, listeners: Object.fromEntries(addresses), caPem: keystore?.caPem ?? null };
}

async function formatOnce(
  logDir: string,
  config: string,
  jars: string,
  users: readonly KafkaUser[],
  logFile: string,
): Promise<void> {
  try {
    await access(join(logDir, 'meta.properties'));
    return;
  } catch {
    // Not formatted yet.
  }
  const args = ['-cp', join(jars, '*'), '-Xmx128m', 'kafka.tools.StorageTool', 'format'];
  try {
    await run('java', [...args, '--cluster-id', clusterId(), '--config', config, ...scramArguments(users)]);
  } catch (error) {
    throw mr('MR_PART_FAILED', { part: 'Kafka', problem: formatProblem(error), log: logFile }, { cause: error });
  }
}

/** A cluster id is 16 bytes in base64url; a leading `-` would read as an option. */
function clusterId(): string {
  return `M${randomBytes(16).toString('base64url').slice(1)}`;
}

function formatProblem(error: unknown): string {
  if (isSystemError(error, 'ENOENT')) return 'Java 17 or later is not installed';
  // The message of a failed command repeats its arguments, and those hold passwords.
  if (error instanceof Error && 'stderr' in error) return `the storage tool failed: ${String(error.stderr).trim()}`;
  return problemOf(error);
}

function startBroker(options: KafkaOptions, jars: string, config: string, logFile: string): Promise<RunningProcess> {
  return startProcess({
    name: 'Kafka',
    command: 'java',
    args: [
      `-Xmx${options.maxHeapMb ?? 512}m`,
      '-XX:+UseG1GC',
      '-Djava.awt.headless=true',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-cp',
      join(jars, '*'),
      'kafka.Kafka',
      config,
    ],
    logFile,
    ...(options.onSpawn === undefined ? {} : { onSpawn: options.onSpawn }),
    ready: () => answersApiVersions(options.port),
    graceMs: 20_000,
  });
}
