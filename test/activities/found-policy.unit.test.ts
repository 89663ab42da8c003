import assert from 'node:assert/strict';
import { planText } from '../../activities/kubernetes/render/plan.ts';
import { compile } from '../../crds/compile.ts';
import { pipelineSchema } from '../../crds/pipeline.ts';
import type { Location } from '../../model/lifecycle.ts';
import { annotations, apiVersion, kind, labels } from '../../model/names.ts';
import { OddServer } from './odd-server.ts';
import { runActivity } from './run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: '7b1c2d3e-0000-4000-8000-000000000001', cluster: 'c-1' };
const { namespace, name, uid, cluster } = pipeline;

type Policy = Location['deletionPolicy'];

describe('the deletion policy of a pipeline whose finalizer was removed by hand', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  /** `plans`: policies of the plans that are left, by generation from 1. */
  async function policyAfter(plans: readonly Policy[], marks: Record<string, string> = {}): Promise<unknown> {
    server.objects = new Map();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    plans.forEach((deletionPolicy, index) => putPlan(index + 1, deletionPolicy, marks));
    const located = await runActivity(server.kube, pipeline, 'locatePipeline', 'teardown');
    assert.ok(isLocation(located), String(located));
    assert.equal(located.exists, false);
    return located.deletionPolicy;
  }

  function putPlan(generation: number, deletionPolicy: Policy, marks: Record<string, string>): void {
    const plan = compile(
      pipelineSchema.parse({
        ...{ apiVersion, kind, metadata: { name, namespace, uid, generation } },
        spec: {
          ...{ isolation: 'Shared', deletionPolicy, sources: [{ name: 'numbers', generator: {} }] },
          sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch', table: 't' } }],
        },
      }),
    );
    const about = { name: `orders-plan-g${generation}`, namespace, uid: `plan-${generation}` };
    const metadata = { ...about, labels: { [labels.pipelineUid]: uid }, annotations: marks };
    server.put('ConfigMap', metadata, { data: { 'plan.json': planText(plan) } });
  }

  it('is Orphan when it was Orphan: what was to be left is left', async () => {
    assert.equal(await policyAfter(['Orphan']), 'Orphan');
  });

  it('is that of the newest plan', async () => {
    assert.equal(await policyAfter(['Immediate', 'Orphan']), 'Orphan');
    assert.equal(await policyAfter(['Orphan', 'Immediate']), 'Immediate');
  });

  it('is Orphan when its objects were left on purpose before', async () => {
    assert.equal(await policyAfter(['Drain'], { [annotations.released]: 'true' }), 'Orphan');
  });

  it('is Immediate instead of Drain: nobody is left who could give records up', async () => {
    assert.equal(await policyAfter(['Drain']), 'Immediate');
  });

  it('is Immediate when no plan is left', async () => {
    assert.equal(await policyAfter([]), 'Immediate');
  });
});

function isLocation(located: unknown): located is Location {
  return typeof located === 'object' && located !== null && 'deletionPolicy' in located;
}
