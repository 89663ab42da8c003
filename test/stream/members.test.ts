import { JetStreamApiError } from '@nats-io/jetstream';
import { deepEqual, equal, ok, partialDeepStrictEqual, rejects } from 'node:assert/strict';
import { commitSubject, edgeStream, frameSubject } from '../../model/names.ts';
import type { IngestorStage, Plan } from '../../model/plan.ts';
import { announcePlan, readPlanInForce, readStoredPlan } from '../../stream/plan-store.ts';
import type { Streams } from '../../stream/connection.ts';
import { commitOf, isDrained } from '../../stream/drained.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { checkOf } from '../../stream/frame.ts';
import { registerPlan } from '../../stream/members.ts';
import { registerWriters } from '../../stream/register-writers.ts';
import { readRegistry } from '../../stream/registry.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import frames from './frames/v1.json' with { type: 'json' };
import { cutAfter } from './support/cut-after.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { eagerClock, ingestorOf } from './support/stages.ts';

const frameOfV1 = Buffer.from(frames['values, keys, headers and offsets'].base64, 'base64');
const stage = 'sink-warehouse';

const storeFull = new JetStreamApiError({
  code: 500,
  err_code: 10047,
  description: 'insufficient storage resources available',
});

describe('who takes part in an edge, on a real nats-server', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number, port: JetStreamPort = streams) => ({ streams: port, opSeq, clock: eagerClock });

  describe('of v0.1', () => {
    /** Ten frames, of which the sink has committed two. */
    async function setUpByV1(): Promise<Plan> {
      const plan = testPlan({ shards: 1, sourceSlots: 1 });
      const { pid } = plan.pipeline;
      await makePipelineStreams(streams, plan);
      let last = 0;
      for (let n = 0; n < 10; n++) {
        const subject = frameSubject(pid, 'main', 0, 'orders-0');
        ({ seq: last } = await streams.publish(subject, frameOfV1, { expectLast: last }));
      }
      await streams.publish(commitSubject(pid, stage, 0), JSON.stringify({ kind: 'commit', to: 2 }));
      return plan;
    }

    it('M3: wherever the registration is cut, the next attempt still reckons with pods of v0.1 and keeps commits', async () => {
      for (let cut = 0, isCut = true; isCut; cut++) {
        const plan = await setUpByV1();
        const { pid } = plan.pipeline;
        const next = numbered(plan, 2);
        isCut = await registerPlan(act(1, cutAfter(streams, cut)), next, { before: plan }).then(
          () => false,
          () => true,
        );
        if (isCut) equal(await readPlanInForce(streams, pid), undefined, `cut after ${cut} writes`);
        await registerPlan(act(1), next, { before: plan });
        partialDeepStrictEqual(await commitOf(streams, pid, stage, 0), { kind: 'commit', to: 2 });
        equal((await readPlanInForce(streams, pid))?.generation, 1);
      }
    });

    it('M3: what a sink has committed stays its position when the plan that is taken for the one before lacks it', async () => {
      const plan = await setUpByV1();
      const without = { ...plan, stages: plan.stages.filter(({ name }) => name !== stage) };
      await registerPlan(act(1), numbered(plan, 3), { before: numbered(without, 2) });
      partialDeepStrictEqual(await commitOf(streams, plan.pipeline.pid, stage, 0), { kind: 'commit', to: 2 });
    });

    it('N3: an edge is not drained while its writers are not registered yet', async () => {
      const plan = await setUpByV1();
      const next = numbered(plan, 2);
      await registerPlan(act(1), next, { before: plan });
      partialDeepStrictEqual(await isDrained(streams, next), { drained: false, behind: [{ stage, frames: 8 }] });
      await registerWriters(act(1), next);
      equal((await isDrained(streams, next)).drained, false);
    });

    it('N3: nor by a source that the new plan has no more', async () => {
      const plan = await setUpByV1();
      const next = numbered({ ...plan, stages: plan.stages.filter(({ kind }) => kind === 'sink') }, 2);
      await registerPlan(act(1), next, { before: plan });
      equal((await isDrained(streams, next)).drained, false);
    });

    describe('Q2: a source that v0.1 has left behind', () => {
      const withOther = (plan: Plan, changed: Partial<IngestorStage> = {}): Plan => {
        const orders = ingestorOf(plan);
        const stages = [{ ...orders, ...changed, name: 'ingestor-other', source: 'other' }, ...plan.stages];
        return { ...plan, stages };
      };

      /** Ten frames of `orders` are there, which v0.1 has removed. */
      async function leftBehind() {
        const plan = await setUpByV1();
        const sinksOnly = { ...plan, stages: plan.stages.filter(({ kind }) => kind === 'sink') };
        const other = withOther(plan);
        const without = { ...other, stages: other.stages.filter(({ name }) => name !== 'ingestor-orders') };
        return { plan, sinksOnly, without };
      }

      for (const connector of ['generator', 'kafka']) {
        it(`does not get its name back with connector ${connector} by the edit that ends v0.1`, async () => {
          const { plan, without } = await leftBehind();
          const { pid } = plan.pipeline;
          const back = numbered(withSource(plan, { connector }), 2);
          await rejects(registerPlan(act(1), back, { before: without }), { code: 'MR_SOURCE_NOT_GONE' });
          equal(await readStoredPlan(streams, pid, 2), undefined);
          equal(await readRegistry(streams, pid, 'main'), undefined);
        });

        it(`nor by a later one, until its frames have gone`, async () => {
          const { plan, sinksOnly, without } = await leftBehind();
          const { pid } = plan.pipeline;
          await registerPlan(act(1), numbered(sinksOnly, 2), { before: without });
          const back = numbered(withSource(plan, { connector }), 3);
          await rejects(registerPlan(act(2), back), { code: 'MR_SOURCE_NOT_GONE', message: /connector unknown/ });
          await beginLeaving(act(2), numbered(sinksOnly, 2));
          await finishLeaving(act(2), numbered(sinksOnly, 2));
          await registerWriters(act(2), numbered(sinksOnly, 2));
          await announcePlan(streams, numbered(sinksOnly, 2));
          await registerPlan(act(3), back);
          partialDeepStrictEqual(await readRegistry(streams, pid, 'main'), { sources: { orders: { leaving: false } } });
        });
      }

      for (const [what, changed] of [
        ['another connector', { connector: 'kafka' }],
        ['other slots', { slots: 3 }],
      ] as const) {
        it(`nor does one that is running become one with ${what}, also when an attempt was cut`, async () => {
          const plan = await setUpByV1();
          const next = numbered(withSource(plan, changed), 2);
          await rejects(registerPlan(act(1), next, { before: plan }), { code: 'MR_SOURCE_NOT_GONE' });
          await rejects(registerPlan(act(1, cutAfter(streams, 3)), numbered(plan, 2), { before: plan }));
          const later = numbered(withSource(plan, changed), 3);
          await rejects(registerPlan(act(2), later, { before: plan }), { code: 'MR_SOURCE_NOT_GONE' });
        });
      }

      it('is no reason against a source of another name', async () => {
        const plan = await setUpByV1();
        await registerPlan(act(1), numbered(withOther(plan), 2), { before: plan });
        equal((await readPlanInForce(streams, plan.pipeline.pid))?.generation, 1);
      });
    });

    it('M4: what the edit removes that ends v0.1 is read to its end, and its frames go', async () => {
      const plan = await setUpByV1();
      const { pid } = plan.pipeline;
      const next = numbered({ ...plan, stages: plan.stages.filter(({ kind }) => kind === 'sink') }, 2);
      await registerPlan(act(1), next, { before: plan });
      // Its pods are gone.
      await registerWriters(act(1), next);
      await announcePlan(streams, next);
      await beginLeaving(act(1), next);
      partialDeepStrictEqual(await unfinished(streams, next), [{ stage }]);
      const { last_seq: to } = (await streams.streamInfo(edgeStream(pid, 'main'))).state;
      await streams.publish(commitSubject(pid, stage, 0), JSON.stringify({ kind: 'commit', to }));
      equal((await unfinished(streams, next)).length, 0);
      await finishLeaving(act(1), next);
      deepEqual((await readRegistry(streams, pid, 'main'))?.sources, {});
      equal(
        await streams.getMessage(edgeStream(pid, 'main'), { last_by_subj: frameSubject(pid, 'main', 0, 'orders-0') }),
        null,
      );
    });
  });

  describe('a source that comes back', () => {
    const others: readonly (readonly [string, Partial<IngestorStage>])[] = [
      ['fewer slots', { slots: 2 }],
      ['more slots', { slots: 5 }],
      ['another connector', { connector: 'kafka' }],
    ];

    for (const [what, changed] of others) {
      it(`Q1: with ${what} is refused before anything is stored, when nobody has seen that it was away`, async () => {
        const plan = await registered();
        const { pid } = plan.pipeline;
        await rejects(registerPlan(act(3), numbered(withSource(plan, changed), 3)), { code: 'MR_SOURCE_NOT_GONE' });
        equal(await readStoredPlan(streams, pid, 3), undefined);
        partialDeepStrictEqual(await readRegistry(streams, pid, 'main'), { sources: { orders: { slots: 4 } } });
      });

      it(`Q1: with ${what} is refused while what it was is leaving, and begins when that has left without having read anything`, async () => {
        const plan = await registered();
        const without = numbered({ ...plan, stages: plan.stages.filter(({ kind }) => kind === 'sink') }, 2);
        const back = numbered(withSource(plan, changed), 3);
        await registerPlan(act(2), without);
        await announcePlan(streams, without);
        await beginLeaving(act(2), without);
        await rejects(registerPlan(act(3), back), { code: 'MR_SOURCE_NOT_GONE' });
        await finishLeaving(act(4), without);
        await registerPlan(act(5), back);
        const { slots = 4 } = changed;
        partialDeepStrictEqual(await readRegistry(streams, plan.pipeline.pid, 'main'), {
          sources: { orders: { slots, leaving: false } },
        });
      });
    }

    it('Q1: as it was stays', async () => {
      const plan = await registered();
      const without = numbered({ ...plan, stages: plan.stages.filter(({ kind }) => kind === 'sink') }, 2);
      await registerPlan(act(2), without);
      await beginLeaving(act(2), without);
      await registerPlan(act(3), numbered(plan, 3));
      partialDeepStrictEqual(await readRegistry(streams, plan.pipeline.pid, 'main'), {
        sources: { orders: { slots: 4, leaving: false } },
      });
    });
  });

  describe('generations that are counted again', () => {
    const used = { code: 'MR_GENERATION_USED', message: /generations up to 4/ };

    async function upTo4(): Promise<Plan> {
      const plan = await registered();
      for (const generation of [2, 4]) {
        await registerPlan(act(generation), withTopic(plan, generation, `orders-${generation}`));
        await announcePlan(streams, withTopic(plan, generation, `orders-${generation}`));
      }
      return plan;
    }

    for (const [what, generation] of [
      ['under a number that an older plan has', 2],
      ['under a number that no plan has, below the one in force', 3],
      ['under the number of the plan in force', 4],
    ] as const) {
      it(`P4: another plan ${what} is refused, and nothing changes`, async () => {
        const plan = await upTo4();
        const { pid } = plan.pipeline;
        const stored = await readStoredPlan(streams, pid, generation);
        await rejects(registerPlan(act(9), withTopic(plan, generation, 'edited')), used);
        partialDeepStrictEqual([await readStoredPlan(streams, pid, generation)], [stored]);
      });
    }

    it('P4: the plan in force again is no other, and the next number is free', async () => {
      const plan = await upTo4();
      await registerPlan(act(9), withTopic(plan, 4, 'orders-4'));
      await registerPlan(act(9), withTopic(plan, 5, 'edited'));
      partialDeepStrictEqual(await readStoredPlan(streams, plan.pipeline.pid, 5), withTopic(plan, 5, 'edited'));
    });

    it('P4: what another release makes of the same spec is not refused, and does not replace what is stored', async () => {
      const plan = await upTo4();
      const { pid } = plan.pipeline;
      const stored = await readStoredPlan(streams, pid, 4);
      await registerPlan({ ...act(9), release: 'millrace:next' }, withTopic(plan, 4, 'compiled otherwise'));
      partialDeepStrictEqual([await readStoredPlan(streams, pid, 4)], [stored]);
    });
  });

  it('F1: a new source has a place in an edge that is full of what nobody reads before it has one', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1, edgeBytes: 4_000 });
    const { pid } = plan.pipeline;
    await makePipelineStreams(streams, plan);
    await registerPlan(act(1), plan);
    await fill(frameSubject(pid, 'main', 0, 'orders-0'));
    const before = await streams.streamInfo(edgeStream(pid, 'main'));
    await registerPlan(act(2), withLate(plan));
    deepEqual(Object.keys((await readRegistry(streams, pid, 'main'))?.sources ?? {}), ['orders', 'late']);
    const after = await streams.streamInfo(edgeStream(pid, 'main'));
    equal(after.state.messages, before.state.messages + 1);
    ok(after.config.max_bytes < before.config.max_bytes + 1_000, 'by one frame, and no more');
  });

  it('M5: a new source that finds no room keeps no new reader waiting: that one would keep the room from coming', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1, edgeBytes: 4_000 });
    const { pid } = plan.pipeline;
    await makePipelineStreams(streams, plan);
    await registerPlan(act(1), plan);
    await fill(frameSubject(pid, 'main', 0, 'orders-0'));
    const next = withLate(plan);
    const cannotGrow: JetStreamPort = { ...streams, updateStream: () => Promise.reject(storeFull) };
    await rejects(registerPlan(act(2, cannotGrow), next), { code: 'MR_STORE_FULL' });
    deepEqual((await readRegistry(streams, pid, 'main'))?.readers, [stage]);
    await registerPlan(act(2), next);
    deepEqual((await readRegistry(streams, pid, 'main'))?.readers, [stage, 'sink-late']);
  });

  it('T3: a new reader has noted the first frames of a source that comes with it, which is registered after it', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 2 });
    const { pid } = plan.pipeline;
    await makePipelineStreams(streams, plan);
    await registerPlan(act(1), plan);
    await registerPlan(act(2), withLate(plan));
    const entry = await commitOf(streams, pid, 'sink-late', 0);
    const noted = Object.entries(entry?.chain?.writers ?? {});
    deepEqual(noted.map(([writer]) => writer).sort(), ['late-0', 'late-1', 'orders-0', 'orders-1']);
    for (const [writer, [sequence, check]] of noted) {
      const last = await streams.getMessage(edgeStream(pid, 'main'), {
        last_by_subj: frameSubject(pid, 'main', 0, writer),
      });
      deepEqual([sequence, check], [last?.seq, checkOf(last?.data ?? new Uint8Array())], writer);
    }
  });

  async function fill(subject: string): Promise<void> {
    await rejects(async () => {
      for (;;) await streams.publish(subject, frameOfV1);
    });
    // To the last byte.
    await rejects(async () => {
      for (;;) await streams.publish(subject, '');
    });
  }

  async function registered(): Promise<Plan> {
    const plan = testPlan({ shards: 2, sourceSlots: 4 });
    await makePipelineStreams(streams, plan);
    await registerPlan(act(1), plan);
    return plan;
  }
});

function numbered(plan: Plan, generation: number): Plan {
  return { ...plan, pipeline: { ...plan.pipeline, generation } };
}

/** With one more source, and one more sink. */
function withLate(plan: Plan): Plan {
  const late = plan.stages.map((one) =>
    one.kind === 'ingestor'
      ? { ...one, name: 'ingestor-late', source: 'late' }
      : { ...one, name: 'sink-late', sink: 'late' },
  );
  return numbered({ ...plan, stages: [...plan.stages, ...late] }, 2);
}

function withSource(plan: Plan, changed: Partial<IngestorStage>): Plan {
  return { ...plan, stages: plan.stages.map((one) => (one.kind === 'ingestor' ? { ...one, ...changed } : one)) };
}

function withTopic(plan: Plan, generation: number, topic: string): Plan {
  const sources = { orders: { topic, schema: null } };
  const stages = plan.stages.map((one) => (one.kind === 'sink' ? { ...one, sources } : one));
  return numbered({ ...plan, stages }, generation);
}
