import assert from 'node:assert/strict';
import { mr } from '../../model/errors.ts';
import { commitSubject, edgeStream, commitsEdge, questionSubject, shardSubjects } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Clock } from '../../model/clock.ts';
import type { RecordMeta, RecordObject } from '../../model/value.ts';
import { decodeCommitEntry } from '../../stream/commit-entry.ts';
import type { Streams } from '../../stream/connection.ts';
import { deadLetterId, type DeadLetter } from '../../stream/dead-letter.ts';
import { readDeadLetters } from '../../stream/dead-letters.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { countDeadLetters } from '../../stream/dead-letter-count.ts';
import { noteDecision } from '../../stream/decisions.ts';
import { isDrained } from '../../stream/drained.ts';
import { recoverPosition } from '../../stream/sink-position.ts';
import { committedOf, ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryRows, MemoryTable, Witness } from './support/fakes.ts';
import { frameOf } from './support/frames.ts';
import { drain, eagerClock, hastyClock, type DrainOptions, type RunningSlot } from './support/stages.ts';
import { testPlan, withTestServer, type TestServer } from './support/server.ts';

describe('sink loop', () => {
  let server: TestServer;
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected, started) => {
    streams = connected;
    server = started;
  });

  it('writes every row once, in the order of the shard, and commits the end of it', async () => {
    const plan = await pipeline();
    await write(plan, 2_000);
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    await drained(plan);
    assert.deepEqual(ids(table), numbers(2_000));
    assert(slot.witness.batches >= 3);
    await slot.stop();
  });

  describe('I6: asks at once, with a batch that was begun', () => {
    /** A pipeline whose sink has committed, and then begun a batch of this frame, counted from the end of the edge. */
    async function begunWith(frame: number) {
      const plan = await pipeline();
      await write(plan, 50);
      const table = new MemoryTable();
      const first = drain(streams, plan, table);
      await drained(plan);
      await first.stop();
      const subject = commitSubject(plan.pipeline.pid, 'sink-warehouse', 0);
      const entry = await streams.getMessage(edgeStream(plan.pipeline.pid, 'commits'), { last_by_subj: subject });
      assert.ok(entry);
      const { to: after, chain } = decodeCommitEntry(entry.data, { stream: 'commits', sequence: entry.seq });
      const batch = { from: after + frame, to: after + frame, after, token: 't', rows: 1 };
      await streams.publish(subject, JSON.stringify({ kind: 'intent', ...batch, chain }), { expectLast: entry.seq });
      return { plan, table };
    }

    type Begun = Awaited<ReturnType<typeof begunWith>>;

    async function asks({ plan, table }: Begun, what: RegExp, asked: Streams = streams): Promise<void> {
      const slot = drain(asked, plan, table, { clock: hastyClock });
      await eventually(() => assert.match(slot.witness.waitSentences.join(), what));
      await slot.stop();
    }

    async function endOf({ pipeline: { pid } }: Plan): Promise<number> {
      return (await streams.streamInfo(edgeStream(pid, 'main'))).state.last_seq;
    }

    it('when the edge has a frame before it', async () => {
      const begun = await begunWith(5);
      await write(begun.plan, 250, undefined, 50, 50);
      await asks(begun, /frame \d+ came before the batch .*, which was started/);
    });

    it('when the edge ends before it', async () => {
      await asks(await begunWith(1), /frame \d+, the last of a batch that was started, is gone/);
    });

    it('when its number is that of a frame of another shard, though nothing comes in its own', async () => {
      const begun = await begunWith(1);
      await write(begun.plan, 50, undefined, 50, 50, { shard: 1, writer: 'orders-1' });
      await asks(begun, /frame \d+, the last of a batch that was started, is gone/);
    });

    /** The frames go after the slot has seen that the last one is there, and before any is delivered. */
    function without({ plan }: Begun, last: number, remove: (stream: string) => Promise<unknown>): Streams {
      const stream = edgeStream(plan.pipeline.pid, 'main');
      let isDone = false;
      const getMessage: Streams['getMessage'] = async (name, query) => {
        const message = await streams.getMessage(name, query);
        if (isDone || name !== stream || !('seq' in query) || query.seq !== last) return message;
        isDone = true;
        await remove(stream);
        return message;
      };
      return { ...streams, getMessage };
    }

    it('K9: when its last frame goes while it is waited for, and none comes after it', async () => {
      const begun = await begunWith(1);
      await write(begun.plan, 50, undefined, 50, 50);
      const last = await endOf(begun.plan);
      const asked = without(begun, last, (stream) => streams.jsm.streams.deleteMessage(stream, last));
      await asks(begun, /frame \d+, the last of a batch that was started, is gone/, asked);
    });

    it('K9: when all frames of the edge go while it is waited for, and none comes after them', async () => {
      const begun = await begunWith(2);
      await write(begun.plan, 100, undefined, 50, 50);
      const last = await endOf(begun.plan);
      const asked = without(begun, last, (stream) => streams.jsm.streams.purge(stream));
      await asks(begun, /frame \d+ of orders-0, which was taken, and all others of it are gone/, asked);
    });
  });

  describe('I6: asks at once when a frame that it has taken is another one now', () => {
    /** As after a loss of power, when the writers have given its number to something else. */
    function replacing() {
      const replaced = { by: undefined as Buffer | undefined };
      const getMessage: Streams['getMessage'] = async (stream, query) => {
        const found = await streams.getMessage(stream, query);
        return found !== null && replaced.by !== undefined && 'seq' in query ? { ...found, data: replaced.by } : found;
      };
      return { replaced, streams: { ...streams, getMessage } };
    }
    const other = frameOf([JSON.stringify({ n: 'other' })], 1);
    const asks = (slot: RunningSlot) =>
      eventually(() => assert.match(slot.witness.waitSentences.join(), /frame \d+ is another one than the one/));

    it('and nothing comes after it', async () => {
      const plan = await pipeline();
      await write(plan, 50);
      const { replaced, streams: replacingStreams } = replacing();
      const slot = drain(replacingStreams, plan, new MemoryTable());
      await drained(plan);
      replaced.by = other;
      await server.crash();
      await server.start();
      await asks(slot);
      await slot.stop();
    });

    it('and a record of it is to become a dead letter', async () => {
      const plan = await pipeline();
      const { replaced, streams: replacingStreams } = replacing();
      replaced.by = other;
      const slot = drain(replacingStreams, plan, new MemoryTable());
      await write(plan, 10, (n) => JSON.stringify({ n, refuse: n === 5 }));
      await asks(slot);
      await slot.stop();
      assert.deepEqual(await deadLetters(plan), []);
    });
  });

  it('I7: in = rows + dropped + dead letters, and dead letters hold record, step and reason', async () => {
    const plan = await pipeline();
    await write(plan, 100, (n) => {
      if (n % 10 === 1) return 'no json';
      if (n % 10 === 2) return JSON.stringify({ n, fail: true });
      if (n % 10 === 3) return JSON.stringify({ n, misfit: true });
      if (n % 10 === 4) return JSON.stringify({ n, refuse: true });
      return JSON.stringify({ n, ...(n % 10 === 5 ? { drop: true } : {}) });
    });
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    await drained(plan);
    const { witness } = slot;
    assert.deepEqual([witness.taken, witness.handed, witness.droppedRecords, witness.dead], [100, 50, 10, 40]);
    const letters = await deadLetters(plan);
    assert.deepEqual([...new Set(letters.map(({ code, step }) => `${code} ${String(step)}`))].sort(), [
      'MR_RECORD_EXPRESSION check',
      'MR_RECORD_MISFIT null',
      'MR_RECORD_NOT_JSON null',
      'MR_RECORD_REFUSED null',
    ]);
    assert.equal(Buffer.from(letters[0]?.value ?? []).toString(), 'no json');
    assert.equal((await countDeadLetters(streams, plan.pipeline.pid)).records, 40);
    await slot.stop();
  });

  it('keeps no more than some thousand reasons at once: a batch of records that all fail ends before it is full', async () => {
    const batch = { maxRecords: 100_000, maxBytes: 2 ** 26, maxDelayMs: 600_000 };
    const plan = testPlan({ shards: 1, batch });
    await ensurePipelineStreams(streams, plan);
    await write(plan, 12_000, () => 'no json', 4_000);
    const slot = drain(streams, plan, new MemoryTable());
    await eventually(() => slot.witness.dead > 0);
    assert.equal(slot.witness.dead, 8_000);
    await slot.stop();
  });

  it('writes before its batch is full when its frames are a good part of what the edge may hold', async () => {
    const batch = { maxRecords: 100_000, maxBytes: 2 ** 26, maxDelayMs: 600_000 };
    const plan = testPlan({ shards: 1, batch, edgeBytes: 40_000 });
    await ensurePipelineStreams(streams, plan);
    await write(plan, 600, (n) => JSON.stringify({ n, text: 'x'.repeat(20) }), 100);
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    try {
      await eventually(() => table.rows.length >= 400);
    } finally {
      await slot.stop();
    }
  });

  for (const positionIn of ['commitLog', 'sink'] as const) {
    it(`I1, I2: a crash at any step loses and repeats no row and no dead letter (position in ${positionIn})`, async () => {
      const plan = await pipeline();
      await write(
        plan,
        60,
        (n) => JSON.stringify({ n, ...(n % 7 === 0 ? { fail: true } : n % 7 === 1 ? { refuse: true } : {}) }),
        5,
      );
      const table = new MemoryTable();
      // Every third step is allowed to happen before its answer is lost; the steps are publishes and writes.
      for (let step = 0; step < 200; step++) {
        const crash = crashing(streams, step % 5, step % 2 === 0 ? 'before' : 'after', table);
        // Each life would cut its batches elsewhere: only the intent tells where the one before cut them.
        const slot = drain(crash.streams, cutting(plan, [7, 400, 1, 20][step % 4]!), table, { positionIn });
        await Promise.race([
          crash.crashed,
          eventually(async () => (await isDrained(streams, plan)).drained, { intervalMs: 5 }),
          slot.done,
        ]);
        slot.abort();
        crash.end();
        if ((await isDrained(streams, plan)).drained) break;
      }
      assert((await isDrained(streams, plan)).drained);
      const want = numbers(60);
      assert.deepEqual(
        ids(table),
        want.filter((n) => n % 7 > 1),
      );
      const letters = await deadLetters(plan);
      assert.equal(new Set(letters.map(deadLetterId)).size, letters.length);
      assert.deepEqual(
        letters.map(numberOf),
        want.filter((n) => n % 7 <= 1),
      );
    });
  }

  it('I11, K4: two owners of a slot write every row once, and the stale one is fenced', async () => {
    const plan = await pipeline();
    await write(plan, 500);
    const table = new MemoryTable();
    const first = drain(streams, plan, table);
    const second = drain(streams, plan, table);
    assert.equal(await Promise.race([first.done, second.done]), 'fenced');
    await drained(plan);
    assert.deepEqual(ids(table), numbers(500));
    await Promise.all([first.stop(), second.stop()]);
  });

  it('I11: a stale owner that was frozen before its write repeats nothing when it wakes', async () => {
    const plan = await pipeline();
    await write(plan, 100);
    const table = new MemoryTable();
    let thaw: () => void = () => undefined;
    let isFrozen = false;
    table.beforeWrite = () => {
      table.beforeWrite = undefined;
      isFrozen = true;
      return new Promise((resolve) => (thaw = resolve));
    };
    const frozen = drain(streams, plan, table);
    await eventually(() => isFrozen);
    const owner = drain(streams, plan, table);
    await drained(plan);
    thaw();
    assert.equal(await frozen.done, 'fenced');
    assert.deepEqual(ids(table), numbers(100));
    await owner.stop();
  });

  it('ends the batch that is assembled beside a write when it is fenced: it would keep the loop and its buffers', async () => {
    const plan = await pipeline();
    await write(plan, 100);
    const table = new MemoryTable();
    let thaw: () => void = () => undefined;
    table.beforeWrite = () => {
      table.beforeWrite = undefined;
      return new Promise((resolve) => (thaw = resolve));
    };
    const { clock, timers } = clockWithTimers();
    const frozen = drain(streams, plan, table, { clock });
    // The batch of the write, and the next one, which waits for frames.
    await eventually(() => table.beforeWrite === undefined && timers.size > 0);
    const owner = drain(streams, plan, table);
    await drained(plan);
    thaw();
    assert.equal(await frozen.done, 'fenced');
    await clock.turn();
    assert.equal(timers.size, 0);
    await owner.stop();
  });

  it('K3: an outage of the sink is shown and waited for, and nothing is lost', async () => {
    const plan = await pipeline();
    const table = new MemoryTable();
    table.failWith = mr('MR_SINK_AUTH_REJECTED', {
      ...{ sink: 'warehouse', server: 'ch:8443', user: 'its user', credentials: 'password' },
    });
    const slot = drain(streams, plan, table);
    await write(plan, 300);
    await eventually(() => table.writes > 5);
    assert.equal(slot.witness.connections.at(-1), 'MR_SINK_AUTH_REJECTED');
    table.failWith = undefined;
    await drained(plan);
    assert.equal(slot.witness.connections.at(-1), undefined);
    assert.deepEqual(ids(table), numbers(300));
    assert.equal((await deadLetters(plan)).length, 0);
    await slot.stop();
  });

  it('K5, I12: a stop lets the batch that is being written finish and commit, and begins no other', async () => {
    const plan = await pipeline();
    await write(plan, 1_000);
    const table = new MemoryTable();
    let release: () => void = () => undefined;
    let isWriting = false;
    table.beforeWrite = () => {
      isWriting = true;
      return new Promise((resolve) => (release = resolve));
    };
    const slot = drain(streams, plan, table);
    await eventually(() => isWriting);
    const stopping = slot.stop();
    release();
    assert.equal(await stopping, 'stopped');
    assert.equal(table.writes, 1);
    assert.equal(await committedOf(streams, plan.pipeline.pid, 'sink-warehouse', 0), slot.witness.last);
    table.beforeWrite = undefined;
    const next = drain(streams, plan, table);
    await drained(plan);
    assert.deepEqual(ids(table), numbers(1_000));
    await next.stop();
  });

  it('I12: a stop while nobody knows whether a batch is stored finds it out first, and nothing is written after it', async () => {
    const plan = await pipeline();
    await write(plan, 100);
    const table = new MemoryTable();
    let stopping: Promise<string> | undefined;
    table.afterWrite = async () => {
      table.afterWrite = undefined;
      stopping = slot.stop();
      throw new Error('the answer is lost');
    };
    const slot = drain(streams, plan, table);
    await eventually(() => stopping !== undefined);
    assert.equal(await stopping, 'stopped');
    const { writes } = table;
    assert.equal(await committedOf(streams, plan.pipeline.pid, 'sink-warehouse', 0), slot.witness.last);
    table.window = 0;
    const next = drain(streams, plan, table);
    await drained(plan);
    assert.deepEqual(ids(table), numbers(100));
    assert.ok(table.writes <= writes + 1);
    await next.stop();
  });

  it('I12: a pause that outlasts what the sink remembers repeats nothing: a person is asked, and then it goes on', async () => {
    const plan = await pipeline();
    await write(plan, 100);
    const table = new MemoryTable();
    let isStored = false;
    table.afterWrite = async () => {
      isStored = true;
      await new Promise<never>(() => undefined);
    };
    const frozen = drain(streams, plan, table);
    await eventually(() => isStored);
    frozen.abort();
    table.afterWrite = undefined;
    const stored = table.rows.length;
    table.window = 1;
    table.tokens.push('of others', 'and more');
    const resumed = drain(streams, plan, table);
    await eventually(() => resumed.witness.connections.includes('MR_SINK_OUTCOME_UNKNOWN'));
    assert.equal(table.rows.length, stored);
    table.onUncertain = 'Skip';
    await drained(plan);
    assert.deepEqual(ids(table), numbers(100));
    await resumed.stop();
  });

  it('I1: kill -9 of nats-server while batches are written loses and repeats nothing', async () => {
    const plan = await pipeline();
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    for (let crash = 0; crash < 2; crash++) {
      const writing = write(plan, 1_000, undefined, 10, crash * 1_000);
      await eventually(() => table.rows.length > crash * 1_000 + 200, { intervalMs: 1 });
      await server.crash();
      await server.start();
      await writing;
    }
    await drained(plan);
    assert.deepEqual(ids(table), numbers(2_000));
    await slot.stop();
  });

  it('E5: a shard that gets progress frames only is committed without a write', async () => {
    const plan = await pipeline();
    await write(plan, 3, undefined, 0);
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    const { pid } = plan.pipeline;
    const { state } = await streams.streamInfo(edgeStream(pid, 'main'));
    await eventually(async () => assert.equal(await committedOf(streams, pid, 'sink-warehouse', 0), state.last_seq));
    assert.equal(table.writes, 0);
    await slot.stop();
  });

  it('a full dead-letter stream makes the slot wait and say so', async () => {
    const plan = await pipeline({ deadBytes: 20_000 });
    const pad = 'x'.repeat(3_000);
    await write(plan, 20, (n) => JSON.stringify({ n, fail: true, pad }), 1);
    const table = new MemoryTable();
    const slot = drain(streams, plan, table);
    await eventually(() =>
      slot.witness.waits.some(([on, code]) => on === 'deadLetters' && code === 'MR_DEAD_LETTERS_FULL'),
    );
    await ensurePipelineStreams(streams, { ...plan, deadLetters: { maxBytes: 2 ** 20, whenFull: 'Block' } });
    await drained(plan);
    assert.equal((await deadLetters(plan)).length, 20);
    await slot.stop();
  });

  /** Of twenty records ten are written, and the others wait for room as dead letters, when the slot is killed. */
  async function killedWhileLettersWait(positionIn: 'commitLog' | 'sink') {
    const plan = await pipeline({ deadBytes: 20_000 });
    const pad = 'x'.repeat(3_000);
    await write(plan, 20, (n) => JSON.stringify({ n, pad, ...(n % 2 === 0 ? { fail: true } : {}) }), 20);
    const table = new MemoryTable();
    const slot = drain(streams, plan, table, { positionIn });
    await eventually(() =>
      slot.witness.waits.some(([on, code]) => on === 'deadLetters' && code === 'MR_DEAD_LETTERS_FULL'),
    );
    slot.abort();
    await assert.rejects(slot.done);
    await ensurePipelineStreams(streams, { ...plan, deadLetters: { maxBytes: 2 ** 20, whenFull: 'Block' } });
    return { plan, table };
  }

  /** `meanwhile` something happens to the table; there is room again, and the next owner must end with each record in one place. */
  async function takenOverWhileLettersWait(
    positionIn: 'commitLog' | 'sink',
    meanwhile: (table: MemoryTable) => void,
  ): Promise<void> {
    const { plan, table } = await killedWhileLettersWait(positionIn);
    meanwhile(table);
    const next = drain(streams, plan, table, { positionIn });
    await drained(plan);
    assert.deepEqual(
      ids(table),
      numbers(20).filter((n) => n % 2 === 1),
    );
    assert.equal((await deadLetters(plan)).length, 10);
    await next.stop();
  }

  it('K2: however long dead letters have to wait, the rows that are written are not written again', () =>
    takenOverWhileLettersWait('commitLog', (table) => {
      // It has forgotten the batch.
      table.window = 0;
    }));

  describe('C4: a table that is altered while dead letters of a batch wait', () => {
    /**
     * Of the twenty records a fourth each is: no row, refused, stored, stored. When the next owner comes, the third
     * fourth would be no row, and the first would be one.
     */
    async function alteredWhileLettersWait(begunAs: 'written' | 'intent', positionIn: 'commitLog' | 'sink') {
      const plan = await pipeline({ deadBytes: 20_000 });
      const pad = 'x'.repeat(3_000);
      await write(plan, 20, (n) => JSON.stringify({ n, pad, ...(n % 4 === 1 ? { refuse: true } : {}) }), 20);
      const table = new MemoryTable();
      const first = drain(streams, plan, table, { positionIn, wrap: withoutEvery(0) });
      if (begunAs === 'intent') {
        await diesWithoutTheAnswer(first, table);
        table.onUncertain = 'Skip';
      } else {
        await eventually(() =>
          first.witness.waits.some(([on, code]) => on === 'deadLetters' && code === 'MR_DEAD_LETTERS_FULL'),
        );
        first.abort();
        await assert.rejects(first.done);
      }
      await ensurePipelineStreams(streams, { ...plan, deadLetters: { maxBytes: 2 ** 20, whenFull: 'Block' } });
      const next = drain(streams, plan, table, { positionIn, wrap: withoutEvery(2) });
      await drained(plan);
      assert.deepEqual(
        [ids(table), (await deadLetters(plan)).map(numberOf)],
        [numbers(20).filter((n) => n % 4 > 1), numbers(20).filter((n) => n % 4 < 2)],
      );
      assert.equal(next.witness.handed, 10);
      await next.stop();
    }

    for (const positionIn of ['commitLog', 'sink'] as const) {
      it(`changes nothing of what became of its records (position in ${positionIn})`, () =>
        alteredWhileLettersWait('written', positionIn));
    }

    it('changes nothing when a person says that the batch is stored', () =>
      alteredWhileLettersWait('intent', 'commitLog'));

    it('is a matter of now when v0.1 began the batch, and a person says that it is stored', async () => {
      const plan = await pipeline();
      await write(plan, 20, undefined, 20);
      const table = new MemoryTable();
      await diesWithoutTheAnswer(drain(streams, plan, table), table);
      const subject = commitSubject(plan.pipeline.pid, 'sink-warehouse', 0);
      const begun = await streams.getMessage(edgeStream(plan.pipeline.pid, 'commits'), { last_by_subj: subject });
      assert.ok(begun);
      const entry = decodeCommitEntry(begun.data, { stream: 'commits', sequence: begun.seq });
      assert(entry.kind === 'intent');
      const { kind, from, to, after, token, rows } = entry;
      const ofV01 = JSON.stringify({ kind, from, to, after, token, rows });
      await streams.publish(subject, ofV01, { expectLast: begun.seq });
      table.onUncertain = 'Skip';
      const next = drain(streams, plan, table, { wrap: withoutEvery(2) });
      await drained(plan);
      assert.deepEqual(
        [ids(table), (await deadLetters(plan)).map(numberOf)],
        [numbers(20), numbers(20).filter((n) => n % 4 === 2)],
      );
      await next.stop();
    });
  });

  describe('K6: a position in the sink', () => {
    /** 300 rows are committed; then the sink goes back to what it had after the first batch. */
    async function wentBack() {
      const plan = await pipeline();
      const table = new MemoryTable();
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      const versions: { rows: number; position: number; positionToken: string }[] = [];
      table.afterWrite = async () => {
        versions.push({ rows: table.rows.length, position: table.position, positionToken: table.positionToken });
      };
      for (let round = 0; round < 3; round++) {
        await write(plan, 100, undefined, 50, round * 100);
        await drained(plan);
      }
      await slot.stop();
      const { rows, position, positionToken } = versions[0]!;
      table.rows.length = rows;
      Object.assign(table, { position, positionToken });
      return { plan, table, kept: rows, position };
    }

    it('K7: that was beyond the edge and is put back leaves no question behind', async () => {
      const plan = await pipeline();
      const { pid } = plan.pipeline;
      const table = new MemoryTable();
      await write(plan, 100, undefined, 50);
      const first = drain(streams, plan, table, { positionIn: 'sink' });
      await drained(plan);
      await first.stop();
      const questions = async () =>
        (await streams.lastOfEach(edgeStream(pid, commitsEdge), questionSubject(pid, '*', '>'))).length;
      table.position += 5;
      const second = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => assert.match(second.witness.waitSentences.join(), /has stored it up to/));
      await second.stop();
      assert.equal(await questions(), 1);
      table.position -= 5;
      const third = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(async () => (await questions()) === 0);
      await third.stop();
    });

    it('that is behind the log stops the slot, which names both and writes nothing', async () => {
      const { plan, table, kept, position } = await wentBack();
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => slot.witness.connections.includes('MR_SINK_POSITION_LOST'));
      const logged = await committedOf(streams, plan.pipeline.pid, 'sink-warehouse', 0);
      const sentence = slot.witness.sentences.at(-1) ?? '';
      for (const named of [position, logged]) assert.match(sentence, new RegExp(`\\b${named}\\b`));
      await write(plan, 50, undefined, 50, 300);
      const writes = table.writes;
      assert.deepEqual([table.position, table.rows.length], [position, kept]);
      await slot.stop();
      assert.equal(table.writes, writes);
    });

    it('that goes back under an idle slot is found although nothing comes', async () => {
      const plan = await pipeline();
      const table = new MemoryTable();
      const slot = drain(streams, plan, table, { positionIn: 'sink', clock: minutesPassAtOnce() });
      await write(plan, 100, undefined, 100);
      await drained(plan);
      Object.assign(table, { position: 0, positionToken: '' });
      table.rows.length = 0;
      assert.equal(await slot.done, 'fenced');
      const next = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => next.witness.connections.includes('MR_SINK_POSITION_LOST'));
      await next.stop();
    });

    it('that is before a batch which waits for its dead letters only: the batch is taken again, and nothing is missing', () =>
      takenOverWhileLettersWait('sink', goneBackToNothing));

    it('that is before such a batch, of which the frames are gone: a person is asked, and a drain waits for no one for ever', async () => {
      const { plan, table } = await killedWhileLettersWait('sink');
      goneBackToNothing(table);
      const edge = edgeStream(plan.pipeline.pid, plan.edges[0]!.name);
      await streams.purgeStream(edge, { filter: shardSubjects(plan.pipeline.pid, plan.edges[0]!.name, 0) });
      const next = drain(streams, plan, table, { positionIn: 'sink', clock: hastyClock });
      await eventually(() =>
        assert.match(next.witness.waitSentences.join(), /the last of a batch that was started, is gone/),
      );
      await noteDecision(streams, plan, { scope: plan.edges[0]!.name, number: 1, choice: 'accept-loss' });
      await drained(plan);
      await next.stop();
    });

    for (const [what, rest, letters] of [
      ['and are refused again have one dead letter', 0, (n: number) => n % 4 === 0],
      ['and are refused for the first time get theirs', 2, (n: number) => n % 2 === 0],
    ] as const) {
      it(`D5: that went back below dead letters: records that are taken again ${what}`, async () => {
        const plan = await pipeline();
        await write(plan, 100, undefined, 10);
        const table = new MemoryTable();
        const first = drain(streams, cutting(plan, 20), table, { positionIn: 'sink', wrap: withoutEvery(0) });
        await drained(plan);
        await first.stop();
        Object.assign(table, { position: 0, positionToken: '', onPositionLost: 'Reread' });
        table.rows.length = 0;
        const next = drain(streams, cutting(plan, 30), table, { positionIn: 'sink', wrap: withoutEvery(rest) });
        await eventually(() => assert.equal(table.rows.length, 75));
        await drained(plan);
        await next.stop();
        assert.deepEqual(
          ids(table),
          numbers(100).filter((n) => n % 4 !== rest),
        );
        const stored = (await deadLetters(plan)).map(numberOf);
        assert.deepEqual(
          stored.toSorted((a, b) => a - b),
          numbers(100).filter(letters),
        );
        // What is new after that has its letters as ever.
        await write(plan, 20, undefined, 10, 100);
        const last = drain(streams, plan, table, { positionIn: 'sink', wrap: withoutEvery(1) });
        await eventually(() => assert.equal(table.rows.length, 90));
        await drained(plan);
        await last.stop();
        assert.deepEqual((await deadLetters(plan)).slice(stored.length).map(numberOf), [101, 105, 109, 113, 117]);
      });
    }

    it('that is ahead of a log which has gone back: the rows that it had refused get their dead letters', async () => {
      const plan = await pipeline();
      const { pid } = plan.pipeline;
      await write(plan, 20, (n) => JSON.stringify({ n, ...(n % 4 === 1 ? { refuse: true } : {}) }), 20);
      const place = { last_by_subj: commitSubject(pid, 'sink-warehouse', 0) };
      const commits = edgeStream(pid, 'commits');
      const before = await streams.getMessage(commits, place);
      assert.ok(before);
      const table = new MemoryTable();
      const first = drain(streams, plan, table, { positionIn: 'sink' });
      await diesWithoutTheAnswer(first, table);
      const begun = await streams.getMessage(commits, place);
      assert.ok(begun);
      const { to, chain } = decodeCommitEntry(before.data, { stream: commits, sequence: before.seq });
      const wentBack = JSON.stringify({ kind: 'commit', to, chain });
      await streams.publish(place.last_by_subj, wentBack, { expectLast: begun.seq });
      const next = drain(streams, plan, table, { positionIn: 'sink' });
      await drained(plan);
      assert.deepEqual(
        [ids(table), (await deadLetters(plan)).map(numberOf)],
        [numbers(20).filter((n) => n % 4 !== 1), numbers(20).filter((n) => n % 4 === 1)],
      );
      await next.stop();
    });

    it('that another owner has placed ends the one that meets it', async () => {
      const { plan, table } = await wentBack();
      const witness = new Witness();
      const running = { stop: new AbortController().signal, abort: new AbortController().signal };
      const { pid } = plan.pipeline;
      const sinkSlot = table.slot('sink');
      assert.equal(sinkSlot.positionIn, 'sink');
      const fenced = mr('MR_OWNERSHIP_LOST', { writer: 'the log', expected: 1 });
      const recovering = recoverPosition({
        ...{ streams, pipeline: plan.pipeline, stage: 'sink-warehouse', sink: 'warehouse', slot: 0 },
        ...{ clock: eagerClock, random: () => 0.5, observer: witness, signals: running },
        sinkSlot: { ...sinkSlot, onPositionLost: 'Reread' },
        stream: edgeStream(pid, 'main'),
        tokenPrefix: table.positionToken.split(':').slice(0, 2).join(':'),
        log: {
          ...{ last: undefined, committed: table.position + 1, sequence: 7 },
          claim: () => Promise.resolve(),
          place: () => Promise.reject(fenced),
          append: () => Promise.reject(fenced),
        },
        headsAt: () => Promise.resolve({}),
        holds: () => Promise.resolve(false),
      });
      await assert.rejects(recovering, fenced);
      assert.deepEqual(witness.connections, []);
    });

    it('goes on by itself when the sink is restored', async () => {
      const { plan, table } = await wentBack();
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => slot.witness.connections.includes('MR_SINK_POSITION_LOST'));
      table.position = await committedOf(streams, plan.pipeline.pid, 'sink-warehouse', 0);
      await write(plan, 50, undefined, 50, 300);
      await drained(plan);
      assert.deepEqual(ids(table).slice(-50), numbers(350).slice(-50));
      await slot.stop();
    });

    it('is gone on from when a person says Reread: what the edge still holds is written once', async () => {
      const { plan, table } = await wentBack();
      table.onPositionLost = 'Reread';
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      await write(plan, 50, undefined, 50, 300);
      await eventually(() => table.rows.length === 350);
      assert.deepEqual(ids(table), numbers(350));
      await slot.stop();
    });

    it('is set to that of the log when a person says Continue: what is missing stays missing', async () => {
      const { plan, table, kept } = await wentBack();
      table.onPositionLost = 'Continue';
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      await write(plan, 50, undefined, 50, 300);
      await drained(plan);
      assert.deepEqual(ids(table), [...numbers(kept), ...numbers(350).slice(-50)]);
      await slot.stop();
    });

    it('of another incarnation of the stream stops the slot', async () => {
      const plan = await pipeline();
      const table = new MemoryTable();
      const first = drain(streams, plan, table, { positionIn: 'sink' });
      await write(plan, 100);
      await drained(plan);
      await first.stop();
      table.positionToken = `${plan.pipeline.uid}:other:sink-warehouse:0:1-4`;
      const { writes } = table;
      await write(plan, 200, undefined, 50, 100);
      const slot = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => slot.witness.connections.includes('MR_SINK_POSITION_LOST'));
      assert.equal(table.writes, writes);
      table.onPositionLost = 'Reread';
      await slot.stop();
      const next = drain(streams, plan, table, { positionIn: 'sink' });
      await drained(plan);
      // What it has of this stream cannot be told: all that is left of it is read, and nothing is missing.
      assert.deepEqual(new Set(ids(table)), new Set(numbers(300)));
      assert.deepEqual(ids(table).slice(-200), numbers(300).slice(100));
      await next.stop();
    });
  });

  it('E10: a sink that keeps the position itself begins where it was registered, whatever it has from before', async () => {
    const plan = await pipeline();
    const table = new MemoryTable();
    table.position = 700;
    table.positionToken = `${plan.pipeline.uid}:before:sink-warehouse:0:1-700`;
    await write(plan, 300);
    const slot = drain(streams, plan, table, { positionIn: 'sink' });
    await drained(plan);
    assert.deepEqual(ids(table), numbers(300));
    await slot.stop();
  });

  it('another sink of the same edge has positions of its own', async () => {
    const plan = await pipeline({ sinks: ['warehouse', 'archive'] });
    await write(plan, 50);
    const [one, two] = [new MemoryTable(), new MemoryTable()];
    const slots: RunningSlot[] = [drain(streams, plan, one, { stage: 'sink-warehouse' })];
    await eventually(() => one.rows.length === 50);
    slots.push(drain(streams, plan, two, { stage: 'sink-archive' }));
    await drained(plan);
    assert.deepEqual([ids(one), ids(two)], [numbers(50), numbers(50)]);
    await Promise.all(slots.map((slot) => slot.stop()));
  });

  async function pipeline(options: { sinks?: readonly string[]; deadBytes?: number } = {}): Promise<Plan> {
    const base = testPlan({ shards: 1, batch: { maxRecords: 400, maxBytes: 2 ** 20, maxDelayMs: 20 }, ...options });
    const plan =
      options.deadBytes === undefined
        ? base
        : { ...base, deadLetters: { maxBytes: options.deadBytes, whenFull: 'Block' as const } };
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  /** `perFrame: 0` writes that many frames without records. */
  async function write(
    plan: Plan,
    count: number,
    record = (n: number) => JSON.stringify({ n }),
    perFrame = 50,
    first = 0,
    place = { shard: 0, writer: 'orders-0' },
  ): Promise<void> {
    const writer = await EdgeWriter.open(
      {
        streams,
        pid: plan.pipeline.pid,
        edge: 'main',
        ...place,
        clock: eagerClock,
        random: () => 0.5,
      },
      never,
    );
    for (let n = 0; n < count; n += Math.max(1, perFrame)) {
      const values = Array.from({ length: Math.min(perFrame, count - n) }, (_, index) => record(first + n + index));
      await writer.append(frameOf(values, first + n, writer.link(1)), never);
    }
  }

  function drained(plan: Plan) {
    return eventually(async () => (await isDrained(streams, plan)).drained);
  }

  async function deadLetters(plan: Plan): Promise<readonly DeadLetter[]> {
    return (await readDeadLetters(streams, plan.pipeline.pid, { limit: 10_000 })).letters;
  }
});

