import assert from 'node:assert/strict';
import { z } from 'zod';
import { labels, namespaceOf, pidOf } from '../../../model/names.ts';
import { readStoredPlan, storePlan } from '../../../stream/plan-store.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

/** As after the restore of an older etcd: the streams have another plan under the number that comes next. */
describe('a spec that is refused by the streams, after its plan and credentials were stored', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'first' });
    await person.putSecret('other', { password: 'second' });
  });
  after(() => plane.stop());

  async function plansOf(uid: string, namespace: string): Promise<string[]> {
    const found = await plane.kube.list('ConfigMap', { namespace, labels: { [labels.pipelineUid]: uid } });
    return found.items.map(({ metadata }) => metadata.name).sort();
  }

  /** Values by key. */
  async function copiedTo(namespace: string): Promise<Record<string, string>> {
    const secret = await plane.kube.get('Secret', 'credentials', namespace);
    const data = z.record(z.string(), z.string()).parse(secret?.['data'] ?? {});
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    );
  }

  async function useUp(name: string, pid: string, generation: number): Promise<void> {
    const plan = await readStoredPlan(plane.streams, pid, 1);
    assert.ok(plan !== undefined);
    const deployment = await plane.kube.get('Deployment', 'sink-warehouse', namespaceOf(pid));
    const image = deploymentSchema.parse(deployment).spec.template.spec.containers[0]?.image;
    const other = { ...plan, pipeline: { ...plan.pipeline, generation }, stages: plan.stages.slice(1) };
    await storePlan(plane.streams, other, image);
    assert.equal((await statusOf(plane.kube, name)).generation, generation - 1);
  }

  const withSecret = (name: string) => {
    const clickhouse = { url: 'http://127.0.0.1:1', database: 'shop', table: 'orders', username: 'app' };
    return { sinks: [{ name: 'warehouse', clickhouse: { ...clickhouse, password: `$(secret:${name}/password)` } }] };
  };

  const untilRefused = (name: string, generation: number) =>
    eventually(async () => {
      const status = await statusOf(plane.kube, name);
      const accepted = status.conditions?.find(({ type }) => type === 'Accepted');
      assert.deepEqual(
        [accepted?.reason, accepted?.observedGeneration, status.operation],
        ['GenerationUsed', generation, undefined],
      );
    });

  it('leaves neither, and the pods in force keep their credentials', async () => {
    const { uid = '' } = (await person.apply('late')).metadata;
    await person.untilReady('late', 'Running');
    const pid = pidOf('late', uid);
    const namespace = namespaceOf(pid);
    await useUp('late', pid, 2);
    await person.apply('late', withSecret('other'));
    await untilRefused('late', 2);
    assert.deepEqual(await copiedTo(namespace), { 'secret.ch.password': 'first' });
    assert.deepEqual(await plansOf(uid, namespace), ['plan-g1']);

    // N8: what was accepted is repaired, beside a spec that is refused when it is read.
    await person.apply('late', { steps: [{ name: 'some', filter: { where: 'recrd.id >' } }] });
    await eventually(async () => {
      const { conditions } = await statusOf(plane.kube, 'late');
      assert.equal(conditions?.find(({ type }) => type === 'Accepted')?.reason, 'SpecExpression');
    });
    await plane.kube.delete('Deployment', 'sink-warehouse', namespace);
    await eventually(async () => assert.ok(await plane.kube.get('Deployment', 'sink-warehouse', namespace)));
    await eventually(async () => assert.equal((await statusOf(plane.kube, 'late')).operation, undefined));
    assert.deepEqual(await plansOf(uid, namespace), ['plan-g1']);

    await person.apply('late', withSecret('other'));
    await person.untilReady('late', 'Running');
    assert.deepEqual(await copiedTo(namespace), { 'secret.other.password': 'second' });
    await person.delete('late');
  });

  it('K5: a Secret that only the spec in force refers to is copied again when it changes', async () => {
    const { uid = '' } = (await person.apply('changed')).metadata;
    await person.untilReady('changed', 'Running');
    const pid = pidOf('changed', uid);
    await useUp('changed', pid, 2);
    await person.apply('changed', withSecret('other'));
    await untilRefused('changed', 2);
    await person.putSecret('ch', { password: 'third' });
    await eventually(async () => assert.deepEqual(await copiedTo(namespaceOf(pid)), { 'secret.ch.password': 'third' }));
    await person.delete('changed');
  });
});

const deploymentSchema = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ spec: z.looseObject({ containers: z.array(z.looseObject({ image: z.string() })) }) }),
  }),
});
