import assert from 'node:assert/strict';
import { kind, pidOf } from '../../../model/names.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('outages of parts, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'x' });
  });
  after(() => plane.stop());

  it('Temporal down while the spec changes: the condition says so, and the change is carried out afterwards', async () => {
    await person.apply('waits');
    await person.untilReady('waits', 'Running');
    await plane.temporal.stop();
    await person.apply('waits', { desiredState: 'Paused' });
    await eventually(async () => {
      const ready = await person.readyOf('waits');
      assert.deepEqual([ready?.status, ready?.reason], ['False', 'EngineUnavailable']);
    });
    await plane.temporal.start();
    await person.untilReady('waits', 'Paused');
  });

  it('NATS down while a pipeline is taken down: the step says so, and nothing is left afterwards', async () => {
    const { uid = '' } = (await person.apply('ends')).metadata;
    await person.untilReady('ends', 'Running');
    await plane.nats.stop();
    await plane.kube.delete(kind, 'ends', 'default');
    await eventually(async () => {
      const { operation, conditions } = await statusOf(plane.kube, 'ends');
      assert.equal(operation?.type, 'teardown');
      assert.match(operation.lastError ?? '', /NATS|nats/);
      assert.equal(conditions?.find(({ type }) => type === 'Reconciling')?.reason, 'StreamUnavailable');
    });
    await plane.nats.start();
    await person.untilGone('ends');
    assert.deepEqual(await person.leftovers(uid), []);
    assert.deepEqual(await person.streamsOf(pidOf('ends', uid)), []);
  });
});
