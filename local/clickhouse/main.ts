/**
 * The embedded ClickHouse endpoint as a program:
 *
 *     node local/clickhouse/main.ts --dir DIR --port PORT [--host HOST] [--user NAME --password-file FILE]
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { openEngine, rowsOf } from './engine.ts';
import { inserter } from './insert.ts';
import { forgetLostInserts } from './lost-inserts.ts';
import { clickhouseServer } from './server.ts';
import { openSpool } from './spool.ts';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    port: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    user: { type: 'string', default: 'default' },
    'password-file': { type: 'string' },
  },
});
const { dir, port, host, user } = z
  .object({ dir: z.string(), port: z.coerce.number().int().min(0).max(65535), host: z.string(), user: z.string() })
  .parse(values);
const passwordFile = values['password-file'];
const password = passwordFile === undefined ? '' : (await readFile(passwordFile, 'utf8')).trim();

const data = join(dir, 'data');
await mkdir(data, { recursive: true });
const forgotten = await forgetLostInserts(data);
if (forgotten > 0) process.stdout.write(`Forgot the tokens of ${forgotten} inserts that were not stored\n`);
const engine = openEngine(data);
const spool = await openSpool(data);
const about = z
  .tuple([z.object({ version: z.string(), timezone: z.string() })])
  .parse(await rowsOf(engine, { sql: 'SELECT version() AS version, timezone() AS timezone' }));
const server = clickhouseServer({ engine, inserter: inserter(engine), spool, username: user, password, ...about[0] });
await new Promise<void>((resolve, reject) => {
  server.once('error', reject);
  server.listen(port, host, resolve);
});
process.stdout.write(`ClickHouse ${about[0].version} (embedded) on http://${host}:${port}, data in ${data}\n`);

async function stop(): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await closed;
  engine.close();
  await spool.close();
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
