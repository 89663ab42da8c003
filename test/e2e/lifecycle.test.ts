import assert from 'node:assert/strict';
import { Connection, Client } from '@temporalio/client';
import { z } from 'zod';
import { labels } from '../../model/names.ts';
import { eventually } from '../support/eventually.ts';
import { expectedOrders, order, Topic } from './support/orders.ts';
import { ordersPipeline } from './support/pipelines.ts';
import { deletePipeline, getPipeline, patchSpec, untilCondition, untilGone, untilPhase } from './support/resource.ts';
import { useStack } from './support/stack.ts';

const partitions = 4;
const records = 200_000;

const newestOffsets = z.array(z.object({ newest: z.coerce.number() }));
const statuses = z.array(z.object({ offset: z.coerce.number(), status: z.string() }));

describe('the life of a pipeline', function () {
  const stack = useStack();

  it('I12: no row arrives after a pause is acknowledged, and a resume loses and repeats nothing', async () => {
    const { kubectl, warehouse, kafkaBrokers, clickhouseUrl } = stack();
    const topic = new Topic(kafkaBrokers, 'paused', partitions);
    await topic.create();
    await kubectl.apply(
      ordersPipeline({ name: 'paused', brokers: kafkaBrokers, topic: 'paused', clickhouseUrl, table: 'paused' }),
    );
    await untilCondition(kubectl, 'paused', 'Ready', { status: 'True', reason: 'Running' });

    const isPaused = new AbortController();
    const producing = topic.produceUntil(isPaused.signal);
    await eventually(async () => assert.ok((await warehouse.count('paused')) > 0, 'rows arrive'));
    await patchSpec(kubectl, 'paused', { desiredState: 'Paused' });
    await untilPhase(kubectl, 'paused', 'Paused');
    await untilCondition(kubectl, 'paused', 'Ready', { status: 'True', reason: 'Paused' });
    const atPause = await warehouse.count('paused');
    isPaused.abort();
    const produced = await producing;
    const all = produced + 20_000;
    await topic.produceOrders(produced, all);
    assert.equal(await warehouse.count('paused'), atPause, 'no row arrives while paused');
    assert.ok(atPause < expectedOrders(0, produced).rows, 'the pause came in the middle');
    const pods = await kubectl.run(['get', 'pods', '-A', '-l', `${labels.pipeline}=paused`, '-o', 'name']);
    assert.equal(pods, '', 'nobody is left who could write a row');

    await patchSpec(kubectl, 'paused', { desiredState: 'Running' });
    const expected = expectedOrders(0, all);
    await eventually(async () => assert.equal(await warehouse.count('paused'), expected.rows));
    assert.deepEqual(await warehouse.totals('paused'), {
      rows: expected.rows,
      ids: expected.rows,
      total: expected.total,
    });
    assert.equal(await warehouse.outOfOrder('paused'), 0);
    await deletePipeline(kubectl, 'paused');
    await untilGone(kubectl, 'paused');
  });

  it('an edited filter takes effect while records move, without loss or repetition', async () => {
    const { kubectl, warehouse, kafkaBrokers, clickhouseUrl } = stack();
    const topic = new Topic(kafkaBrokers, 'edited', partitions);
    await topic.create();
    const options = { name: 'edited', brokers: kafkaBrokers, topic: 'edited', clickhouseUrl, table: 'edited' };
    await kubectl.apply(ordersPipeline(options));
    await untilCondition(kubectl, 'edited', 'Ready', { status: 'True', reason: 'Running' });

    const producing = topic.produceOrders(0, records);
    await eventually(async () => assert.ok((await warehouse.count('edited')) > 0, 'rows arrive'));
    await kubectl.apply(ordersPipeline({ ...options, where: "record.status == 'open'" }));
    await untilPhase(kubectl, 'edited', 'Running');
    await producing;
    await topic.produceOrders(records, records + 10_000);

    // The change falls between two rows of each partition: before it only paid orders, after it only open ones.
    await eventually(async () => {
      const newest = newestOffsets.parse(
        await warehouse.rows(
          'SELECT partition, max(offset) AS newest FROM edited GROUP BY partition ORDER BY partition',
        ),
      );
      const ends = Array.from({ length: partitions }, (_, partition) => lastOpen(partition, records + 10_000));
      assert.deepEqual(
        newest.map((row) => row.newest),
        ends,
      );
    });
    for (let partition = 0; partition < partitions; partition++) {
      const rows = statuses.parse(
        await warehouse.rows(`SELECT offset, status FROM edited WHERE partition = ${partition} ORDER BY offset`),
      );
      const border = borderOf(rows, partition);
      const expected: { offset: number; status: string }[] = [];
      for (let offset = 0; offset < (records + 10_000) / partitions; offset++) {
        const { status } = order(offset * partitions + partition);
        if (status === (offset < border ? 'paid' : 'open')) expected.push({ offset, status });
      }
      assert.deepEqual(rows, expected, `partition ${partition}`);
    }
    await deletePipeline(kubectl, 'edited');
    await untilGone(kubectl, 'edited');
  });

  it('a delete in the middle leaves nothing: no namespace, stream, finalizer, label, and a completed entity', async () => {
    const { kubectl, warehouse, kafkaBrokers, clickhouseUrl, temporalAddress, streamNames } = stack();
    const topic = new Topic(kafkaBrokers, 'deleted', partitions);
    await topic.create();
    await kubectl.apply(
      ordersPipeline({ name: 'deleted', brokers: kafkaBrokers, topic: 'deleted', clickhouseUrl, table: 'deleted' }),
    );
    await untilCondition(kubectl, 'deleted', 'Ready', { status: 'True', reason: 'Running' });
    const producing = topic.produceOrders(0, records);
    await eventually(async () => assert.ok((await warehouse.count('deleted')) > 0, 'rows arrive'));
    const uid = (await getPipeline(kubectl, 'deleted'))?.metadata.uid;
    assert.ok(uid);

    await deletePipeline(kubectl, 'deleted');
    await producing;
    await untilGone(kubectl, 'deleted');

    for (const kind of [
      'namespaces',
      'deployments',
      'pods',
      'configmaps',
      'secrets',
      'networkpolicies',
      'controllerrevisions',
    ]) {
      const left = await kubectl.run(['get', kind, '-A', '-l', `${labels.pipelineUid}=${uid}`, '-o', 'name']);
      assert.equal(left, '', `no ${kind} carry the pipeline's label`);
    }
    assert.deepEqual(
      (await streamNames()).filter((name) => name.startsWith('mr-deleted-')),
      [],
    );
    const connection = await Connection.connect({ address: temporalAddress });
    try {
      const client = new Client({ connection });
      await eventually(async () => {
        const entity = await client.workflow.getHandle(`pipeline/default/deleted/${uid}`).describe();
        assert.equal(entity.status.name, 'COMPLETED');
      });
    } finally {
      await connection.close();
    }
  });
});

/** The highest offset of an open order in a partition, of orders 0 to `end`. */
function lastOpen(partition: number, end: number): number {
  for (let offset = end / partitions - 1; offset >= 0; offset--) {
    if (order(offset * partitions + partition).status === 'open') return offset;
  }
  return -1;
}

/**
 * The offset from which on the new filter holds. It stands between the last paid and the first open row; of the orders
 * between them the old filter dropped the open ones and the new one the paid ones, so the first paid one begins it.
 */
function borderOf(rows: readonly { offset: number; status: string }[], partition: number): number {
  const firstOpen = rows.find(({ status }) => status === 'open')?.offset ?? -1;
  const lastPaid = rows.findLast(({ status }) => status === 'paid')?.offset ?? -1;
  for (let offset = lastPaid + 1; offset < firstOpen; offset++) {
    if (order(offset * partitions + partition).status === 'paid') return offset;
  }
  return firstOpen;
}
