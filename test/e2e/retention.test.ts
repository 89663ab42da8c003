import assert from 'node:assert/strict';
import { z } from 'zod';
import { expectedOrders, Topic } from './support/orders.ts';
import { ordersPipeline } from './support/pipelines.ts';
import { condition, deletePipeline, patchSpec, untilCondition, untilGone, untilPhase } from './support/resource.ts';
import { useStack } from './support/stack.ts';
import { eventually } from '../support/eventually.ts';

const partitions = 4;
/** Orders that were read before the pause, those that came in it, and the offset up to which partition 0 is deleted. */
const [read, unread, oldest] = [20_000, 60_000, 8_000];
const isGone = (id: number) => id % partitions === 0 && id >= read && id / partitions < oldest;

const counted = z.tuple([z.object({ count: z.coerce.number() })]);

describe('retention that passes the position of a source', function () {
  const stack = useStack();

  it('is asked about under load; exactly what is gone unread is given up, and the rest arrives once', async () => {
    const { kubectl, warehouse, kafkaBrokers: brokers, clickhouseUrl, apiUrl, apiToken } = stack();
    const topic = new Topic(brokers, 'passed', partitions);
    await topic.create();
    await topic.produceOrders(0, read);
    await kubectl.apply(ordersPipeline({ name: 'passed', brokers, topic: 'passed', clickhouseUrl, table: 'passed' }));
    await eventually(async () => assert.equal(await warehouse.count('passed'), expectedOrders(0, read).rows));
    await patchSpec(kubectl, 'passed', { desiredState: 'Paused' });
    await untilPhase(kubectl, 'passed', 'Paused');
    await topic.produceOrders(read, unread);
    await topic.deleteBefore(0, oldest);

    const end = new AbortController();
    const producing = topic.produceUntil(end.signal, unread);
    await patchSpec(kubectl, 'passed', { desiredState: 'Running' });
    const asked = await untilCondition(kubectl, 'passed', 'Ready', { status: 'False', reason: 'SourcePositionLost' });
    const { message = '' } = condition(asked, 'Ready') ?? {};
    const [, token] =
      /`millrace decide passed -n default (ingestor-orders\.\d+) accept-loss` continues at offset 8000/.exec(message) ??
      [];
    assert.match(message, /offset 5000 of partition 0/);
    const later = `SELECT count() AS count FROM passed WHERE partition = 0 AND offset >= ${read / partitions}`;
    assert.equal(counted.parse(await warehouse.rows(later))[0].count, 0, 'nothing is read before the decision');

    const decided = await fetch(`${apiUrl}/v1/namespaces/default/pipelines/passed/decide`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...apiToken },
      body: JSON.stringify({ token, choice: 'accept-loss' }),
    });
    assert.ok(decided.ok, await decided.text());
    await untilCondition(kubectl, 'passed', 'Ready', { status: 'True', reason: 'Running' });
    end.abort();
    const { rows, total } = expectedOrders(0, await producing, isGone);
    await eventually(async () => assert.ok((await warehouse.count('passed')) >= rows, `${rows} rows`));
    assert.deepEqual(await warehouse.totals('passed'), { rows, ids: rows, total });
    assert.equal(await warehouse.outOfOrder('passed'), 0);
    await deletePipeline(kubectl, 'passed');
    await untilGone(kubectl, 'passed');
  });
});
