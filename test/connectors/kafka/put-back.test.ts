/** A source that leaves and is put back, on a real Kafka and a real nats-server. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { Plan } from '../../../model/plan.ts';
import { isDrained } from '../../../stream/drained.ts';
import { ensurePipelineStreams } from '../../../stream/streams.ts';
import { comeBack, leave, withoutSources } from '../../stream/support/leaving.ts';
import { MemoryTable } from '../../stream/support/fakes.ts';
import { startTestServer, testPlan, type TestServer } from '../../stream/support/server.ts';
import { drain, eagerClock, ingest } from '../../stream/support/stages.ts';
import { eventually } from '../../support/eventually.ts';
import { KafkaForTests, numbered } from './harness.ts';

describe('a Kafka source that is put back', function () {
  let kafka: KafkaForTests;
  let server: TestServer;
  before(async () => {
    kafka = await KafkaForTests.start();
    server = await startTestServer();
  });
  after(() => Promise.all([kafka.stop(), server.stop()]));

  const ids = ({ rows }: MemoryTable) => rows.map(({ value }) => z.number().parse(value['id'])).sort((a, b) => a - b);

  /** Its pipeline, of which a thousand records have been read before it was removed. */
  async function removed(topic: string) {
    const streams = await server.connect();
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    const table = new MemoryTable();
    await ensurePipelineStreams(streams, plan);
    await kafka.createTopic(topic, 2);
    const send = async (from: number, count: number) => {
      for (const partition of [0, 1])
        await kafka.send(topic, partition, numbered(from + (partition * count) / 2, count / 2));
    };
    const sink = drain(streams, plan, table);
    const start = async (at: Plan) => {
      const source = await kafka.connect(topic);
      const slot = ingest(streams, at, (position, losses) => source.open(0, position, losses));
      return { slot, end: () => Promise.all([slot.stop(), source.close()]) };
    };
    await send(0, 1_000);
    const first = await start(plan);
    await eventually(() => table.rows.length === 1_000);
    await first.end();
    await leave({ streams, opSeq: 2, clock: eagerClock }, withoutSources(plan, 2));
    const back = { ...plan, pipeline: { ...plan.pipeline, generation: 3 } };
    return { streams, table, sink, send, start, back };
  }

  it('has each record once, with those that came while it was away', async () => {
    const { streams, table, sink, send, start, back } = await removed('away');
    await send(1_000, 100);
    await comeBack({ streams, opSeq: 3, clock: eagerClock }, back);
    const again = await start(back);
    await eventually(async () => {
      assert.ok(table.rows.length >= 1_100);
      assert.ok((await isDrained(streams, back)).drained);
    });
    await Promise.all([again.end(), sink.stop()]);
    assert.deepEqual(
      ids(table),
      Array.from({ length: 1_100 }, (_, id) => id),
    );
  });

  it('asks a person when its topic was made again while it was away', async () => {
    const { streams, table, sink, send, start, back } = await removed('anew-meanwhile');
    await kafka.admin.deleteTopics({ topics: ['anew-meanwhile'] });
    await eventually(() => kafka.createTopic('anew-meanwhile', 2));
    await eventually(() => send(5_000, 100));
    await comeBack({ streams, opSeq: 3, clock: eagerClock }, back);
    const again = await start(back);
    await eventually(() => again.slot.witness.connections.includes('MR_SOURCE_POSITION_LOST'));
    await Promise.all([again.end(), sink.stop()]);
    assert.equal(table.rows.length, 1_000);
  });
});
