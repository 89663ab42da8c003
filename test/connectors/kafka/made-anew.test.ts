/** A topic that is deleted and made again under its name, on a real Kafka: what was read is no measure of what is there. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Cluster } from '../../../connectors/kafka/cluster.ts';
import { decided, undecided } from '../source-context.ts';
import { eventually, hangMs } from '../../support/eventually.ts';
import { failure, KafkaForTests, numbered, take } from './harness.ts';

describe('kafka source whose topic is made anew', function () {
  let kafka: KafkaForTests;
  before(async () => {
    kafka = await KafkaForTests.start();
  });
  after(() => kafka.stop());

  async function makeAnew(topic: string, records: number, partitions = 1): Promise<void> {
    await kafka.admin.deleteTopics({ topics: [topic] });
    await eventually(() => kafka.createTopic(topic, partitions));
    await eventually(() => kafka.send(topic, 0, numbered(100, records)));
  }

  async function idOf(topic: string): Promise<string | undefined> {
    const { cluster, close } = connected();
    const { topics } = await cluster.metadata(topic);
    close();
    return topics[0]?.id;
  }

  function connected() {
    const port = Number(kafka.kafka.brokers[0]?.split(':')[1]);
    const brokers = [{ host: '127.0.0.1', port }];
    const cluster = new Cluster({ brokers, clientId: 'test', log: pino({ level: 'silent' }) });
    return { cluster, close: () => cluster.close() };
  }

  /** Ten records are read, and the topic is another one. */
  async function lost(topic: string, records: number, spec = {}) {
    await kafka.createTopic(topic);
    await kafka.send(topic, 0, numbered(0, 10));
    const before = await kafka.connect(topic, spec);
    const { position } = await take(await before.open(0, undefined, undecided), 10);
    await before.close();
    await makeAnew(topic, records);
    return { position, source: await kafka.connect(topic, spec) };
  }

  // By offsets alone only the first could be told: the others go on in the middle of what nobody has read.
  for (const records of [3, 10, 25]) {
    it(`S3: stops when the new topic has ${records} records, of which the old one gave 10, and hands out none`, async () => {
      const { position, source } = await lost(`anew-${records}`, records);
      const error = await failure(await source.open(0, position, undecided));
      assert.equal(error.code, 'MR_SOURCE_POSITION_LOST');
      assert.match(
        error.sentence,
        /was deleted and recreated.*`millrace decide shop -n test ingestor-orders\.1 reread`/,
      );
      await source.close();
    });

    it(`S3: stops a reader under whose hands that happens, with ${records} records`, async () => {
      const topic = `under-hands-${records}`;
      await kafka.createTopic(topic);
      await kafka.send(topic, 0, numbered(0, 10));
      const source = await kafka.connect(topic);
      const reader = await source.open(0, undefined, undecided);
      await take(reader, 10);
      await makeAnew(topic, records);
      const said = await eventually(async () => {
        const error = await failure(reader);
        // Until the other brokers' word is in, it may say that the topic is missing.
        assert.equal(error.code, 'MR_SOURCE_POSITION_LOST');
        return error;
      });
      assert.match(said.message, /topic "under-hands/);
      await source.close();
    });
  }

  for (const [choice, offsets] of [
    ['accept-loss', [25]],
    ['reread', [...Array(26).keys()]],
  ] as const) {
    it(`S3: ${choice} goes on in the new topic at offset ${offsets[0]}, and says so before any record comes`, async () => {
      const topic = `decided-${choice}`;
      const { position, source } = await lost(topic, 25);
      const reader = await source.open(0, position, decided(choice));
      const announced = await reader.read(AbortSignal.timeout(hangMs));
      assert.equal(announced?.count, 0);
      assert.deepEqual(announced.position, { '0': offsets[0], topic: await idOf(topic) });
      await kafka.send(topic, 0, ['later']);
      const read = await take(reader, offsets.length);
      assert.deepEqual(
        read.records.map(({ offset }) => offset),
        offsets,
      );
      // Nothing is left to decide about.
      const next = await source.open(0, read.position, undecided);
      await kafka.send(topic, 0, ['after']);
      assert.equal((await take(next, 1)).records[0]?.offset, 26);
      await source.close();
    });
  }

  for (const [onPositionLost, first] of [
    ['Earliest', 0],
    ['Latest', 25],
  ] as const) {
    it(`S3: goes on from the ${onPositionLost} when the spec says so`, async () => {
      const topic = `spec-${onPositionLost}`;
      const { position, source } = await lost(topic, 25, { onPositionLost });
      const announced = await (await source.open(0, position, undecided)).read(AbortSignal.timeout(hangMs));
      assert.deepEqual(announced?.position, { '0': first, topic: await idOf(topic) });
      await source.close();
    });
  }

  it('S3: asks also for a slot whose partitions the new topic does not have', async () => {
    await kafka.createTopic('narrower', 2);
    await kafka.send('narrower', 1, numbered(0, 3));
    const wide = await kafka.connect('narrower', {}, { slots: 2 });
    const { position } = await take(await wide.open(1, undefined, undecided), 3);
    await wide.close();
    await makeAnew('narrower', 1);
    const narrow = await kafka.connect('narrower', {}, { slots: 2 });
    assert.equal((await failure(await narrow.open(1, position, undecided))).code, 'MR_SOURCE_POSITION_LOST');
    // The other slot had read nothing: it has nothing to lose, and begins.
    assert.equal((await take(await narrow.open(0, undefined, undecided), 1)).records[0]?.offset, 0);
    await narrow.close();
  });

  it('O3: believes a position without id, as version 0.1 wrote it, and stores it with the id before any record', async () => {
    await kafka.createTopic('of-before');
    await kafka.send('of-before', 0, numbered(0, 10));
    const source = await kafka.connect('of-before');
    const reader = await source.open(0, { '0': 4, '1': 7 }, undecided);
    const announced = await reader.read(AbortSignal.timeout(hangMs));
    assert.equal(announced?.count, 0);
    assert.deepEqual(announced.position, { '0': 4, topic: await idOf('of-before') });
    assert.equal((await take(reader, 6)).records[0]?.offset, 4);
    await source.close();
  });

  it('the broker itself refuses to give records of another topic of the name', async () => {
    await kafka.createTopic('fetched');
    await kafka.send('fetched', 0, numbered(0, 10));
    const topicId = await idOf('fetched');
    await makeAnew('fetched', 25);
    const { cluster, close } = connected();
    const { brokers } = await cluster.metadata('fetched');
    const connection = await cluster.fetchConnection(brokers[0]?.nodeId ?? 0);
    const limits = { partitionMaxBytes: 2 ** 20, maxBytes: 2 ** 20, maxWaitMs: 100 };
    const answer = await connection.fetch({
      topic: 'fetched',
      topicId,
      partitions: [{ partition: 0, offset: 10 }],
      ...limits,
    });
    assert.deepEqual(
      answer.partitions.map(({ errorCode, records }) => [errorCode, records.length]),
      [[100, 0]],
    );
    connection.close();
    close();
  });
});
