/** What the streams know about a spec, on a real nats-server; and what becomes of a question that gets no answer. */
import { deepEqual, equal, match } from 'node:assert/strict';
import type { Plan } from '../../../../model/plan.ts';
import type { Streams } from '../../../../stream/connection.ts';
import { registerPlan } from '../../../../stream/members.ts';
import { ensurePipelineStreams } from '../../../../stream/streams.ts';
import { admit } from '../../../../workers/controller/webhook/admission.ts';
import { ClusterLook } from '../../../../workers/controller/webhook/cluster-look.ts';
import type { AdmissionRequest } from '../../../../workers/controller/webhook/review.ts';
import { storedPipeline } from '../../../crds/support/pipelines.ts';
import { withoutSources } from '../../../stream/support/leaving.ts';
import { testPlan, withTestServer } from '../../../stream/support/server.ts';
import { eagerClock } from '../../../stream/support/stages.ts';
import { HandClock } from '../../../support/hand-clock.ts';

const nobody = {
  get: () => Promise.resolve(undefined),
  list: () => Promise.resolve({ items: [], resourceVersion: '' }),
};
const request: AdmissionRequest = {
  ...{ uid: 'u', kind: { group: 'millrace.io', kind: 'Pipeline' }, subResource: '', namespace: 'shop' },
  ...{ operation: 'CREATE', object: storedPipeline() },
};

describe('a look at the cluster', () => {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const lookAt = (plan: Plan, before: Plan | undefined, port: () => Streams | undefined = () => streams) =>
    new ClusterLook({ kube: nobody, streams: port, onError: () => undefined }).look(request, {
      ...{ plan, before, problems: [], warnings: [] },
    });

  /** A source of two slots that was taken off, and still has its records. */
  async function leaving(): Promise<{ plan: Plan; before: Plan }> {
    const plan = testPlan({ shards: 1, sourceSlots: 2 });
    await ensurePipelineStreams(streams, plan);
    await registerPlan({ streams, opSeq: 1, clock: eagerClock }, plan);
    return { plan, before: withoutSources(plan, 2) };
  }
  const withSlots = (plan: Plan, slots: number): Plan => ({
    ...plan,
    pipeline: { ...plan.pipeline, generation: 3 },
    stages: plan.stages.map((stage) => (stage.kind === 'ingestor' ? { ...stage, slots } : stage)),
  });

  it('finds a source that comes back with other slots, which the lifecycle would refuse later', async () => {
    const { plan, before } = await leaving();
    const { problems } = await lookAt(withSlots(plan, 3), before);
    match(problems[0]?.message ?? '', /Source "orders" cannot be added again with connector generator and 3 slots/);
    deepEqual((await lookAt(withSlots(plan, 2), before)).problems, []);
  });

  it('does not ask about sources that stay, a pipeline that is paused, or while NATS is away', async () => {
    const { plan, before } = await leaving();
    const other = withSlots(plan, 3);
    deepEqual((await lookAt(other, plan)).problems, []);
    deepEqual((await lookAt({ ...other, desiredState: 'Paused' }, before)).problems, []);
    deepEqual((await lookAt(other, before, () => undefined)).problems, []);
  });

  it('L2: lets a pipeline through about which Kubernetes cannot be asked, and says so', async () => {
    const said: string[] = [];
    const away = { ...nobody, list: () => Promise.reject(new Error('it is away')) };
    const look = new ClusterLook({
      kube: away,
      streams: () => undefined,
      onError: (what, problem) => void said.push(`${what}: ${problem}`),
    });
    const password = '$(secret:ch/password)';
    const sinks = [{ name: 'a', clickhouse: { url: 'http://ch:8123', table: 'a', password } }];
    const object = storedPipeline({ sinks });
    deepEqual(
      await look.look({ ...request, object }, { plan: undefined, before: undefined, problems: [], warnings: [] }),
      {
        problems: [],
        warnings: [],
      },
    );
    deepEqual(said, ['references: it is away']);
  });

  it('L2: is waited for no longer than there is time', async () => {
    const clock = new HandClock();
    const look = { look: () => Promise.withResolvers<never>().promise };
    const admitted = admit({ look, clock }, request, 1_500);
    await clock.advance(1_500);
    equal((await admitted).outcome, 'allowed');
  });
});
