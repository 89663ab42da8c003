/**
 * The disk of nats-server goes back to an earlier moment, as after a snapshot that was restored, or a loss of power under a
 * server that does not wait for its disk. What was acknowledged since then is gone; what comes afterwards must arrive.
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { testPlan } from './support/server.ts';
import { drain, eagerClock, edgeFrames, ingest, type RunningSlot } from './support/stages.ts';

describe('nats-server has gone back', () => {
  let streams: Streams;
  const disk = withDisk((connected) => {
    streams = connected;
  });

  const one = { maxRecords: 1, maxBytes: 1_000 };
  const upTo = (label: string, from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `${label}${from + n}`);

  for (const positionIn of ['commitLog', 'sink'] as const) {
    for (const choice of [undefined, 'accept-loss', 'reread'] as const) {
      const also = choice === undefined ? 'all of it' : `and the commits are lost: ${choice}`;
      it(`I6: ${also}; a sink with its position in the ${positionIn} takes each record that comes afterwards once`, async () => {
        const plan = testPlan({
          shards: 1,
          sourceSlots: 1,
          frame: { ...one, lingerMs: 1 },
          batch: { ...one, maxDelayMs: 1 },
        });
        const table = new MemoryTable();
        const values = () => table.rows.map(({ value }) => z.string().parse(value['n']));
        // As with HTTP, what comes after the loss is other records, in frames that have the numbers of those that are lost.
        let label = 'a';
        let total = 10;
        const start = (): readonly RunningSlot[] => [
          ingest(streams, plan, (position) => {
            const record = (n: number) => ({ value: JSON.stringify({ n: `${label}${n}` }), offset: BigInt(n) });
            return new NumberSource(position, { batch: 1, available: () => total, record });
          }),
          drain(streams, plan, table, { positionIn }),
        ];
        const through = async (last: string) => {
          const slots = start();
          await eventually(async () => values().includes(last) && (await isDrained(streams, plan)).drained);
          await Promise.all(slots.map((slot) => slot.stop()));
        };

        await ensurePipelineStreams(streams, plan);
        const known = await streamsFound(streams, plan);
        await through('a9');
        await disk.save('all');
        total = 20;
        await through('a19');
        await disk.restore('all');
        const decide = async (text: string) => {
          const decision = parseDecision(text);
          assert.ok(decision);
          const act = { streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known };
          await carryOut(act, plan, decision);
        };
        if (choice !== undefined) {
          await streams.deleteStream(edgeStream(plan.pipeline.pid, commitsEdge));
          await decide(`commits.lost=${choice}`);
        }
        label = 'b';
        total = 25;
        const slots = start();
        const answered = new Set<string>();
        await eventually(async () => {
          await answerAll(plan, slots, answered, decide);
          return values().includes('b24') && (await isDrained(streams, plan)).drained;
        });
        await Promise.all(slots.map((slot) => slot.stop()));
        assert.deepEqual(
          values().filter((value) => value.startsWith('b')),
          upTo('b', 10, 25),
        );
      });
    }
  }

  for (const positionIn of ['commitLog', 'sink'] as const) {
    for (const isReadAgain of [true, false]) {
      const then = isReadAgain
        ? 'and their source has read them again: accept-loss writes nothing twice'
        : 'and nothing has come since: with accept-loss their source writes them once more, as the question says';
      it(`K7: the edge alone, with frames that a sink with its position in the ${positionIn} has written and not committed, ${then}`, async () => {
        const plan = testPlan({
          shards: 1,
          sourceSlots: 1,
          frame: { ...one, lingerMs: 1 },
          batch: { maxRecords: 1, maxBytes: 1_000_000, maxDelayMs: 1 },
        });
        const { pid } = plan.pipeline;
        const table = new MemoryTable();
        const values = () => table.rows.map(({ value }) => z.number().parse(value['n']));
        const start = (total: number) =>
          ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => total }));
        const isDry = async () => (await isDrained(streams, plan)).drained;
        const stored = async () => (await edgeFrames(streams, plan)).flatMap((frame) => frame.values).length;
        const numbers = (to: number, from = 0) => Array.from({ length: to - from }, (_, n) => from + n);
        await ensurePipelineStreams(streams, plan);
        const known = await streamsFound(streams, plan);

        const slots = [start(10), drain(streams, plan, table, { positionIn })];
        await eventually(async () => values().length === 10 && (await isDry()));
        await Promise.all(slots.map((slot) => slot.stop()));
        const store = storeOf(edgeStream(pid, 'main'));
        await disk.save('edge', store);

        const idle = start(11);
        const killed = new Promise<void>((resolve) => {
          table.afterWrite = () => {
            resolve();
            return new Promise(() => undefined);
          };
        });
        const first = drain(streams, plan, table, { positionIn });
        await killed;
        first.abort();
        table.afterWrite = undefined;
        await disk.restore('edge', store);
        assert.equal(await idle.done, 'fenced');
        assert.deepEqual(values(), numbers(11));

        const readAgain = isReadAgain ? start(11) : undefined;
        await eventually(async () => (await stored()) === (isReadAgain ? 11 : 10));
        await readAgain?.stop();
        const sink = drain(streams, plan, table, { positionIn });
        await eventually(() => sink.witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'));
        assert.match(
          sink.witness.waitSentences.join(),
          /what a source .* reads again counts as new and is written twice/,
        );
        assert.deepEqual(sink.witness.sentences, []);
        assert.deepEqual(values(), numbers(11));

        const decision = parseDecision('main.1=accept-loss');
        assert.ok(decision);
        await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
        const source = start(20);
        await eventually(async () => values().includes(19) && (await isDry()));
        assert.deepEqual(values(), [...numbers(11), ...numbers(20, isReadAgain ? 11 : 10)]);
        await Promise.all([source, sink].map((slot) => slot.stop()));
      });
    }
  }

  it('I8: a writer with nothing new to write finds out that frames are gone which nobody had read, and reads their records again', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1, frame: { ...one, lingerMs: 1 } });
    await ensurePipelineStreams(streams, plan);
    const start = (total: number) =>
      ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => total }));
    const stored = async () => (await edgeFrames(streams, plan)).flatMap(({ values }) => values).length;
    const first = start(10);
    await eventually(async () => (await stored()) === 10);
    await first.stop();
    await disk.save('all');
    const idle = start(20);
    await eventually(async () => (await stored()) === 20);
    await disk.restore('all');
    assert.equal(await idle.done, 'fenced');
    const next = start(20);
    await eventually(async () => (await stored()) === 20);
    await next.stop();
  });
});

/** A sink that asks is told to go on with what comes next. */
async function answerAll(
  { stages }: Plan,
  slots: readonly RunningSlot[],
  answered: Set<string>,
  decide: (text: string) => Promise<void>,
): Promise<void> {
  const asks = slots.some(
    ({ witness }) =>
      witness.connections.at(-1) === 'MR_SINK_POSITION_LOST' ||
      witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'),
  );
  if (!asks) return;
  const stage = stages.find(({ kind }) => kind === 'sink')?.name ?? '';
  for (const token of [`main.1`, `${stage}.1`]) {
    if (answered.has(token)) continue;
    try {
      await decide(`${token}=accept-loss`);
      answered.add(token);
    } catch (error) {
      assert.match(String(error), /no slot asks for it/);
    }
  }
}
