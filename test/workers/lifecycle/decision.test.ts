import assert from 'node:assert/strict';
import { recordsEdge } from '../../../crds/compile.ts';
import { withDefaults } from '../../../crds/defaults.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { edgeStream, kind, pidOf } from '../../../model/names.ts';
import { readRegistry } from '../../../stream/registry.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('a decision of a person, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'x' });
  });
  after(() => plane.stop());

  async function decide(name: string, text: string): Promise<void> {
    const door = pipelineDoor(plane.kube, 'millrace-cli', withDefaults);
    await door.decide(await door.get('default', name), text);
  }

  const answerTo = (name: string, text: string) =>
    eventually(async () => {
      const { decision } = await statusOf(plane.kube, name);
      assert.equal(decision?.text, text);
      return decision;
    });

  it('an edge that is lost is not made again by an operation, which waits and says how to decide; then it goes on', async () => {
    const { uid = '' } = (await person.apply('loses')).metadata;
    const { streams = [] } = await person.untilReady('loses', 'Running');
    const pid = pidOf('loses', uid);
    const stream = edgeStream(pid, recordsEdge);
    assert.ok(streams.some(({ name }) => name === stream));
    await plane.streams.deleteStream(stream);
    await person.apply('loses', { steps: [] });
    await person.apply('loses', { desiredState: 'Paused' });
    // No pod runs that could tell: the controller looks, and an operation waits for what is missing.
    await eventually(async () => {
      const { observedGeneration, generation, operation, conditions = [] } = await statusOf(plane.kube, 'loses');
      const [ready, provisioned] = ['Ready', 'Provisioned'].map((name) => conditions.find(({ type }) => type === name));
      assert.equal(observedGeneration, generation);
      assert.deepEqual([ready?.status, ready?.reason], ['False', 'EdgeLost']);
      assert.deepEqual([provisioned?.status, provisioned?.reason], ['False', 'Repairing']);
      assert.match(ready?.message ?? '', /`millrace decide loses -n default records\.lost accept-loss`/);
      assert.equal(operation?.type, 'repair');
    });
    await person.apply('loses', { desiredState: 'Running' });
    await eventually(async () => {
      const { operation } = await statusOf(plane.kube, 'loses');
      assert.match(operation?.lastError ?? '', /`millrace decide loses -n default records\.lost accept-loss`/);
    });
    assert.equal((await person.streamsOf(pid)).length, 2);

    // The operation waits for this very decision: it is carried out beside it.
    await decide('loses', 'records.lost=accept-loss@1');
    assert.equal((await answerTo('loses', 'records.lost=accept-loss@1')).problem, undefined);
    const after = await person.untilReady('loses', 'Running');
    const { created } = await plane.streams.streamInfo(stream);
    assert.equal((await readRegistry(plane.streams, pid, recordsEdge))?.created, created);
    assert.equal(after.streams?.find(({ name }) => name === stream)?.created, created);

    for (const [text, why] of [
      ['records.lost=accept-loss@2', /is there, and is the one that was made/],
      ['records.9=reread', /no slot asks for it/],
      ['make it work', /it is not TOKEN=accept-loss/],
    ] as const) {
      await decide('loses', text);
      assert.match((await answerTo('loses', text)).problem ?? '', why);
    }
    await person.delete('loses');
    assert.deepEqual(await person.leftovers(uid), []);
  });

  it('a deletion with Drain waits where a stream is gone, takes a decision meanwhile, and Immediate frees it', async () => {
    const { uid = '' } = (await person.apply('deleted')).metadata;
    const { streams = [] } = await person.untilReady('deleted', 'Running');
    const dead = streams.find(({ name }) => name.endsWith('-dead'))?.name ?? '';
    await plane.streams.deleteStream(dead);
    await plane.kube.delete(kind, 'deleted', 'default');
    await eventually(async () => {
      const { operation } = await statusOf(plane.kube, 'deleted');
      assert.match(operation?.lastError ?? '', /millrace decide deleted -n default dead\.lost/);
    });
    await decide('deleted', 'records.5=reread');
    assert.match((await answerTo('deleted', 'records.5=reread')).problem ?? '', /no slot asks for it/);
    await person.apply('deleted', { deletionPolicy: 'Immediate' });
    await person.untilGone('deleted');
    assert.deepEqual(await person.leftovers(uid), []);
  });
});
