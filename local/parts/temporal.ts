/** Temporal's development server on loopback: one process, its database in a file, its UI on. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveBinary } from '../binaries/resolve.ts';
import { startProcess, type ProcessOptions, type RunningProcess } from '../process.ts';

export type SearchAttributeType = 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList';

export interface TemporalOptions {
  readonly dir: string;
  /** gRPC. */
  readonly port: number;
  readonly uiPort: number;
  /** Default `<dir>/temporal.db`. */
  readonly dbFile?: string;
  readonly searchAttributes?: Readonly<Record<string, SearchAttributeType>>;
  readonly logFile?: string;
  readonly onSpawn?: ProcessOptions['onSpawn'];
}

export interface Temporal extends RunningProcess {
  /** host:port of gRPC. */
  readonly address: string;
  readonly uiUrl: string;
}

/**
 * How late Temporal fires a timer so that hosts with different clocks agree: a second by default, which every retry and
 * every timer costs. Here one process has one clock.
 */
const timersOnTime = 'history.timerProcessorMaxTimeShift="10ms"';

export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  await mkdir(options.dir, { recursive: true });
  const uiUrl = `http://127.0.0.1:${options.uiPort}`;
  const attributes = Object.entries(options.searchAttributes ?? {});
  const running = await startProcess({
    name: 'temporal',
    command: await resolveBinary('temporal'),
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--ui-ip', '127.0.0.1'],
      ...['--port', String(options.port), '--ui-port', String(options.uiPort)],
      ...['--db-filename', options.dbFile ?? join(options.dir, 'temporal.db')],
      ...['--log-level', 'warn', '--log-format', 'json'],
      ...['--dynamic-config-value', timersOnTime],
      ...attributes.flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ],
    logFile: options.logFile ?? join(options.dir, 'temporal.log'),
    // The UI's server asks the frontend, so this answers when both are up and the namespace is there.
    ready: async () => (await fetch(`${uiUrl}/api/v1/namespaces/default`)).ok,
    ...(options.onSpawn ? { onSpawn: options.onSpawn } : {}),
  });
  return { ...running, address: `127.0.0.1:${options.port}`, uiUrl };
}
