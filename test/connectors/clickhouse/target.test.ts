/** A sink whose spec gets another table while a batch is open: real ClickHouse, real streams. */
import { deepEqual, match } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import type { Plan } from '../../../model/plan.ts';
import type { Streams } from '../../../stream/connection.ts';
import { isDrained } from '../../../stream/drained.ts';
import { EdgeWriter } from '../../../stream/edge-writer.ts';
import { ensurePipelineStreams } from '../../../stream/streams.ts';
import { frameOf } from '../../stream/support/frames.ts';
import { startTestServer, testPlan, type TestServer } from '../../stream/support/server.ts';
import { eagerClock } from '../../stream/support/stages.ts';
import { eventually } from '../../support/eventually.ts';
import { noSignal, sinkContext } from '../sink-context.ts';
import { sinkSlotAtWork } from '../slot-at-work.ts';

describe('ClickHouse as a target that is edited', function () {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let server: TestServer;
  let streams: Streams;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-target-'));
    [clickhouse, server] = await Promise.all([startClickHouse({ dir, port: await freePort() }), startTestServer()]);
    streams = await server.connect();
    client = createClient({ url: clickhouse.url });
  });

  after(async () => {
    await server.stop();
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
  });

  async function rowsIn(table: string): Promise<number[]> {
    const result = await client.query({ query: `SELECT n FROM ${table} ORDER BY n`, format: 'JSONCompactEachRow' });
    return (await result.json<[number]>()).map(([n]) => n);
  }

  async function write(plan: Plan, first: number): Promise<void> {
    const of = { streams, pid: plan.pipeline.pid, edge: 'main', shard: 0, writer: 'orders-0' };
    const writer = await EdgeWriter.open({ ...of, clock: eagerClock, random: () => 0.5 }, noSignal);
    const values = Array.from({ length: 100 }, (_, i) => JSON.stringify({ n: first + i }));
    await writer.append(frameOf(values, first, writer.link(1)), noSignal);
  }

  function work(plan: Plan, table: string, killed = false) {
    const config = clickhouseSinkSpec.parse({ url: clickhouse.url, table });
    return sinkSlotAtWork(streams, plan, () => sink.connect(config, sinkContext()), killed);
  }

  const upTo = (end: number) => Array.from({ length: end }, (_, n) => n);
  const drained = (plan: Plan) => eventually(async () => (await isDrained(streams, plan)).drained);

  it('V3: a batch that may be in the table before is not written to the next one; set back, it is finished', async () => {
    const plan = testPlan({ shards: 1, batch: { maxRecords: 100, maxBytes: 2 ** 20, maxDelayMs: 20 } });
    await ensurePipelineStreams(streams, plan);
    for (const table of ['before_edit', 'after_edit']) {
      const query = `CREATE TABLE ${table} (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000`;
      await client.command({ query });
    }
    await write(plan, 0);
    await work(plan, 'before_edit', true).done;

    const edited = work(plan, 'after_edit');
    await eventually(() => edited.said.some((error) => error?.code === 'MR_SINK_OUTCOME_UNKNOWN'));
    await edited.stop();
    const error = edited.said.find((one) => one?.code === 'MR_SINK_OUTCOME_UNKNOWN')!;
    match(
      error.sentence,
      /\(100 rows\) are in .*default\.before_edit: .* the sink writes to .*default\.after_edit now/,
    );
    match(error.sentence, /Or set the sink back to .*before_edit/);
    deepEqual([await rowsIn('before_edit'), await rowsIn('after_edit')], [upTo(100), []]);

    const back = work(plan, 'before_edit');
    await drained(plan);
    await back.stop();
    const again = work(plan, 'after_edit');
    await write(plan, 100);
    await drained(plan);
    await again.stop();
    deepEqual([await rowsIn('before_edit'), await rowsIn('after_edit')], [upTo(100), upTo(200).slice(100)]);
  });
});
