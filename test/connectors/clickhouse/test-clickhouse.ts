import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';

/** For all tests of a `describe`, which calls this: an endpoint and a client of it, given to `use` before the first one. */
export function withTestClickHouse(use: (client: ClickHouseClient, clickhouse: ClickHouse) => void): void {
  let stop: (() => Promise<void>) | undefined;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-clickhouse-'));
    const clickhouse = await startClickHouse({ dir, port: await freePort() });
    const client = createClient({ url: clickhouse.url });
    stop = async () => {
      await client.close();
      await clickhouse.stop();
      await rm(dir, { recursive: true });
    };
    use(client, clickhouse);
  });
  after(() => stop?.());
}
