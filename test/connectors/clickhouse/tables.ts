import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { SinkSlot } from '../../../connectors/connector.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { sinkContext, sinksOfTest, slotId } from '../sink-context.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

/** For all tests of a `describe`, which calls this: tables that remember inserts, and slots of sinks that write to them. */
export function tablesOfTest(prefix: string) {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let made = 0;
  const opened = sinksOfTest();

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const run = (query: string) => client.command({ query });

  async function create(columns: string, engine = 'MergeTree ORDER BY id'): Promise<string> {
    const name = `${prefix}${made++}`;
    await run(
      `CREATE TABLE ${name} (${columns}) ENGINE = ${engine} SETTINGS non_replicated_deduplication_window = 1000`,
    );
    return name;
  }

  async function open(table: string, more: object = {}): Promise<SinkSlot> {
    const config = clickhouseSinkSpec.parse({ url: clickhouse.url, table, ...more });
    const connected = await sink.connect(config, sinkContext());
    opened.push(connected);
    return connected.open(slotId);
  }

  async function ids(table: string): Promise<number[]> {
    const query = `SELECT toUInt32(id) AS id FROM ${table} ORDER BY id`;
    return (await (await client.query({ query, format: 'JSONEachRow' })).json<{ id: number }>()).map(({ id }) => id);
  }

  return { run, create, open, ids, url: () => clickhouse.url };
}
