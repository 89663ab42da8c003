import assert from 'node:assert/strict';
import { eventually, hangMs } from '../../support/eventually.ts';
import { KafkaForTests, numbered, offsetsIn, recordsOf, take } from './harness.ts';
import { undecided } from '../source-context.ts';

describe('kafka source', function () {
  let kafka: KafkaForTests;
  before(async () => {
    kafka = await KafkaForTests.start();
  });
  after(() => kafka.stop());

  it('hands out key, value, headers, timestamp and offset of each record', async () => {
    await kafka.createTopic('fields');
    await kafka.send('fields', 0, [
      { key: 'k', value: '{"a":1}', headers: { trace: 'x' }, timestamp: '1700000000000' },
      { key: null, value: null, timestamp: '1700000000001' },
    ]);
    const source = await kafka.connect('fields');
    const { records, position } = await take(await source.open(0, undefined, undecided), 2);
    const first = { key: 'k', value: '{"a":1}', time: 1_700_000_000_000, headers: [['trace', 'x']] };
    const second = { key: null, value: null, time: 1_700_000_000_001, headers: [] };
    assert.deepEqual(records, [
      { partition: 0, offset: 0, ...first },
      { partition: 0, offset: 1, ...second },
    ]);
    assert.deepEqual(offsetsIn(position), { '0': 2 });
    await source.close();
  });

  it('R1: gives each slot its partitions, each in offset order and without gap', async () => {
    await kafka.createTopic('many', 6);
    for (let partition = 0; partition < 6; partition++) await kafka.send('many', partition, numbered(0, 500));
    const source = await kafka.connect('many', {}, { slots: 4 });
    const wanted = [[0, 4], [1, 5], [2], [3]];
    for (const [slot, partitions] of wanted.entries()) {
      const { records } = await take(await source.open(slot, undefined, undecided), partitions.length * 500);
      for (const partition of partitions) {
        const values = records.filter((each) => each.partition === partition).map(({ value }) => value);
        assert.deepEqual(values, numbered(0, 500));
      }
    }
    await source.close();
  });

  it('goes on after a position inside a batch, and ignores the partitions of other slots in it', async () => {
    await kafka.createTopic('resume', 4);
    for (let partition = 0; partition < 4; partition++) await kafka.send('resume', partition, numbered(0, 10));
    const source = await kafka.connect('resume', {}, { slots: 2 });
    const merged = { '0': 7, '1': 1, '2': 9, '3': 1 };
    const { records, position } = await take(await source.open(0, merged, undecided), 4);
    const seen = records.map(({ partition, offset }) => `${partition}:${offset}`).sort();
    assert.deepEqual(seen, ['0:7', '0:8', '0:9', '2:9']);
    assert.deepEqual(offsetsIn(position), { '0': 10, '2': 10 });
    await source.close();
  });

  it('says for each record of a batch where to go on after it', async () => {
    await kafka.createTopic('each', 2);
    await kafka.send('each', 0, numbered(0, 3));
    const source = await kafka.connect('each');
    const reader = await source.open(0, { '1': 0, '0': 1 }, undecided);
    let batch = await reader.read(AbortSignal.timeout(hangMs));
    while (batch?.count === 0) batch = await reader.read(AbortSignal.timeout(hangMs));
    assert.deepEqual(
      [0, 1].map((index) => offsetsIn(batch?.positionAfter(index))),
      [
        { '0': 2, '1': 0 },
        { '0': 3, '1': 0 },
      ],
    );
    await source.close();
  });

  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    it(`reads what the broker compressed with ${codec}`, async () => {
      await kafka.createTopic(`packed-${codec}`, 1, { 'compression.type': codec });
      for (let from = 0; from < 3_000; from += 1_000) await kafka.send(`packed-${codec}`, 0, numbered(from, 1_000));
      const source = await kafka.connect(`packed-${codec}`);
      const { records } = await take(await source.open(0, { '0': 500 }, undecided), 2_500);
      assert.deepEqual(
        records.map(({ value }) => value),
        numbered(500, 2_500),
      );
      await source.close();
    });
  }

  it('D1: hands out committed transactions only, and moves past markers and aborted ones', async () => {
    await kafka.createTopic('transactions');
    const producer = kafka.client.producer({ transactionalId: 'tx', maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (const [value, isKept] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'transactions', messages: [{ value }, { value }] });
      await (isKept ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const source = await kafka.connect('transactions');
    const reader = await source.open(0, undefined, undecided);
    const { records } = await take(reader, 4);
    assert.deepEqual(
      records.map(({ value }) => value),
      ['a', 'a', 'c', 'c'],
    );
    await kafka.send('transactions', 0, ['e']);
    const last = await take(reader, 1);
    assert.deepEqual(offsetsIn(last.position), { '0': 13 });
    assert.equal(reader.lag(), 0);
    await source.close();
  });

  it('R2: begins at the latest when told so, and says where that is before any record comes', async () => {
    await kafka.createTopic('latest');
    await kafka.send('latest', 0, numbered(0, 5));
    const source = await kafka.connect('latest', { startFrom: 'Latest' });
    const reader = await source.open(0, undefined, undecided);
    const first = await reader.read(AbortSignal.timeout(hangMs));
    assert.deepEqual([first?.count, offsetsIn(first?.position)], [0, { '0': 5 }]);
    await kafka.send('latest', 0, ['new']);
    assert.deepEqual(
      (await take(reader, 1)).records.map(({ value }) => value),
      ['new'],
    );
    await source.close();
  });

  it('S1, T1: reads a partition that is added later from its start, although it begins at the latest', async () => {
    await kafka.createTopic('grows');
    const source = await kafka.connect('grows', { startFrom: 'Latest' });
    const reader = await source.open(0, undefined, undecided);
    await reader.read(AbortSignal.timeout(hangMs));
    await kafka.admin.createPartitions({ topicPartitions: [{ topic: 'grows', count: 3 }] });
    await eventually(() => kafka.send('grows', 2, ['in the new one']));
    assert.deepEqual(
      (await take(reader, 1)).records.map(({ partition, value }) => [partition, value]),
      [[2, 'in the new one']],
    );
    await source.close();
  });

  it('S1: reads a partition that was added while the slot was down from its start', async () => {
    await kafka.createTopic('grew', 2);
    await kafka.send('grew', 0, numbered(0, 2));
    await kafka.send('grew', 1, numbered(0, 2));
    const source = await kafka.connect('grew', { startFrom: 'Latest' });
    const { records } = await take(await source.open(0, { '0': 2 }, undecided), 2);
    assert.deepEqual(
      records.map(({ partition, offset }) => [partition, offset]),
      [
        [1, 0],
        [1, 1],
      ],
    );
    await source.close();
  });

  it('starves no partition while another has more than fits into an answer', async () => {
    await kafka.createTopic('uneven', 2);
    const large = 'x'.repeat(10_000);
    for (let i = 0; i < 20; i++)
      await kafka.send(
        'uneven',
        0,
        Array.from({ length: 50 }, () => large),
      );
    await kafka.send('uneven', 1, numbered(0, 10));
    const source = await kafka.connect('uneven', { fetch: { maxBytes: '64Ki' } });
    const reader = await source.open(0, undefined, undecided);
    const order: number[] = [];
    for (let records = 0; records < 1_010;) {
      const batch = await reader.read(AbortSignal.timeout(hangMs));
      if (batch === undefined) break;
      order.push(batch.partition);
      records += recordsOf(batch).length;
    }
    assert.ok(order.indexOf(1) <= 2, `partition 1 came as number ${order.indexOf(1)}`);
    await source.close();
  });

  it('hands out a record that is larger than a fetch', async () => {
    await kafka.createTopic('large');
    await kafka.send('large', 0, ['x'.repeat(900_000), 'small']);
    await kafka.send('large', 0, ['last']);
    const source = await kafka.connect('large', { fetch: { maxBytes: '16Ki' } });
    const { records } = await take(await source.open(0, undefined, undecided), 3);
    assert.deepEqual(
      records.map(({ value }) => value?.length),
      [900_000, 5, 4],
    );
    await source.close();
  });

  it('tells its lag: what is fetched and not handed out counts, and so does what comes while nobody reads', async () => {
    await kafka.createTopic('behind');
    await kafka.send('behind', 0, numbered(0, 100));
    const source = await kafka.connect('behind');
    const reader = await source.open(0, { '0': 40 }, undecided);
    await take(reader, 60);
    assert.equal(reader.lag(), 0);
    await kafka.send('behind', 0, numbered(100, 25));
    await eventually(() => reader.lag() === 25);
    // That answer waits now and nothing more is fetched, so the end has to be asked for.
    await kafka.send('behind', 0, numbered(125, 10));
    await eventually(() => reader.lag() === 35);
    await source.close();
  });

  it('G2: commits what is stored to a group without members, and the last of it when it closes', async () => {
    await kafka.createTopic('committed', 2);
    await kafka.send('committed', 0, numbered(0, 5));
    const source = await kafka.connect('committed');
    const reader = await source.open(0, undefined, undecided);
    await take(reader, 5);
    reader.acknowledge({ '0': 3, '1': 0 });
    await eventually(async () => (await committed('committed'))['0'] === '3');
    reader.acknowledge({ '0': 5, '1': 0 });
    reader.acknowledge({ '0': 4, '1': 0 });
    await source.close();
    assert.deepEqual(await committed('committed'), { '0': '5', '1': '0' });
    const groups = await kafka.admin.describeGroups(['millrace-shop-abc123']);
    assert.deepEqual(groups.groups[0]?.members, []);
  });

  it('ends a waiting read at once when it is told to, and reads on afterwards', async () => {
    await kafka.createTopic('waits');
    const source = await kafka.connect('waits');
    const reader = await source.open(0, undefined, undecided);
    const stop = new AbortController();
    const waiting = reader.read(stop.signal);
    stop.abort(new Error('stop'));
    await assert.rejects(waiting, /stop/);
    await kafka.send('waits', 0, ['after']);
    assert.equal((await take(reader, 1)).records[0]?.value, 'after');
    await source.close();
  });

  it('waits without lag when it has more slots than the topic has partitions', async () => {
    await kafka.createTopic('few');
    const source = await kafka.connect('few', {}, { slots: 3 });
    const reader = await source.open(2, undefined, undecided);
    await assert.rejects(reader.read(AbortSignal.timeout(300)));
    assert.equal(reader.lag(), 0);
    await source.close();
  });

  async function committed(topic: string): Promise<Record<string, string>> {
    const offsets = await kafka.admin.fetchOffsets({ groupId: 'millrace-shop-abc123', topics: [topic] });
    return Object.fromEntries(
      offsets.flatMap((each) => each.partitions.map((one) => [String(one.partition), one.offset])),
    );
  }
});
