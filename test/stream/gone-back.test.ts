/**
 * The disk of nats-server goes back to an earlier moment, as after a snapshot that was restored, or a loss of power under a
 * server that does not wait for its disk. What was acknowledged since then is gone; what comes afterwards must arrive.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, streamsFound } from '../../stream/decide.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { startTestServer, testPlan, type TestServer } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

describe('nats-server has gone back', () => {
  let server: TestServer;
  let streams: Streams;
  let kept: string;
  beforeEach(async () => {
    server = await startTestServer();
    streams = await server.connect();
    kept = await mkdtemp(join(tmpdir(), 'millrace-kept-'));
  });
  afterEach(async () => {
    await server.stop();
    await rm(kept, { recursive: true, force: true });
  });

  const whileDown = async (act: () => Promise<void>) => {
    await server.crash();
    await act();
    await server.start();
    await eventually(() => streams.streamNames('>'));
  };

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
        await whileDown(() => cp(server.dir, kept, { recursive: true }));
        total = 20;
        await through('a19');
        await whileDown(async () => {
          await rm(server.dir, { recursive: true });
          await cp(kept, server.dir, { recursive: true });
        });
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
