import assert from 'node:assert/strict';
import { recordsEdge } from '../../../crds/compile.ts';
import type { PipelineInput } from '../../../crds/pipeline.ts';
import type { KindName } from '../../../kubernetes/objects.ts';
import { statusSchema } from '../../../crds/status.ts';
import { kind, pidOf } from '../../../model/names.ts';
import type { PipelineStatus } from '../../../model/status.ts';
import { systemClock } from '../../../stream/clock.ts';
import { EdgeWriter } from '../../../stream/edge-writer.ts';
import { frameOf } from '../../stream/support/frames.ts';
import { eventually } from '../../support/eventually.ts';
import { pipelineManifest, startControlPlane, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

interface Case {
  readonly what: string;
  readonly spec: Partial<PipelineInput['spec']>;
  /** What the pipeline is before its namespace goes. */
  readonly until: (status: PipelineStatus) => boolean;
  readonly hasSecret?: boolean;
  /** Frames in the edge that nobody has committed. */
  readonly hasBacklog?: boolean;
}

const isRunning = ({ phase, operation }: PipelineStatus) => phase === 'Running' && operation === undefined;
const invalid = { steps: [{ name: 'bad', filter: { where: 'record.' } }] };

const cases: readonly Case[] = [
  { what: 'that runs', spec: {}, until: isRunning },
  { what: 'that runs beside its pods', spec: { isolation: 'Shared' }, until: isRunning },
  {
    what: 'that runs beside its pods, with records that nobody has written',
    spec: { isolation: 'Shared' },
    until: isRunning,
    hasBacklog: true,
  },
  {
    what: 'that runs with deletionPolicy Orphan',
    spec: { deletionPolicy: 'Orphan', isolation: 'Shared' },
    until: isRunning,
  },
  { what: 'that is paused', spec: { desiredState: 'Paused' }, until: ({ phase }) => phase === 'Paused' },
  {
    what: 'that waits for a Secret and never had pods',
    spec: {},
    hasSecret: false,
    until: ({ operation }) => operation?.lastError?.includes('Secret') === true,
  },
  { what: 'whose spec is refused', spec: invalid, until: ({ phase }) => phase === 'Failed' },
];

describe('a namespace that is deleted with a pipeline in it, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
  });
  after(() => plane.stop());

  async function make(namespace: string, { spec, hasSecret = true }: Case): Promise<string> {
    const by = { fieldManager: 'person' };
    await plane.kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, by);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'ch', namespace },
      data: { password: 'eA==' },
    };
    if (hasSecret) await plane.kube.apply({ ...secret, kind: 'Secret' satisfies KindName }, by);
    const manifest = pipelineManifest('orders', spec);
    const { metadata } = await plane.kube.apply({ ...manifest, metadata: { name: 'orders', namespace } }, by);
    return metadata.uid ?? '';
  }

  async function appendFrames(pid: string): Promise<void> {
    const at = { pid, edge: recordsEdge, shard: 0, writer: 'numbers-0' };
    const signal = AbortSignal.timeout(30_000);
    const options = { streams: plane.streams, clock: systemClock, random: Math.random, ...at };
    const writer = await EdgeWriter.open(options, signal);
    for (let n = 1; n <= 3; n++) await writer.append(frameOf(['{}'], n, writer.link(writer.plan)), signal);
  }

  /** The plan and the sink outlast their pods. */
  async function hold(namespace: string, finalizers: string[] | null): Promise<void> {
    for (const [held, name] of [
      ['ConfigMap', 'orders-plan-g1'],
      ['Deployment', 'orders-sink-warehouse'],
    ] as const)
      await plane.kube.patchMerge(held, name, namespace, { metadata: { finalizers } }, { fieldManager: 'person' });
  }

  for (const [index, one] of cases.entries()) {
    it(`X6 EV1: goes without anybody's help, with a pipeline ${one.what}`, async () => {
      const namespace = `team-${index}`;
      const uid = await make(namespace, one);
      const pid = pidOf('orders', uid);
      await eventually(async () => {
        const status = (await plane.kube.get(kind, 'orders', namespace))?.['status'];
        assert.ok(one.until(statusSchema.parse(status ?? {})), JSON.stringify(status));
      });
      if (one.hasBacklog === true) {
        await appendFrames(pid);
        await hold(namespace, ['example.org/hold']);
      }
      await plane.kube.delete('Namespace', namespace, undefined, {});
      if (one.hasBacklog === true) {
        // The sink is there as far as the cluster shows, and has no pod: it cannot be waited for.
        await eventually(async () => assert.equal(await plane.kube.get(kind, 'orders', namespace), undefined));
        await hold(namespace, null);
      }
      await eventually(async () => {
        const left = await plane.kube.get('Namespace', namespace);
        if (left === undefined) return;
        const pipeline = await plane.kube.get(kind, 'orders', namespace);
        assert.fail(JSON.stringify({ namespace: left['status'], pipeline: pipeline?.['status'] }));
      });
      await eventually(async () => assert.deepEqual(await person.leftovers(uid), []));
      if (one.spec.deletionPolicy !== 'Orphan') assert.deepEqual(await person.streamsOf(pid), []);
    });
  }
});
