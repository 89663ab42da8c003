/** One Temporal dev server for all tests of a mocha run, with Millrace's search attributes; ended after the last test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { startTemporal, type Temporal } from '../../local/parts/temporal.ts';
import { freePort } from '../../local/ports.ts';
import { installRuntime } from '../../workers/lifecycle/runtime.ts';
import { ensureSearchAttributes } from '../../workers/lifecycle/search-attributes.ts';

export interface TemporalServer {
  readonly address: string;
  readonly server: Temporal;
  readonly client: Client;
  readonly native: NativeConnection;
}

let started: Promise<TemporalServer & { stop(): Promise<void> }> | undefined;

export function temporalServer(): Promise<TemporalServer> {
  started ??= start();
  return started;
}

async function start() {
  installRuntime(pino({ level: 'error' }));
  const dir = await mkdtemp(join(tmpdir(), 'millrace-temporal-'));
  const server = await startTemporal({ dir, port: await freePort(), uiPort: await freePort() });
  const connection = await Connection.connect({ address: server.address });
  await ensureSearchAttributes(connection, { namespace: 'default', sleep: (ms) => delay(ms) });
  const native = await NativeConnection.connect({ address: server.address });
  const stop = async () => {
    await connection.close();
    await native.close();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { address: server.address, server, client: new Client({ connection }), native, stop };
}

after(async () => {
  await (await started)?.stop();
});
