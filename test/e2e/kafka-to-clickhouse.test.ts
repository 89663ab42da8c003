import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { expectedOrders, Topic } from './support/orders.ts';
import { ordersPipeline } from './support/pipelines.ts';
import { deletePipeline, untilCondition, untilGone } from './support/resource.ts';
import { useStack } from './support/stack.ts';

const records = 1_000_000;
const partitions = 4;

/** What is killed with -9, one after the other, each while records move. */
const victims = [
  { stage: 'ingestor-orders' },
  { stage: 'sink-warehouse' },
  { part: 'lifecycle' },
  { part: 'controller' },
  { part: 'nats' },
  { part: 'node' },
  { part: 'clickhouse' },
] as const;

describe('a million records from Kafka to ClickHouse', function () {
  const stack = useStack();

  it('arrive exactly once, in the order of their partitions, through a filter and a map', async () => {
    const { kubectl, kafkaBrokers, clickhouseUrl } = stack();
    const topic = new Topic(kafkaBrokers, 'million', partitions);
    await topic.create();
    await topic.produceOrders(0, records);

    await kubectl.apply(
      ordersPipeline({ name: 'million', brokers: kafkaBrokers, topic: 'million', clickhouseUrl, table: 'million' }),
    );
    await untilCondition(kubectl, 'million', 'Ready', { status: 'True', reason: 'Running' });
    await untilOrders('million', 0, records);
    await deletePipeline(kubectl, 'million');
    await untilGone(kubectl, 'million');
  });

  it('arrive exactly once while every process of the stack is killed in turn', async () => {
    const { kubectl, warehouse, kafkaBrokers, clickhouseUrl, kill, killPod } = stack();
    const topic = new Topic(kafkaBrokers, 'besieged', partitions);
    await topic.create();
    await kubectl.apply(
      ordersPipeline({ name: 'besieged', brokers: kafkaBrokers, topic: 'besieged', clickhouseUrl, table: 'besieged' }),
    );
    await untilCondition(kubectl, 'besieged', 'Ready', { status: 'True', reason: 'Running' });

    const share = Math.floor(records / (victims.length + 1));
    let produced = 0;
    for (const victim of victims) {
      const producing = topic.produceOrders(produced, produced + share);
      const before = await warehouse.count('besieged');
      await eventually(async () =>
        assert.ok(
          (await warehouse.count('besieged')) > before,
          `rows arrive before ${JSON.stringify(victim)} is killed`,
        ),
      );
      if ('stage' in victim) await killPod('besieged', victim.stage);
      else kill(victim.part);
      await producing;
      produced += share;
    }
    await topic.produceOrders(produced, records);

    await untilOrders('besieged', 0, records);
    await untilCondition(kubectl, 'besieged', 'Ready', { status: 'True', reason: 'Running' });
    await deletePipeline(kubectl, 'besieged');
    await untilGone(kubectl, 'besieged');
  });

  async function untilOrders(table: string, from: number, to: number): Promise<void> {
    const { warehouse } = stack();
    const expected = expectedOrders(from, to);
    await eventually(async () =>
      assert.ok((await warehouse.count(table)) >= expected.rows, `all ${expected.rows} rows are in ${table}`),
    );
    assert.deepEqual(await warehouse.totals(table), {
      rows: expected.rows,
      ids: expected.rows,
      total: expected.total,
    });
    assert.equal(await warehouse.outOfOrder(table), 0, 'rows of a partition stand in the order of their offsets');
  }
});
