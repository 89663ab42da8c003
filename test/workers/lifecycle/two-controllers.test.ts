import assert from 'node:assert/strict';
import { namespaceOf, pidOf } from '../../../model/names.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('two controllers, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'x' });
  });
  after(() => plane.stop());

  const gaugeOf = async (process: 'controller' | 'secondController', name: 'signals' | 'pipelines') => {
    const metrics = await plane.metricsOf(process);
    return Number(new RegExp(`^millrace_controller_${name} (\\d+)`, 'm').exec(metrics)?.[1]);
  };

  it('tell one entity of edits in quick succession, none is lost, and none is carried out twice', async () => {
    const { uid = '' } = (await person.apply('edited')).metadata;
    await person.untilReady('edited', 'Running');
    await plane.secondController.start();
    await eventually(async () => (await gaugeOf('secondController', 'pipelines')) === 1);
    const edit = (threshold: number) =>
      person.apply('edited', { steps: [{ name: 'some', filter: { where: `record.id > ${threshold}` } }] });
    const told = await gaugeOf('controller', 'signals');
    for (let threshold = 1; threshold <= 5; threshold++) await edit(threshold);
    await eventually(async () => (await gaugeOf('controller', 'signals')) > told);
    await eventually(async () => (await gaugeOf('secondController', 'signals')) > 0);
    // The one that writes conditions goes in the middle of the edits.
    const stopping = plane.controller.stop();
    for (let threshold = 6; threshold <= 10; threshold++) await edit(threshold);
    await stopping;

    const status = await person.untilReady('edited', 'Running');
    assert.deepEqual([status.phase, status.generation, status.acceptedGeneration], ['Running', 11, 11]);
    const deployment = await plane.kube.get('Deployment', 'sink-warehouse', namespaceOf(pidOf('edited', uid)));
    assert.ok(JSON.stringify(deployment).includes('"plan-g11"'));
    assert.equal(await person.openEntities('edited'), 1);
    await eventually(async () => (await person.stateOf('edited', uid)).running === null);
    const { history } = await person.stateOf('edited', uid);
    const generations = history.map(({ generation }) => generation);
    assert.deepEqual(
      generations,
      [...new Set(generations)].sort((a, b) => a - b),
    );
    assert.deepEqual([generations.at(0), generations.at(-1)], [1, 11]);
  });
});
