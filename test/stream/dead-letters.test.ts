import assert from 'node:assert/strict';
import { MillraceError } from '../../model/errors.ts';
import type { Plan } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { countDeadLetters } from '../../stream/dead-letter-count.ts';
import { deadLetterId, type DeadLetter } from '../../stream/dead-letter.ts';
import { DeadLetterWriter, readDeadLetters } from '../../stream/dead-letters.ts';
import type { Room } from '../../stream/fenced-subject.ts';
import { deadLetterRoom } from '../../stream/slot-rooms.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { testPlan, withTestServer } from './support/server.ts';

describe('dead letters', () => {
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected) => {
    streams = connected;
  });

  it('keep value, key, headers and reason, and are counted over all writers', async () => {
    const pid = await pipeline();
    assert.deepEqual(await countDeadLetters(streams, pid), { records: 0, dropped: 0, byCode: [] });
    const one = await open(pid, 'sink-a-0');
    const other = await open(pid, 'sink-b-1');
    await one.append([letter(7, 0), letter(7, 3)], 7, never);
    await other.append([letter(9, 1)], 9, never);
    assert.equal((await countDeadLetters(streams, pid)).records, 3);
    const { letters, nextSequence } = await readDeadLetters(streams, pid);
    assert.deepEqual(letters.map(deadLetterId), ['sink-a:0:7:0', 'sink-a:0:7:3', 'sink-a:0:9:1']);
    assert.deepEqual(letters[0], letter(7, 0));
    assert.equal(nextSequence, 3);
  });

  it('are counted by code over all writers and takeovers, each code with what the last of it said', async () => {
    const pid = await pipeline();
    const of = (code: string, text: string, index: number): DeadLetter => ({ ...letter(7, index), code, text });
    const misfits = ['first', 'second'].map((text, index) => of('MR_RECORD_MISFIT', text, index));
    await (await open(pid, 'sink-a-0')).append([...misfits, of('MR_RECORD_NOT_JSON', 'no JSON', 2)], 7, never);
    await (await open(pid, 'sink-a-0')).append([of('MR_RECORD_MISFIT', 'x'.repeat(5_000), 0)], 8, never);
    await (await open(pid, 'sink-b-0')).append([of('MR_RECORD_NOT_JSON', 'again', 0)], 7, never);
    assert.deepEqual(await countDeadLetters(streams, pid), {
      records: 5,
      dropped: 0,
      byCode: [
        { code: 'MR_RECORD_MISFIT', records: 3, sample: `${'x'.repeat(65)}…${'x'.repeat(134)}` },
        { code: 'MR_RECORD_NOT_JSON', records: 2, sample: 'again' },
      ],
    });
  });

  it('D4: a record that just fits the edge fits the dead edge: what is cut is said, also when many codes are counted', async () => {
    const plan = testPlan();
    await ensurePipelineStreams(streams, plan);
    const { pid } = plan.pipeline;
    using room = deadLetterRoom({ streams, plan, clock: systemClock }, () => undefined);
    const writer = await open(pid, 'sink-a-0', streams, room);
    const codes = Array.from({ length: 12 }, (_, n) => ({
      ...letter(7, n),
      code: `MR_${n}`,
      text: '\u0001'.repeat(300),
    }));
    await writer.append(codes, 7, never);
    const whole = new Uint8Array(900_000).fill(120);
    const headers = Array.from({ length: 3_000 }, (_, n): readonly [string, string] => [`h${n}`, 'x'.repeat(30)]);
    const large = [
      { ...letter(8, 0), value: whole },
      { ...letter(8, 1), key: whole },
      {
        ...letter(8, 2),
        value: whole.subarray(0, 100),
        headers: [...headers, ['large', 'x'.repeat(9 * 2 ** 20)] as const],
      },
      { ...letter(8, 3), value: whole, key: whole, headers, truncatedFrom: 77_000_000 },
    ];
    await writer.append(large, 8, never);
    const { letters } = await readDeadLetters(streams, pid, { limit: 100 });
    const kept = letters.slice(codes.length);
    assert.deepEqual(
      kept.map((one) => [one.truncatedFrom, one.keyTruncatedFrom, one.headersTruncatedFrom]),
      [
        [whole.length, undefined, undefined],
        [undefined, whole.length, undefined],
        [undefined, undefined, 3_001],
        [77_000_000, whole.length, 3_000],
      ],
    );
    assert.ok(kept[0]!.value!.length > whole.length - 32 * 1024);
    assert.equal(kept[2]!.value?.length, 100);
    assert.deepEqual(kept[3]!.headers[0], headers[0]);
  });

  it('D4: many letters of one input go in parts, and all are there in order', async () => {
    const pid = await pipeline();
    const letters = Array.from({ length: 2_500 }, (_, n) => ({ ...letter(7, n), value: new Uint8Array(40).fill(n) }));
    await (await open(pid, 'sink-a-0')).append(letters, 7, never);
    const stored = await readDeadLetters(streams, pid, { limit: 10_000 });
    assert.deepEqual(
      stored.letters.map(({ index }) => index),
      letters.map(({ index }) => index),
    );
  });

  it('D1: after a takeover the tail says what is covered', async () => {
    const pid = await pipeline();
    await (await open(pid, 'sink-a-0')).append([letter(7, 0)], 7, never);
    const next = await open(pid, 'sink-a-0');
    assert.equal(next.covers, 7);
    await next.append([letter(8, 0)], 8, never);
    assert.equal((await countDeadLetters(streams, pid)).records, 2);
  });

  /** A writer that dies when one of the frames of these letters is stored. */
  async function crashBetweenFrames(pid: string, how: 'append' | 'appendMissing') {
    const letters = Array.from({ length: 10 }, (_, index) => ({
      ...letter(7, index),
      value: Buffer.alloc(60_000, index),
    }));
    const dying = new AbortController();
    let appends = 0;
    const publish: Streams['publish'] = (...args) => {
      if (appends++ === 1) throw new Error('crash');
      return streams.publish(...args);
    };
    const first = await open(pid, 'sink-a-0', { ...streams, publish });
    await assert.rejects(async () => {
      const appending = first[how](letters, 7, dying.signal);
      dying.abort(new Error('crash'));
      await appending;
    });
    return letters;
  }

  it('D5: a range that is cut elsewhere after a crash between its frames repeats and loses none', async () => {
    const pid = await pipeline();
    const letters = await crashBetweenFrames(pid, 'appendMissing');
    const second = await open(pid, 'sink-a-0');
    // Some are no letters any more, and others are: none may count by its place among them.
    const now = letters.filter(({ index }) => index !== 1);
    const missing = await second.missing(now, 0, () => true, never);
    assert.ok(missing.length > 0 && missing.length < now.length);
    await second.appendMissing(missing, 9, never);
    const read = await readDeadLetters(streams, pid);
    assert.deepEqual(
      read.letters.map((one) => one.index),
      letters.map((one) => one.index),
    );
    assert.deepEqual(await second.missing(letters, 9, () => true, never), []);
    // Of another life of the edge, whose numbers are those of other records.
    assert.equal((await second.missing(letters, 9, () => false, never)).length, letters.length);
  });

  it('D5: a letter of another frame that had the number is no letter of this one; nor is one without a checksum, of another record', async () => {
    const pid = await pipeline();
    const noted = { ...letter(7, 0), check: 1 };
    const unnoted = letter(8, 0);
    await (await open(pid, 'sink-a-0')).append([noted, unnoted], 8, never);
    const next = await open(pid, 'sink-a-0');
    const missing = (one: DeadLetter) => next.missing([one], 8, () => true, never);
    assert.deepEqual(await missing({ ...noted, text: 'said otherwise' }), []);
    assert.deepEqual(await missing({ ...unnoted, check: 1 }), []);
    for (const other of [
      { ...noted, check: 2 },
      { ...unnoted, check: 1, timestamp: unnoted.timestamp + 1 },
      { ...unnoted, check: 1, offset: '1' },
    ])
      assert.deepEqual(await missing(other), [other]);
  });

  it('D5: after a rollback each frame is read once, and once more for the batch whose letters it holds', async () => {
    const pid = await pipeline();
    const first = await open(pid, 'sink-a-0');
    const frames = 40;
    for (let n = 1; n <= frames; n++) await first.append([letter(n, 0)], n, never);
    let reads = 0;
    const directGet: Streams['directGet'] = (...args) => {
      reads++;
      return streams.directGet(...args);
    };
    const second = await open(pid, 'sink-a-0', { ...streams, directGet });
    for (let n = 1; n <= frames; n++) {
      const missing = await second.missing([letter(n, 0), letter(n, 1)], frames, () => true, never);
      assert.deepEqual(missing, [letter(n, 1)]);
    }
    assert.equal(reads, 2 * frames);
  });

  it('D1: a crash between the frames of one range repeats and loses none', async () => {
    const pid = await pipeline();
    const letters = await crashBetweenFrames(pid, 'append');
    const second = await open(pid, 'sink-a-0');
    assert.equal(second.covers, null);
    await second.append(letters, 7, never);
    const read = await readDeadLetters(streams, pid);
    assert.deepEqual(
      read.letters.map((one) => one.index),
      letters.map((one) => one.index),
    );
    assert.equal((await countDeadLetters(streams, pid)).records, 10);
  });

  it('E4: a stale writer is refused', async () => {
    const pid = await pipeline();
    const stale = await open(pid, 'sink-a-0');
    await (await open(pid, 'sink-a-0')).append([letter(7, 0)], 7, never);
    await assert.rejects(
      stale.append([letter(7, 0)], 7, never),
      (error) => error instanceof MillraceError && error.code === 'MR_OWNERSHIP_LOST',
    );
  });

  async function pipeline(): Promise<string> {
    const plan = testPlan();
    await ensurePipelineStreams(streams, plan);
    return plan.pipeline.pid;
  }

  function open(pid: string, writer: string, over = streams, room?: Room) {
    return DeadLetterWriter.open(
      {
        ...{ streams: over, pid, writer, maxFrameBytes: 900_000, clock: systemClock, random: () => 0.5 },
        ...(room === undefined ? {} : { room }),
      },
      never,
    );
  }
});

