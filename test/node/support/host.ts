/** What the pipelines of the node write to: a ClickHouse on the machine, at the address that pods see of it. */
import { join } from 'node:path';
import { freePort } from '../../../local/ports.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';
import { nodeCommand, program } from '../../../local/programs.ts';
import { hostAddress } from './network.ts';

export interface HostClickHouse extends RunningProcess {
  readonly url: string;
}

/** After the network of the node was made, which has the address. */
export async function startClickHouse(dir: string): Promise<HostClickHouse> {
  const port = await freePort();
  const url = `http://${hostAddress}:${port}`;
  const running = await startProcess({
    name: 'clickhouse',
    command: nodeCommand(),
    args: [
      program('local/clickhouse/main'),
      '--dir',
      join(dir, 'clickhouse'),
      '--port',
      String(port),
      '--host',
      hostAddress,
    ],
    logFile: join(dir, 'logs', 'clickhouse.log'),
    ready: async () => (await fetch(`${url}/ping`)).ok,
  });
  return { ...running, url };
}
