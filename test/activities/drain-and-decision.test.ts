import assert from 'node:assert/strict';
import { planText } from '../../activities/kubernetes/render/plan.ts';
import { placeOf } from '../../activities/spec.ts';
import {
  annotations,
  apiVersion,
  commitSubject,
  edgeStream,
  kind,
  labels,
  pidOf,
  questionSubject,
} from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { askFor, noteDecision, takeBack } from '../../stream/decisions.ts';
import { streamsFound } from '../../stream/carry-out.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { isDrained } from '../../stream/drained.ts';
import { headsAt } from '../../stream/reader-start.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { frameOf } from '../stream/support/frames.ts';
import { eagerClock } from '../stream/support/stages.ts';
import { testPlan, withTestServer } from '../stream/support/server.ts';
import { OddServer } from './odd-server.ts';
import { runActivity } from './run-activity.ts';

const cluster = 'c-1';
const namespace = 'default';

describe('a pipeline that is being deleted', function () {
  let streams: Streams;
  let server: OddServer;

  withTestServer((connected) => {
    streams = connected;
  });
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  interface Wanted {
    readonly deletionPolicy?: string;
    readonly decision?: string;
    /** Of a resource that is not being deleted: false. */
    readonly deleting?: boolean;
  }

  async function deleted(plan: Plan, { deletionPolicy = 'Drain', decision, deleting = true }: Wanted = {}) {
    const { name, uid, generation } = plan.pipeline;
    const workloads = plan.workloadNamespace;
    const known = await streamsFound(streams, plan);
    server.objects = new Map();
    server.changes.length = 0;
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    server.put('Namespace', { name: workloads, uid: `ns-${uid}`, labels: { [labels.pipelineUid]: uid } });
    const owned = { namespace: workloads, labels: { [labels.pipelineUid]: uid } };
    server.put(
      'ConfigMap',
      { ...owned, name: `plan-g${generation}`, uid: 'plan-1' },
      { data: { 'plan.json': planText(plan) } },
    );
    for (const stage of plan.stages)
      server.put(
        'Deployment',
        {
          ...{ namespace: workloads, name: stage.workload, uid: stage.name },
          labels: { ...owned.labels, [labels.stage]: stage.name },
          annotations: { [annotations.cluster]: cluster },
        },
        { spec: { replicas: 1, selector: { matchLabels: {} }, template: { metadata: { labels: {} }, spec: {} } } },
      );
    const marks = decision === undefined ? {} : { [annotations.decision]: decision };
    const metadata = { namespace, name, uid, generation, annotations: marks };
    const gone = deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
    const more = { apiVersion, spec: { isolation: 'Namespace', deletionPolicy }, status: { streams: known } };
    server.put(kind, { ...metadata, ...gone }, more);
  }

  const run = (plan: Plan, name: 'takeDecision' | 'waitDrained' | 'deleteStreams', on: Streams = streams) =>
    runAs('teardown', plan, name, { until: 'drainedOrImmediate' }, on);
  const stop = (plan: Plan, sinks: readonly string[]) =>
    runAs('stop', plan, 'waitDrained', { until: 'drained', sinks });

  const runAs = (
    during: 'teardown' | 'stop',
    plan: Plan,
    name: 'takeDecision' | 'waitDrained' | 'deleteStreams',
    input: object,
    on: Streams = streams,
  ) => {
    const { name: pipeline, uid } = plan.pipeline;
    const ref = { namespace, name: pipeline, uid, cluster };
    const place = { isolation: 'Namespace', workloadNamespace: plan.workloadNamespace };
    const more = { pipeline: ref, opSeq: 1, pid: plan.pipeline.pid, ...input, ...place };
    return runActivity(server.kube, ref, name, during, more, () => on);
  };
  const said = () => server.changes.map(({ body }) => body).join('\n');

  async function made(): Promise<Plan> {
    const { pipeline, ...rest } = testPlan({ shards: 1, sourceSlots: 1 });
    const pid = pidOf(pipeline.name, pipeline.uid);
    const workloadNamespace = placeOf('Namespace', pipeline, pid);
    const plan = { ...rest, pipeline: { ...pipeline, pid }, workloadNamespace };
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  const question = (plan: Plan) => ({
    ...{ streams, pid: plan.pipeline.pid, scope: 'sink-warehouse', who: 'sink-warehouse.0' },
    ...{ loss: '5: the sink was rolled back', after: 7 },
  });

  it('A4: makes no stream again that was deleted with it', async () => {
    const plan = await made();
    await deleted(plan, { decision: 'main.lost=accept-loss' });
    assert.equal(await run(plan, 'deleteStreams'), undefined);
    // As the status is afterwards.
    await deleted(plan, { decision: 'main.lost=accept-loss' });
    assert.equal(await run(plan, 'takeDecision'), undefined);
    assert.deepEqual(await streamsFound(streams, plan), []);
    assert.match(said(), /the pipeline is being deleted, and waits for no stream/);
  });

  it('A4: deleteStreams says beforehand that no stream is one that got lost', async () => {
    const plan = await made();
    await deleted(plan);
    await run(plan, 'deleteStreams');
    const [written] = server.changes;
    assert.match(written?.body ?? '', /"streams":\[\]/);
  });

  for (const deletionPolicy of ['Immediate', 'Orphan']) {
    for (const decision of ['main.lost=accept-loss', 'main.lost=reread', 'sink-warehouse.1=reread'])
      it(`A4: with ${deletionPolicy} nothing is decided any more: ${decision}`, async () => {
        const plan = await made();
        await askFor(question(plan));
        await deleted(plan, { decision, deletionPolicy });
        if (decision.startsWith('main')) await streams.deleteStream(edgeStream(plan.pipeline.pid, 'main'));
        const before = await streamsFound(streams, plan);
        assert.equal(await run(plan, 'takeDecision'), undefined);
        assert.deepEqual(await streamsFound(streams, plan), before);
        assert.match(said(), /is being deleted with `deletionPolicy: \w+`, which waits for nothing/);
      });
  }

  it('A4: a decision for which the drain waits is carried out', async () => {
    const plan = await made();
    await deleted(plan, { decision: 'main.lost=accept-loss' });
    await streams.deleteStream(edgeStream(plan.pipeline.pid, 'main'));
    assert.equal(await run(plan, 'takeDecision'), undefined);
    assert.equal((await streamsFound(streams, plan)).length, 3);
    assert.match(said(), /is carried out/);
  });

  it('waits with Drain while a sink asks a person, and names who asks and the command', async () => {
    const plan = await made();
    const asked = await askFor(question(plan));
    assert.deepEqual(asked, { kind: 'asked', token: 'sink-warehouse.1' });
    await deleted(plan);
    const waited = await run(plan, 'waitDrained');
    assert.match(String(waited), /sink-warehouse slot 0 asks how to continue/);
    assert.match(String(waited), /`millrace decide test -n default sink-warehouse\.1 reread` or `accept-loss`/);
  });

  it('is drained when the question was taken back, and when only a source asks', async () => {
    const plan = await made();
    const { who: _, ...rest } = question(plan);
    await askFor({ ...rest, scope: 'ingestor-orders', who: 'ingestor-orders.0' });
    await askFor(question(plan));
    const { sequence } = await lastOf(plan);
    await takeBack(question(plan), { sequence });
    await deleted(plan);
    assert.deepEqual(await run(plan, 'waitDrained'), { drained: true });
  });

  it('Q1: waits until the slot has acted upon the decision, and no longer, though the question is still stored', async () => {
    const plan = await made();
    const { pid } = plan.pipeline;
    const stream = edgeStream(pid, 'main');
    const { created } = await streams.streamInfo(stream);
    const commit = (decided: number) => {
      const chain = { edge: created, decided, since: 0, writers: {} };
      return streams.publish(commitSubject(pid, 'sink-warehouse', 0), JSON.stringify({ kind: 'commit', to: 0, chain }));
    };
    const { seq: after } = await commit(0);
    const asked = { ...question(plan), scope: 'main', until: 4, after };
    await askFor(asked);
    await noteDecision(streams, plan, { scope: 'main', number: 1, choice: 'accept-loss' });
    const { sequence } = await lastOf(plan);
    await deleted(plan);
    assert.match(String(await run(plan, 'waitDrained')), /sink-warehouse slot 0 asks/);
    await commit(sequence);
    assert.deepEqual(await run(plan, 'waitDrained'), { drained: true });
    // A former owner that was frozen asks once more about what another has acted upon (seed sinks:4142).
    await takeBack(asked, await lastOf(plan));
    await askFor(asked);
    assert.deepEqual(await run(plan, 'waitDrained'), { drained: true });
  });

  it('Q1: a slot that acts upon its decision between the looks is not taken for drained', async () => {
    const plan = await made();
    const { pid } = plan.pipeline;
    await writeOne(plan);
    const { created, state } = await streams.streamInfo(edgeStream(pid, 'main'));
    const shard = { pid, edge: plan.edges[0]!, shard: 0 };
    const commit = async (to: number) => {
      const writers = await headsAt(streams, shard, undefined, { registry: { sources: {} } }, to);
      const chain = { edge: created, decided: 0, since: to, writers };
      return streams.publish(commitSubject(pid, 'sink-warehouse', 0), JSON.stringify({ kind: 'commit', to, chain }));
    };
    await commit(state.last_seq);
    assert.deepEqual(await isDrained(streams, plan), { drained: true, behind: [] });
    await askFor(question(plan));
    const { sequence } = await lastOf(plan);
    await deleted(plan);
    const acting = new Proxy(streams, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== 'function') return found;
        if (name !== 'lastOfEach') return found.bind(target) as unknown;
        return async (...asked: Parameters<Streams['lastOfEach']>) => {
          if (asked[1] === questionSubject(pid, '*', '>')) {
            await commit(0);
            await takeBack(question(plan), { sequence });
          }
          return target.lastOfEach(...asked);
        };
      },
    });
    assert.match(String(await run(plan, 'waitDrained', acting)), /have not yet written everything/);
  });

  it('a stop waits for the sinks that it is told, whatever the deletion policy says', async () => {
    const plan = await made();
    await writeOne(plan);
    await deleted(plan, { deleting: false, deletionPolicy: 'Immediate' });
    assert.match(String(await stop(plan, ['sink-warehouse'])), /sink-warehouse slot 0 is \d+ frames behind/);
    assert.deepEqual(await stop(plan, ['sink-other']), { drained: true });
  });

  it('does not wait for the answer with Immediate', async () => {
    const plan = await made();
    await askFor(question(plan));
    await deleted(plan, { deletionPolicy: 'Immediate' });
    assert.deepEqual(await run(plan, 'waitDrained'), { drained: false });
  });

  async function writeOne({ pipeline: { pid } }: Plan): Promise<void> {
    const { signal } = new AbortController();
    const writer = await EdgeWriter.open(
      { streams, pid, edge: 'main', shard: 0, writer: 'orders-0', clock: eagerClock, random: () => 0.5 },
      signal,
    );
    await writer.append(frameOf(['{"n":1}'], 0, writer.link(1)), signal);
  }

  async function lastOf({ pipeline: { pid } }: Plan): Promise<{ readonly sequence: number }> {
    const { state } = await streams.streamInfo(edgeStream(pid, 'commits'));
    return { sequence: state.last_seq };
  }
});
