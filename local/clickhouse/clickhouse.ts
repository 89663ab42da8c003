/**
 * The embedded ClickHouse endpoint as a process of the local stack.
 *
 * C3  When `startClickHouse` resolves, the endpoint answers.
 * C4  `kill` is SIGKILL; `restart` brings it back with its data on the same port.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess, type RunningProcess } from '../process.ts';
import { program } from '../programs.ts';

export interface ClickHouseOptions {
  /** Data, password and log live here. */
  readonly dir: string;
  readonly port: number;
  /** Default `default`. */
  readonly user?: string;
  /** Default: none. */
  readonly password?: string;
  readonly logFile?: string;
}

export interface ClickHouse {
  readonly url: string;
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

const main = program('local/clickhouse/main');

export async function startClickHouse(options: ClickHouseOptions): Promise<ClickHouse> {
  const { dir, port, user = 'default', password = '' } = options;
  const logFile = options.logFile ?? join(dir, 'clickhouse.log');
  const url = `http://127.0.0.1:${port}`;
  await mkdir(dir, { recursive: true });
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });

  const start = (): Promise<RunningProcess> =>
    startProcess({
      name: 'ClickHouse',
      command: process.execPath,
      args: [main, '--dir', dir, '--port', String(port), '--user', user, '--password-file', passwordFile],
      // Each query occupies a thread of this pool while it runs.
      env: { UV_THREADPOOL_SIZE: '16' },
      logFile,
      ready: async () => (await fetch(`${url}/ping`)).ok,
      graceMs: 10_000,
    });

  let running = await start();
  return {
    url,
    username: user,
    password,
    pid: () => running.pid,
    logFile,
    isRunning: () => running.isRunning(),
    stop: () => running.stop(),
    async kill() {
      running.kill('SIGKILL');
      await running.exited;
    },
    async restart() {
      await running.stop();
      running = await start();
    },
  };
}
