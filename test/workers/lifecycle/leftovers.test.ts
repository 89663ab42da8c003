import assert from 'node:assert/strict';
import { kind, namespaceOf, pidOf } from '../../../model/names.ts';
import { entityWorkflowId } from '../../../model/workflow-ids.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('what is left of pipelines that are gone, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'first' });
  });
  after(() => plane.stop());

  async function provision(name: string, spec: Parameters<Person['apply']>[1] = {}): Promise<string> {
    const { uid = '' } = (await person.apply(name, spec)).metadata;
    await person.untilReady(name, 'Running');
    return uid;
  }

  /** Without any controller or worker that could see it. */
  async function removeBehindTheBack(name: string): Promise<void> {
    await plane.kube.patchMerge(kind, name, 'default', { metadata: { finalizers: null } }, { fieldManager: 'person' });
    await plane.kube.delete(kind, name, 'default');
  }

  const entityOf = (name: string, uid: string) =>
    plane.client.workflow.getHandle(entityWorkflowId('default', name, uid));

  async function untilNothingIsLeft(name: string, uid: string): Promise<void> {
    await eventually(
      async () => {
        assert.deepEqual(await person.leftovers(uid), []);
        assert.deepEqual(await person.streamsOf(pidOf(name, uid)), []);
        assert.equal((await entityOf(name, uid).describe()).status.name, 'COMPLETED');
      },
      { intervalMs: 500 },
    );
  }

  it('takes down what a person has left by taking the finalizer off; what was orphaned on purpose stays', async () => {
    const orphan = await provision('orphan');
    const shared = await provision('shared', { isolation: 'Shared' });
    const own = await provision('own');
    const lost = await provision('lost', { isolation: 'Shared' });
    // The plan in force says Drain: nobody has carried this generation out.
    await plane.kube.patchMerge(
      kind,
      'orphan',
      'default',
      { spec: { deletionPolicy: 'Orphan' } },
      { fieldManager: 'person' },
    );
    await person.delete('orphan');
    const left = await person.leftovers(orphan);
    assert.ok(left.includes(`Namespace ${namespaceOf(pidOf('orphan', orphan))}`), left.join());
    await plane.controller.stop();
    for (const name of ['shared', 'own', 'lost']) await removeBehindTheBack(name);
    // Not even an entity is left of this one.
    await entityOf('lost', lost).terminate('a person did');
    await plane.controller.start();
    await untilNothingIsLeft('own', own);
    await untilNothingIsLeft('shared', shared);
    await untilNothingIsLeft('lost', lost);
    assert.deepEqual(await person.leftovers(orphan), left);
    assert.equal((await person.streamsOf(pidOf('orphan', orphan))).length, 3);
    const events = (await plane.kube.list('Event', { namespace: 'default' })).items;
    const told = events.filter((event) => event['reason'] === 'LeftBehind').map((event) => event['regarding']);
    const names = told.map((about) => (about as { name: string }).name).sort();
    assert.deepEqual([...new Set(names)], ['lost', 'own', 'shared']);
  });
});
