/** Sources that have left an edge and are put back, on a real nats-server. */
import { deepEqual, equal, partialDeepStrictEqual, rejects } from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { edgeStream, frameSubject } from '../../model/names.ts';
import type { IngestorStage, Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { isDrained } from '../../stream/drained.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { registerPlan } from '../../stream/members.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { readRegistry } from '../../stream/registry.ts';
import { beginLeaving, finishLeaving } from '../../stream/retire.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { cutAfter } from './support/cut-after.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { comeBack, leave, withoutSources } from './support/leaving.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';
import { testPlan, withTestServer } from './support/server.ts';

describe('a source that is put back', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number, port: JetStreamPort = streams) => ({ streams: port, opSeq, clock: eagerClock });

  /** What a pipeline of one source has in its table. */
  class Pipeline {
    readonly plan = testPlan({ shards: 1, sourceSlots: 2 });
    readonly table = new MemoryTable();
    /** Records that each slot of the source has. */
    available = 0;
    #sink: RunningSlot | undefined;

    async start(): Promise<this> {
      await ensurePipelineStreams(streams, this.plan);
      this.#sink = drain(streams, this.plan, this.table);
      return this;
    }

    get pid(): string {
      return this.plan.pipeline.pid;
    }

    at(generation: number, changed: Partial<IngestorStage> = {}): Plan {
      const stages = this.plan.stages.map((stage) => (stage.kind === 'ingestor' ? { ...stage, ...changed } : stage));
      return { ...this.plan, pipeline: { ...this.plan.pipeline, generation }, stages };
    }

    /** All slots of the source read all that they have. */
    async readUpTo(available: number, plan: Plan = this.plan): Promise<void> {
      this.available = available;
      const slots = [0, 1].map((slot) => this.read(slot, plan));
      await eventually(() => slots.every(({ witness }) => witness.last === available));
      await Promise.all(slots.map((slot) => slot.stop()));
      await eventually(async () => (await isDrained(streams, plan)).drained);
    }

    read(slot: number, plan: Plan = this.plan): RunningSlot {
      const record = (n: number) => ({ value: JSON.stringify({ n: `${slot}/${n}` }), offset: BigInt(n) });
      return ingest(
        streams,
        plan,
        (position) => new NumberSource(position, { available: () => this.available, record }),
        slot,
      );
    }

    leave(opSeq: number, generation: number, port: JetStreamPort = streams): Promise<void> {
      return leave(act(opSeq, port), withoutSources(this.plan, generation));
    }

    async back(opSeq: number, generation: number, port: JetStreamPort = streams): Promise<Plan> {
      const plan = this.at(generation);
      await comeBack(act(opSeq, port), plan);
      return plan;
    }

    get values(): string[] {
      return this.table.rows.map(({ value }) => z.string().parse(value['n'])).sort();
    }

    async stop(): Promise<void> {
      await this.#sink?.stop();
    }
  }

  const each = (upTo: number) =>
    [0, 1].flatMap((slot) => Array.from({ length: upTo }, (_, n) => `${slot}/${n}`)).sort();
  const cut = (attempt: Promise<unknown>) =>
    attempt.then(
      () => false,
      (error: unknown) => {
        if (error instanceof Error && error.message === 'cut') return true;
        throw error;
      },
    );

  it('B1: reads on, however often it comes and goes', async () => {
    const pipeline = await new Pipeline().start();
    await pipeline.readUpTo(20);
    for (const round of [1, 2, 3]) {
      await pipeline.leave(2 * round, 2 * round);
      const plan = await pipeline.back(2 * round + 1, 2 * round + 1);
      await pipeline.readUpTo(20 + 10 * round, plan);
    }
    await pipeline.stop();
    deepEqual(pipeline.values, each(50));
  });

  it('B1: reads on, wherever its leaving was cut', async () => {
    for (let writes = 0, isCut = true; isCut; writes++) {
      const pipeline = await new Pipeline().start();
      await pipeline.readUpTo(5);
      isCut = await cut(pipeline.leave(2, 2, cutAfter(streams, writes)));
      await pipeline.leave(2, 2);
      await pipeline.readUpTo(8, await pipeline.back(3, 3));
      await pipeline.stop();
      deepEqual(pipeline.values, each(8), `cut after ${writes} writes`);
    }
  });

  it('B1: reads on, wherever its leaving was cut when it is to stay after all', async () => {
    for (let writes = 0, isCut = true; isCut; writes++) {
      const pipeline = await new Pipeline().start();
      await pipeline.readUpTo(5);
      isCut = await cut(pipeline.leave(2, 2, cutAfter(streams, writes)));
      await pipeline.readUpTo(8, await pipeline.back(3, 3));
      await pipeline.stop();
      deepEqual(pipeline.values, each(8), `cut after ${writes} writes`);
    }
  });

  it('B1: reads on, wherever its return was cut', async () => {
    for (let writes = 0, isCut = true; isCut; writes++) {
      const pipeline = await new Pipeline().start();
      await pipeline.readUpTo(5);
      await pipeline.leave(2, 2);
      isCut = await cut(pipeline.back(3, 3, cutAfter(streams, writes)));
      await pipeline.readUpTo(8, await pipeline.back(3, 3));
      await pipeline.stop();
      deepEqual(pipeline.values, each(8), `cut after ${writes} writes`);
    }
  });

  it('B1: stands where it stood last, although an act that slept writes its first frame from before', async () => {
    const pipeline = await new Pipeline().start();
    await pipeline.readUpTo(5);
    await pipeline.leave(2, 2);
    let wake: (() => void) | undefined;
    const sleeper: JetStreamPort = {
      ...streams,
      publish: async (subject, ...rest) => {
        if (subject === frameSubject(pipeline.pid, 'main', 0, 'orders-0')) {
          await new Promise<void>((resolve) => (wake = resolve));
        }
        return streams.publish(subject, ...rest);
      },
    };
    const slept = pipeline.back(3, 3, sleeper);
    await eventually(() => wake !== undefined);
    await pipeline.readUpTo(8, await pipeline.back(3, 3));
    await pipeline.leave(4, 4);
    wake?.();
    await rejects(slept, { code: 'MR_OPERATION_FENCED' });
    await pipeline.readUpTo(11, await pipeline.back(5, 5));
    await pipeline.stop();
    deepEqual(pipeline.values, each(11));
  });

  it('B2: a slot that had read nothing begins like a new one', async () => {
    const pipeline = await new Pipeline().start();
    pipeline.available = 5;
    const slot = pipeline.read(0);
    await eventually(() => slot.witness.last === 5);
    await slot.stop();
    await pipeline.leave(2, 2);
    await pipeline.readUpTo(8, await pipeline.back(3, 3));
    await pipeline.stop();
    deepEqual(pipeline.values, each(8));
  });

  it('B2: a slot that had lost frames which a sink has taken asks a person', async () => {
    const pipeline = await new Pipeline().start();
    await pipeline.readUpTo(20);
    await streams.purgeStream(edgeStream(pipeline.pid, 'main'), {
      filter: frameSubject(pipeline.pid, 'main', 0, 'orders-0'),
    });
    const without = withoutSources(pipeline.plan, 2);
    await registerPlan(act(2), without);
    await announcePlan(streams, without);
    await beginLeaving(act(2), without);
    await finishLeaving(act(2), without);
    const plan = await pipeline.back(3, 3);
    const [lost, whole] = [pipeline.read(0, plan), pipeline.read(1, plan)];
    await eventually(() => lost.witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'));
    pipeline.available = 25;
    await eventually(() => whole.witness.last === 25);
    await Promise.all([lost, whole].map((slot) => slot.stop()));
    await pipeline.stop();
  });

  for (const [what, changed, had] of [
    ['other slots', { slots: 3 }, /3 slots: it left with connector generator and 2 slots/],
    ['another connector', { connector: 'http' }, /connector http and 2 slots: it left with connector generator/],
  ] as const) {
    it(`Q3: is refused with ${what}, before anything is stored`, async () => {
      const pipeline = await new Pipeline().start();
      await pipeline.readUpTo(5);
      await pipeline.leave(2, 2);
      const registry = await readRegistry(streams, pipeline.pid, 'main');
      await rejects(registerPlan(act(3), pipeline.at(3, changed)), {
        code: 'MR_SOURCE_RETURNS_OTHER',
        message: had,
      });
      deepEqual(await readRegistry(streams, pipeline.pid, 'main'), registry);
      await pipeline.readUpTo(8, await pipeline.back(4, 4));
      await pipeline.stop();
      deepEqual(pipeline.values, each(8));
    });
  }

  it('B3: has a name that is free when it had read nothing', async () => {
    const pipeline = await new Pipeline().start();
    await pipeline.leave(2, 2);
    await registerPlan(act(3), pipeline.at(3, { connector: 'http', slots: 3 }));
    partialDeepStrictEqual(await readRegistry(streams, pipeline.pid, 'main'), { sources: { orders: { slots: 3 } } });
    equal((await readRegistry(streams, pipeline.pid, 'main'))?.kept['orders'], undefined);
    await pipeline.stop();
  });

  for (const choice of ['accept-loss', 'reread'] as const) {
    it(`reads on also when the edge was lost while it was away, and made again by ${choice}`, async () => {
      const pipeline = await new Pipeline().start();
      await pipeline.readUpTo(5);
      await pipeline.leave(2, 2);
      const without = withoutSources(pipeline.plan, 2);
      const known = await streamsFound(streams, without);
      await streams.deleteStream(edgeStream(pipeline.pid, 'main'));
      const decision = parseDecision(`main.lost=${choice}`);
      if (decision === undefined) throw new TypeError('a decision');
      await carryOut({ ...act(2), replicas: 1, cluster: 'test', known }, without, decision);
      await pipeline.readUpTo(8, await pipeline.back(3, 3));
      await pipeline.stop();
      deepEqual(pipeline.values, each(8));
    });
  }

  it('keeps its position before a frame of it goes', async () => {
    const pipeline = await new Pipeline().start();
    await pipeline.readUpTo(5);
    const without = withoutSources(pipeline.plan, 2);
    await registerPlan(act(2), without);
    await beginLeaving(act(2), without);
    const order: string[] = [];
    const port: JetStreamPort = {
      ...streams,
      purgeStream: async (stream, ...rest) => {
        const kept = (await readRegistry(streams, pipeline.pid, 'main'))?.kept['orders'];
        if (stream === edgeStream(pipeline.pid, 'main')) order.push(JSON.stringify(kept));
        return streams.purgeStream(stream, ...rest);
      },
    };
    await finishLeaving(act(2, port), without);
    const kept = {
      connector: 'generator',
      slots: [0, 1].map(() => ({ stood: 'at', position: 5 })),
    };
    deepEqual(
      order,
      [kept, kept].map((one) => JSON.stringify(one)),
    );
    await pipeline.stop();
  });
});
