/**
 * PostgreSQL on loopback.
 *
 * P1  The cluster is created once; a later start finds its data and its password again.
 * P2  When `startPostgres` resolves, the server accepts connections.
 * P3  `kill` is SIGKILL of the server; `restart` starts it again on the same port, through recovery if needed.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { mr, problemOf } from '../../model/errors.ts';
import { startProcess, type RunningProcess } from '../process.ts';
import { resolvePostgresBin } from './binaries.ts';
import { dataOwner, unprivileged } from './unprivileged.ts';
import { exists } from '../files.ts';

const run = promisify(execFile);
const user = 'postgres';
const fastShutdownMs = 10_000;
const restartMs = 300_000;

export interface PostgresOptions {
  /** Data, password and log live here. */
  readonly dir: string;
  readonly port: number;
  /** Of user `postgres`, fixed by the first start. Default: a random one. */
  readonly password?: string;
  /** More settings of the server, by name: `{ wal_level: 'logical' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly logFile?: string;
  /** Called with the pid as soon as the process exists, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

export interface Postgres {
  /** With user and password: `postgres://postgres:…@127.0.0.1:<port>/postgres`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly pid: () => number;
  readonly logFile: string;
  readonly isRunning: () => boolean;
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const bin = await resolvePostgresBin();
  const logFile = options.logFile ?? join(options.dir, 'postgres.log');
  await mkdir(options.dir, { recursive: true });
  const password = await ensureCluster(bin, options, logFile);
  const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${options.port}/postgres`;
  const start = () => startServer(bin, options, url, logFile);
  let running = await start();
  return {
    url,
    host: '127.0.0.1',
    port: options.port,
    username: user,
    password,
    pid: () => running.pid,
    logFile,
    isRunning: () => running.isRunning(),
    stop: () => stopFast(running),
    async kill() {
      running.kill('SIGKILL');
      await running.exited;
    },
    async restart() {
      await stopFast(running);
      running = await startAfterCrash(start);
    },
  };
}

/** SIGTERM would wait for clients to leave; SIGINT, to the server alone, ends them. */
async function stopFast(running: RunningProcess): Promise<void> {
  if (!running.isRunning()) return;
  process.kill(running.pid, 'SIGINT');
  const timer = new AbortController();
  const late = delay(fastShutdownMs, 'late' as const, { signal: timer.signal }).catch(() => 'left' as const);
  if ((await Promise.race([running.exited, late])) === 'late') await running.stop();
  timer.abort();
}

/** Children of a killed server need a moment to notice; until then a new server refuses to start beside them. */
async function startAfterCrash(start: () => Promise<RunningProcess>): Promise<RunningProcess> {
  const deadline = Date.now() + restartMs;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(200);
    }
  }
}

async function startServer(
  bin: string,
  options: PostgresOptions,
  url: string,
  logFile: string,
): Promise<RunningProcess> {
  const data = join(options.dir, 'data');
  const settings = {
    port: String(options.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: '64MB',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const program = join(bin, 'postgres');
  return startProcess({
    name: 'PostgreSQL',
    ...(await unprivileged(program, ['-D', data, ...flags], [program, data])),
    logFile,
    ...(options.onSpawn === undefined ? {} : { onSpawn: options.onSpawn }),
    ready: () => answers(url),
  });
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 });
  client.on('error', () => undefined); // A connection that breaks during the probe is what `connect` reports below.
  await client.connect();
  await client.end();
  return true;
}

/** Creates the cluster if there is none, and returns the password. */
async function ensureCluster(bin: string, options: PostgresOptions, logFile: string): Promise<string> {
  const data = join(options.dir, 'data');
  const passwordFile = join(options.dir, 'password');
  if (await exists(join(data, 'PG_VERSION'))) return readFile(passwordFile, 'utf8');
  const password = options.password ?? randomBytes(12).toString('hex');
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (dataOwner !== null) {
    await chown(data, dataOwner.uid, dataOwner.gid);
    await chown(passwordFile, dataOwner.uid, dataOwner.gid);
  }
  const flags = ['-D', data, '-U', user, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  const program = join(bin, 'initdb');
  const { command, args, ...identity } = await unprivileged(
    program,
    [...flags, '--encoding=UTF8', '--locale=C'],
    [program, data],
  );
  try {
    await run(command, [...args], { ...identity, cwd: '/' });
  } catch (error) {
    throw mr('MR_PART_FAILED', { part: 'PostgreSQL', problem: problemOf(error), log: logFile }, { cause: error });
  }
  return password;
}
