/**
 * The disk of nats-server goes back to an earlier moment, as after a snapshot that was restored, or a loss of power under a
 * server that does not wait for its disk. What was acknowledged since then is gone; what comes afterwards must arrive.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { startNats } from '../../local/parts/nats.ts';
import { freePort } from '../../local/ports.ts';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { connectStreams, type Streams } from '../../stream/connection.ts';
import { carryOut, streamsFound } from '../../stream/decide.ts';
import { ensurePipelineStreams, isDrained } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { testPlan } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

describe('nats-server has gone back', () => {
  const one = { maxRecords: 1, maxBytes: 1_000 };
  const upTo = (label: string, from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `${label}${from + n}`);

  for (const positionIn of ['commitLog', 'sink'] as const) {
    for (const choice of [undefined, 'accept-loss', 'reread'] as const) {
      const also = choice === undefined ? 'all of it' : `and the commits are lost: ${choice}`;
      it(`I6: ${also}; a sink with its position in the ${positionIn} takes each record that comes afterwards once`, async () => {
        const disk = await Disk.make();
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
        const start = (streams: Streams): readonly RunningSlot[] => [
          ingest(streams, plan, (position) => {
            const record = (n: number) => ({ value: JSON.stringify({ n: `${label}${n}` }), offset: BigInt(n) });
            return new NumberSource(position, { batch: 1, available: () => total, record });
          }),
          drain(streams, plan, table, { positionIn }),
        ];
        const through = async (streams: Streams, last: string) => {
          const slots = start(streams);
          await eventually(async () => values().includes(last) && (await isDrained(streams, plan)).drained);
          await Promise.all(slots.map((slot) => slot.stop()));
        };

        let streams = await disk.start();
        await ensurePipelineStreams(streams, plan);
        const known = await streamsFound(streams, plan);
        await through(streams, 'a9');
        streams = await disk.keep();
        total = 20;
        await through(streams, 'a19');
        streams = await disk.goBack();
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
        const slots = start(streams);
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
        await disk.remove();
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

/** A nats-server whose disk can be copied and put back. */
class Disk {
  readonly #at: { readonly dir: string; readonly copy: string; readonly port: number; readonly monitorPort: number };
  #nats: Awaited<ReturnType<typeof startNats>> | undefined;
  #streams: Streams | undefined;

  private constructor(at: { dir: string; copy: string; port: number; monitorPort: number }) {
    this.#at = at;
  }

  static async make(): Promise<Disk> {
    const folder = (what: string) => mkdtemp(join(tmpdir(), `millrace-nats-${what}-`));
    const [port, monitorPort] = [await freePort(), await freePort()];
    return new Disk({ dir: await folder('disk'), copy: await folder('copy'), port, monitorPort });
  }

  async start(): Promise<Streams> {
    const { dir, port, monitorPort } = this.#at;
    this.#nats = await startNats({ dir, port, monitorPort });
    const how = { name: 'test', reconnectTimeWaitMs: 50, requestTimeoutMs: 1_000 };
    return (this.#streams = await connectStreams({ url: this.#nats.url, ...how }));
  }

  /** As it is now. */
  async keep(): Promise<Streams> {
    await this.#stop();
    await cp(this.#at.dir, this.#at.copy, { recursive: true });
    return this.start();
  }

  /** To what was kept. */
  async goBack(): Promise<Streams> {
    await this.#stop();
    await rm(this.#at.dir, { recursive: true });
    await cp(this.#at.copy, this.#at.dir, { recursive: true });
    return this.start();
  }

  async remove(): Promise<void> {
    await this.#stop();
    for (const dir of [this.#at.dir, this.#at.copy]) await rm(dir, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    await this.#streams?.nc.close();
    await this.#nats?.stop();
  }
}
