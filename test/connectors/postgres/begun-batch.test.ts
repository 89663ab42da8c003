/** A batch that an earlier owner has begun, and a table that is altered until it is finished: real server, real streams. */
import { deepEqual } from 'node:assert/strict';
import { sink } from '../../../connectors/postgres/index.ts';
import type { Streams } from '../../../stream/connection.ts';
import { readDeadLetters } from '../../../stream/dead-letters.ts';
import { isDrained } from '../../../stream/drained.ts';
import { EdgeWriter } from '../../../stream/edge-writer.ts';
import { ensurePipelineStreams } from '../../../stream/streams.ts';
import { frameOf } from '../../stream/support/frames.ts';
import { testPlan, withTestServer } from '../../stream/support/server.ts';
import { eagerClock } from '../../stream/support/stages.ts';
import { eventually } from '../../support/eventually.ts';
import { noSignal, sinkContext } from '../sink-context.ts';
import { sinkSlotAtWork } from '../slot-at-work.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

describe('a batch of a PostgreSQL sink that an earlier owner has begun', function () {
  let postgres: TestPostgres;
  let streams: Streams;

  withTestPostgres((started) => void (postgres = started));
  withTestServer((started) => void (streams = started));

  const run = (text: string) => postgres.run(text);

  it('P2: is finished with the rows of the table in which it was stored, not of the one for which it was announced', async () => {
    const plan = testPlan({ shards: 1, batch: { maxRecords: 100, maxBytes: 2 ** 20, maxDelayMs: 20 } });
    const { pid } = plan.pipeline;
    await ensurePipelineStreams(streams, plan);
    const of = { streams, pid, edge: 'main', shard: 0, writer: 'orders-0' };
    const writer = await EdgeWriter.open({ ...of, clock: eagerClock, random: () => 0.5 }, noSignal);
    const connect = () => sink.connect(postgres.config({ table: 'begun' }), sinkContext());

    // No record but the third is a row of this table.
    await run('CREATE TABLE begun (n smallint CHECK (n <> 70004))');
    await writer.append(
      frameOf(
        [70_001, 70_002, 3, 70_004, 70_005].map((n) => JSON.stringify({ n })),
        1,
        writer.link(1),
      ),
      noSignal,
    );
    const other = await postgres.connections.pool.connect();
    await other.query('BEGIN; ALTER TABLE begun ALTER n TYPE int');
    const first = await connect();
    const announcing = sinkSlotAtWork(streams, plan, () => Promise.resolve(first));
    const waits = `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'millrace %' AND wait_event_type = 'Lock'`;
    await eventually(async () => (await run(waits)).length === 1);
    await other.query('COMMIT');
    other.release();
    await announcing.done;

    // Each of them is one of this table, and the fourth is refused. The pod is killed before it can say so.
    await sinkSlotAtWork(streams, plan, () => Promise.resolve(first), true).done;
    await first.close();
    const kept = [3, 70_001, 70_002, 70_005];
    const stored = await run('SELECT n FROM begun ORDER BY n');
    deepEqual([stored.map(({ n }) => n), (await isDrained(streams, plan)).drained], [kept, false]);

    // None of them is one of this table.
    await run('ALTER TABLE begun RENAME n TO was_n; ALTER TABLE begun ADD n smallint');
    const last = sinkSlotAtWork(streams, plan, connect);
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await last.stop();
    deepEqual(
      await run('SELECT was_n, n FROM begun ORDER BY was_n'),
      kept.map((was_n) => ({ was_n, n: null })),
    );
    const { letters } = await readDeadLetters(streams, pid);
    deepEqual(
      letters.map(({ index, code }) => [index, code]),
      [[3, 'MR_RECORD_REFUSED']],
    );
  });
});