function letter(sequence: number, index: number): DeadLetter {
  return {
    stage: 'sink-a',
    slot: 0,
    sequence,
    index,
    source: 'orders',
    partition: 3,
    offset: '9007199254740993',
    step: 'shape',
    code: 'MR_RECORD_EXPRESSION',
    text: 'no such field',
    value: new Uint8Array(Buffer.from('{"id":1}')),
    key: null,
    headers: [['trace', 'ä']],
    timestamp: 1_700_000_000_000,
  };
}

describe('dead letters of which the oldest go', () => {
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected) => {
    streams = connected;
  });

  it('D3: the oldest give way, never the last frame of a writer, and none is uncounted', async () => {
    const plan: Plan = { ...testPlan(), deadLetters: { maxBytes: 60_000, whenFull: 'DropOldest' } };
    const { pid } = plan.pipeline;
    await ensurePipelineStreams(streams, plan);
    let told = 0;
    using room = deadLetterRoom({ streams, plan, clock: systemClock }, (records) => (told += records));
    const open = (writer: string) =>
      DeadLetterWriter.open(
        { streams, pid, writer, maxFrameBytes: 900_000, clock: systemClock, random: () => 0.5, room },
        never,
      );
    const quiet = await open('sink-a-0');
    await quiet.append([letter(1, 0)], 1, never);
    const busy = await open('sink-b-0');
    for (let sequence = 1; sequence <= 30; sequence++)
      await busy.append([{ ...letter(sequence, 0), value: Buffer.alloc(5_000) }], sequence, never);
    const { letters } = await readDeadLetters(streams, pid, { limit: 1_000 });
    assert.equal(letters[0]?.stage, 'sink-a');
    assert.equal(letters.at(-1)?.sequence, 30);
    const { records, dropped } = await countDeadLetters(streams, pid);
    assert.deepEqual([records, records + dropped], [letters.length, 31]);
    assert.equal(told, dropped);
    assert(dropped >= 15);
    await quiet.append([letter(2, 0)], 2, never);
    const counted = await countDeadLetters(streams, pid);
    assert.equal(counted.records + counted.dropped, 32);
  });
});