/** The same pipeline with batches of another size. */
function cutting(plan: Plan, maxRecords: number): Plan {
  const stages = plan.stages.map((stage) =>
    stage.kind === 'sink' ? { ...stage, batch: { ...stage.batch, maxRecords } } : stage,
  );
  return { ...plan, stages };
}

/** A sink for whose table every fourth record, from this one on, makes no row. */
function withoutEvery(rest: number): NonNullable<DrainOptions['wrap']> {
  class Rows extends MemoryRows {
    override add(value: RecordObject, meta: RecordMeta): void {
      super.add(Number(value['n']) % 4 === rest ? { ...value, misfit: true } : value, meta);
    }
  }
  return (slot) => ({ ...slot, newRows: () => new Rows() });
}

function goneBackToNothing(table: MemoryTable): void {
  Object.assign(table, { position: 0, positionToken: '' });
  table.rows.length = 0;
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const ids = (table: MemoryTable) => table.rows.map(({ value }) => value['n']);
const numberOf = (letter: DeadLetter) => (JSON.parse(Buffer.from(letter.value ?? []).toString()) as { n: number }).n;

/** The process dies at its `nth` publish or write: either that did not happen, or it did and nobody heard of it. */
function crashing(streams: Streams, nth: number, when: 'before' | 'after', table: MemoryTable) {
  let steps = 0;
  let dead = false;
  let crash: () => void = () => undefined;
  const crashed = new Promise<void>((resolve) => (crash = resolve));
  const die = () => {
    dead = true;
    crash();
    return new Promise<never>(() => undefined);
  };
  const publish: Streams['publish'] = async (...args) => {
    const isLast = steps++ === nth;
    if (dead || (isLast && when === 'before')) return die();
    const ack = await streams.publish(...args);
    return isLast ? die() : ack;
  };
  table.beforeWrite = async () => {
    if (dead || (steps++ === nth && when === 'before')) await die();
  };
  table.afterWrite = async () => {
    if (steps - 1 === nth && when === 'after') await die();
  };
  return {
    streams: { ...streams, publish },
    crashed,
    end() {
      dead = true;
      table.beforeWrite = undefined;
      table.afterWrite = undefined;
    },
  };
}

/** What waits for a minute or longer waits for 20 ms, after which a minute has passed. */
/** The eager clock, and which of its timers are set. */
function clockWithTimers(): { readonly clock: Clock; readonly timers: ReadonlySet<object> } {
  const timers = new Set<object>();
  const after: Clock['after'] = (ms, act) => {
    const timer = {};
    timers.add(timer);
    const cancel = eagerClock.after(ms, () => (timers.delete(timer), act()));
    return () => (timers.delete(timer), cancel());
  };
  return { clock: { ...eagerClock, after }, timers };
}

function minutesPassAtOnce(): Clock {
  let skippedMs = 0;
  return {
    ...eagerClock,
    monotonic: () => eagerClock.monotonic() + skippedMs,
    after(ms, act) {
      if (ms < 60_000) return eagerClock.after(ms, act);
      return eagerClock.after(20, () => {
        skippedMs += ms;
        act();
      });
    },
  };
}

/** Ends when its batch is stored, and before it hears of that. */
async function diesWithoutTheAnswer(slot: RunningSlot, table: MemoryTable): Promise<void> {
  table.afterWrite = async () => {
    if (table.rows.length === 0) return;
    slot.abort();
    throw new Error('the answer is lost');
  };
  await assert.rejects(slot.done);
  table.afterWrite = undefined;
}
