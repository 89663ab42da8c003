import assert from 'node:assert/strict';
import { annotations, commitSubject, kind, labels, namespaceOf, pidOf } from '../../../model/names.ts';
import { recordsEdge } from '../../../crds/compile.ts';
import { systemClock } from '../../../stream/clock.ts';
import { EdgeWriter } from '../../../stream/edge-writer.ts';
import { frameOf } from '../../stream/support/frames.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

/** No worker pod runs here: the test puts frames into the edge as an ingestor, and commits them as a sink. */
describe('frames in an edge, shared namespaces and orphans, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'x' });
  });
  after(() => plane.stop());

  /** The stream sequence of the last of three frames in shard 0, which go on after the last as a pod's would. */
  async function appendFrames(pid: string): Promise<number> {
    const at = { pid, edge: recordsEdge, shard: 0, writer: 'numbers-0' };
    const signal = AbortSignal.timeout(30_000);
    const options = { streams: plane.streams, clock: systemClock, random: Math.random, ...at };
    const writer = await EdgeWriter.open(options, signal);
    for (let n = 1; n <= 3; n++) await writer.append(frameOf(['{}'], n, writer.link(writer.plan)), signal);
    return writer.sequence;
  }

  async function commit(pid: string, stage: string, to: number): Promise<void> {
    await plane.streams.js.publish(commitSubject(pid, stage, 0), JSON.stringify({ kind: 'commit', to }));
  }

  function untilItWaits(name: string, behind: RegExp): Promise<void> {
    return eventually(async () => {
      const { operation } = await statusOf(plane.kube, name);
      assert.match(operation?.lastError ?? '', behind);
    });
  }

  it('Stopped waits until the sink has committed every frame, says how many it waits for, and then stops', async () => {
    const { uid = '' } = (await person.apply('stops')).metadata;
    await person.untilReady('stops', 'Running');
    const pid = pidOf('stops', uid);
    const last = await appendFrames(pid);
    await person.apply('stops', { desiredState: 'Stopped' });
    await untilItWaits('stops', /sink-warehouse slot 0 is \d+ frames behind/);
    const pods = await person.podsOf(uid, namespaceOf(pid));
    assert.deepEqual(
      pods.map((pod) => pod.startsWith('sink-warehouse')),
      [true],
      'the ingestor is gone, the sink still writes',
    );
    await commit(pid, 'sink-warehouse', last);
    await person.untilReady('stops', 'Stopped');
    assert.deepEqual(await person.podsOf(uid, namespaceOf(pid)), []);
    await person.delete('stops');
  });

  it('O2: a sink that is removed writes what was read first, and only then its Deployment goes', async () => {
    const second = { name: 'second', clickhouse: { url: 'http://127.0.0.1:1', database: 'a', table: 'b' } };
    const first = { ...second, name: 'first' };
    const { uid = '' } = (await person.apply('removes', { sinks: [first, second] })).metadata;
    await person.untilReady('removes', 'Running');
    const pid = pidOf('removes', uid);
    const last = await appendFrames(pid);
    await commit(pid, 'sink-first', last);
    await person.apply('removes', { sinks: [first] });
    await untilItWaits('removes', /^The sinks .*sink-second slot 0 is \d+ frames behind/);
    assert.ok(await plane.kube.get('Deployment', 'sink-second', namespaceOf(pid)));
    await commit(pid, 'sink-second', last);
    const status = await person.untilReady('removes', 'Running');
    assert.equal(await plane.kube.get('Deployment', 'sink-second', namespaceOf(pid)), undefined);
    await eventually(async () => {
      const { stages = [] } = await statusOf(plane.kube, 'removes');
      assert.deepEqual(
        stages.map(({ name, ready }) => [name, ready]),
        [
          ['ingestor-numbers', 1],
          ['sink-first', 1],
        ],
      );
    });
    assert.equal(status.phase, 'Running');
    await person.delete('removes');
  });

  it('a deletion drains; Immediate frees it', async () => {
    const { uid = '' } = (await person.apply('stuck')).metadata;
    await person.untilReady('stuck', 'Running');
    await appendFrames(pidOf('stuck', uid));
    await plane.kube.delete(kind, 'stuck', 'default');
    await untilItWaits('stuck', /Immediate/);
    await person.apply('stuck', { deletionPolicy: 'Immediate' });
    await person.untilGone('stuck');
    assert.deepEqual(await person.leftovers(uid), []);
  });

  it('Shared: everything stands beside the resource under its name, and only that goes with it', async () => {
    const { uid = '' } = (await person.apply('shared', { isolation: 'Shared' })).metadata;
    await person.apply('neighbour', { isolation: 'Shared' });
    await person.untilReady('shared', 'Running');
    const other = await person.untilReady('neighbour', 'Running');
    const made = (await person.leftovers(uid)).filter((each) => !each.startsWith('Pod ')).sort();
    assert.deepEqual(made, [
      'ConfigMap shared-plan-g1',
      'Deployment shared-ingestor-numbers',
      'Deployment shared-sink-warehouse',
      'NetworkPolicy shared-pipeline',
      'PodDisruptionBudget shared-ingestor-numbers',
      'PodDisruptionBudget shared-sink-warehouse',
      'Secret shared-credentials',
      'ServiceAccount shared-pipeline',
    ]);
    await plane.kube.delete('Deployment', 'shared-sink-warehouse', 'default');
    await eventually(async () =>
      assert.equal((await person.operationsOf('shared', uid)).at(-1)?.split(' ')[0], 'repair'),
    );
    await person.untilReady('shared', 'Running');
    await person.delete('shared');
    await eventually(async () => assert.deepEqual(await person.leftovers(uid), []));
    assert.ok(await plane.kube.get('Namespace', 'default'));
    assert.deepEqual((await statusOf(plane.kube, 'neighbour')).opSeq, other.opSeq);
    await person.delete('neighbour');
  });

  it('Orphan: the resource goes at once; workloads, streams and frames stay', async () => {
    const { uid = '' } = (await person.apply('orphan', { deletionPolicy: 'Orphan' })).metadata;
    await person.untilReady('orphan', 'Running');
    const pid = pidOf('orphan', uid);
    await appendFrames(pid);
    await person.delete('orphan');
    const deployments = await plane.kube.list('Deployment', { labels: { [labels.pipelineUid]: uid } });
    assert.equal(deployments.items.length, 2);
    for (const { metadata } of deployments.items) assert.ok(metadata.annotations?.[annotations.appliedHash]);
    assert.equal((await person.podsOf(uid, namespaceOf(pid))).length, 2);
    assert.equal((await person.streamsOf(pid)).length, 3);
  });
});
