import assert from 'node:assert/strict';
import { pino } from 'pino';
import { MillraceError } from '../../../model/errors.ts';
import { eventually, hangMs } from '../../support/eventually.ts';
import { freePort } from '../../../local/ports.ts';
import { failure, KafkaForTests, numbered, recordsOf, take } from './harness.ts';
import { decided, undecided } from '../source-context.ts';

describe('kafka source when things fail', function () {
  let kafka: KafkaForTests;
  before(async () => {
    kafka = await KafkaForTests.start({ autoCreateTopics: true });
  });
  after(() => kafka.stop());

  it('C1: says that the topic is missing, does not create it, and reads it once it is there', async () => {
    await assert.rejects(kafka.connect('not-yet'), withCode('MR_SOURCE_TOPIC_MISSING'));
    assert.deepEqual((await kafka.admin.listTopics()).includes('not-yet'), false);
    await kafka.createTopic('not-yet');
    await kafka.send('not-yet', 0, ['here']);
    const source = await kafka.connect('not-yet');
    assert.equal((await take(await source.open(0, undefined, undecided), 1)).records[0]?.value, 'here');
    await source.close();
  });

  it('says that no broker answers, and which', async () => {
    const port = await freePort();
    const brokers = [`127.0.0.1:${port}`];
    await assert.rejects(kafka.connect('any', { brokers }), (error) => {
      return withCode('MR_SOURCE_UNREACHABLE')(error) && String(error).includes(String(port));
    });
  });

  it('finds the cluster although the first broker of the spec is gone', async () => {
    await kafka.createTopic('second');
    const brokers = [`127.0.0.1:${await freePort()}`, ...kafka.kafka.brokers];
    await (await kafka.connect('second', { brokers })).close();
  });

  it('S2: stops when retention took the next record, and goes on when the position is there again', async () => {
    await kafka.createTopic('kept');
    await kafka.send('kept', 0, numbered(0, 20));
    await kafka.deleteBefore('kept', 0, 10);
    const source = await kafka.connect('kept');
    const lost = await source.open(0, { '0': 4 }, undecided);
    for (let tries = 0; tries < 2; tries++) {
      const error = await failure(lost);
      assert.equal(error.code, 'MR_SOURCE_POSITION_LOST');
      assert.match(
        error.sentence,
        /offset 4 of partition 0.*accept-loss` continues at offset 10; .*reads from offset 10/,
      );
    }
    const kept = await source.open(0, { '0': 10 }, undecided);
    assert.equal((await take(kept, 10)).records[0]?.offset, 10);
    await source.close();
  });

  it('S2: goes on from the earliest or the latest when the spec says so', async () => {
    await kafka.createTopic('policy');
    await kafka.send('policy', 0, numbered(0, 20));
    await kafka.deleteBefore('policy', 0, 10);
    const earliest = await kafka.connect('policy', { onPositionLost: 'Earliest' });
    assert.equal((await take(await earliest.open(0, { '0': 4 }, undecided), 10)).records[0]?.offset, 10);
    await earliest.close();
    const latest = await kafka.connect('policy', { onPositionLost: 'Latest' });
    const reader = await latest.open(0, { '0': 4 }, undecided);
    const waiting = take(reader, 1);
    await eventually(() => reader.lag() === 0);
    await kafka.send('policy', 0, ['new']);
    assert.equal((await waiting).records[0]?.offset, 20);
    await latest.close();
  });

  for (const [choice, offset] of [
    ['accept-loss', 10],
    ['reread', 10],
  ] as const) {
    it(`S2: behind what retention took, ${choice} goes on at the oldest that is there`, async () => {
      const topic = `retained-${choice}`;
      await kafka.createTopic(topic);
      await kafka.send(topic, 0, numbered(0, 20));
      await kafka.deleteBefore(topic, 0, 10);
      const source = await kafka.connect(topic);
      const reader = await source.open(0, { '0': 4 }, decided(choice));
      assert.equal((await take(reader, 10)).records[0]?.offset, offset);
      await source.close();
    });
  }

  for (const [choice, values] of [
    ['accept-loss', ['later']],
    ['reread', ['x', 'y', 'later']],
  ] as const) {
    it(`S2: beyond the end of the topic, ${choice} hands out ${values.join(', ')}`, async () => {
      const topic = `ahead-${choice}`;
      await kafka.createTopic(topic);
      await kafka.send(topic, 0, ['x', 'y']);
      const source = await kafka.connect(topic);
      const reader = await source.open(0, { '0': 50 }, decided(choice));
      const reading = take(reader, values.length);
      await eventually(() => reader.lag() === 0);
      await kafka.send(topic, 0, ['later']);
      assert.deepEqual(
        (await reading).records.map(({ value }) => value),
        values,
      );
      await source.close();
    });
  }

  it('S2: stops at a position that the topic has not reached, as after it was made anew', async () => {
    await kafka.createTopic('short');
    await kafka.send('short', 0, numbered(0, 2));
    const source = await kafka.connect('short');
    const error = await failure(await source.open(0, { '0': 50 }, undecided));
    assert.equal(error.code, 'MR_SOURCE_POSITION_LOST');
    await source.close();
  });

  it('says that the topic is missing when it is deleted under a reader', async () => {
    await kafka.createTopic('deleted');
    await kafka.send('deleted', 0, ['x']);
    const source = await kafka.connect('deleted');
    const reader = await source.open(0, undefined, undecided);
    await take(reader, 1);
    await kafka.admin.deleteTopics({ topics: ['deleted'] });
    assert.equal((await failure(reader)).code, 'MR_SOURCE_TOPIC_MISSING');
    await source.close();
  });

  it('R3: throws while the broker is down after kill -9, and then reads on without loss or repetition', async () => {
    await kafka.createTopic('killed', 3);
    for (let partition = 0; partition < 3; partition++) await kafka.send('killed', partition, numbered(0, 2_000));
    const source = await kafka.connect('killed', { fetch: { maxBytes: '16Ki' } });
    const reader = await source.open(0, undefined, undecided);
    const seen = new Map<string, number>();
    const read = async () => {
      const batch = await reader.read(AbortSignal.timeout(hangMs));
      for (const { partition, offset } of batch === undefined ? [] : recordsOf(batch)) {
        const key = `${partition}:${offset}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    };
    await read();
    await kafka.kafka.kill();
    const error = await eventually(() => assert.rejects(read(), withCode('MR_SOURCE_UNREACHABLE')));
    assert.equal(error, undefined);
    await kafka.kafka.restart();
    await eventually(async () => {
      while (seen.size < 6_000) await read();
    });
    assert.equal(seen.size, 6_000);
    assert.ok([...seen.values()].every((times) => times === 1));
    await source.close();
  });

  it('G1: reads and closes although nobody takes its commits', async () => {
    await kafka.createTopic('uncommitted');
    await kafka.send('uncommitted', 0, ['x']);
    const warnings: string[] = [];
    const lines = { write: (line: string) => void warnings.push(line) };
    const source = await kafka.connect('uncommitted', {}, { log: pino({ level: 'warn' }, lines) });
    const reader = await source.open(0, undefined, undecided);
    await take(reader, 1);
    await kafka.kafka.kill();
    reader.acknowledge({ '0': 1 });
    await eventually(() => warnings.some((line) => line.includes('"group":')));
    await source.close();
    await kafka.kafka.restart();
  });
});

function withCode(code: string) {
  return (error: unknown) => {
    assert.ok(error instanceof MillraceError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.handling, 'retry');
    return true;
  };
}
