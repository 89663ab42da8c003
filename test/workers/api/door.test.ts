import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKube } from '../../../kubernetes/kube.ts';
import { parseAnswer } from '../../../kubernetes/kube-error.ts';
import { apiVersion, fieldManagers, kind } from '../../../model/names.ts';
import { startKubernetes } from '../../../local/parts/kubernetes.ts';
import { withDefaults } from '../../../crds/defaults.ts';
import { conflictingManagers, pipelineDoor, readPipeline, type StoredPipeline } from '../../../kubernetes/pipelines.ts';
import { spec, useCluster } from './cluster.ts';

describe('the door to pipelines', () => {
  const cluster = useCluster();
  const door = (manager: string = fieldManagers.cli) => pipelineDoor(cluster().kube, manager, withDefaults);
  const manifest = (namespace: string, more: object = {}) =>
    ({ apiVersion, kind, metadata: { name: 'orders', namespace }, spec: { ...spec, ...more } }) as const;

  it('D1: what another door applied stays, unless it is said otherwise', async () => {
    const namespace = await cluster().namespace();
    await door(fieldManagers.api).apply(manifest(namespace, { buffer: { maxBytes: '3Gi' } }));
    const stored = await door(fieldManagers.cli).apply(manifest(namespace));
    assert.equal(stored.spec.buffer.maxBytes, '3Gi');
  });

  it('D2: between the doors of Millrace the last one wins', async () => {
    const namespace = await cluster().namespace();
    await door(fieldManagers.api).apply(manifest(namespace, { buffer: { maxBytes: '3Gi' } }));
    const stored = await door(fieldManagers.cli).apply(manifest(namespace, { buffer: { maxBytes: '1Gi' } }));
    assert.equal(stored.spec.buffer.maxBytes, '1Gi');
  });

  describe('D6: over what another tool has made', () => {
    const step = (name: string) => ({ name, filter: { where: 'true' } });
    const both = { ...spec, steps: [step('paid'), step('total')], buffer: { maxBytes: '3Gi' } };
    const less = { ...spec, steps: [step('paid')] };
    const names = ({ spec: { steps } }: StoredPipeline) => steps.map(({ name }) => name);

    const ways: readonly [manager: string, make: (namespace: string) => Promise<unknown>][] = [
      [
        'kubectl-client-side-apply',
        (namespace) => cluster().kube.create(manifest(namespace, both), { fieldManager: 'kubectl-client-side-apply' }),
      ],
      ['kubectl', (namespace) => cluster().kube.apply(manifest(namespace, both), { fieldManager: 'kubectl' })],
      [
        'kubectl-edit',
        async (namespace) => {
          await door().apply(manifest(namespace, less));
          await cluster().kube.patchMerge(
            kind,
            'orders',
            namespace,
            { spec: { steps: both.steps, buffer: both.buffer } },
            { fieldManager: 'kubectl-edit' },
          );
        },
      ],
    ];
    for (const [manager, make] of ways) {
      it(`names what ${manager} would keep, and changes nothing`, async () => {
        const namespace = await cluster().namespace();
        await make(namespace);
        for (const dryRun of [false, true])
          await assert.rejects(door().apply(manifest(namespace, less), { dryRun }), (error: Error) => {
            assert.match(error.message, /^MR_PIPELINE_CONFLICT: .* would keep what this document does not have: /);
            assert.match(error.message, new RegExp(`spec\\.steps\\[total\\].*\\(managed by "${manager}"\\)`));
            assert.match(error.message, /spec\.buffer\.maxBytes/);
            assert.doesNotMatch(error.message, /spec\.(sinks|sources|frame|isolation)/);
            return true;
          });
        assert.deepEqual(names(await door().get(namespace, 'orders')), ['paid', 'total']);
      });

      it(`force makes it what the document says, over ${manager}, and a dry run says so before`, async () => {
        const namespace = await cluster().namespace();
        await make(namespace);
        const tried = await door().apply(manifest(namespace, less), { force: true, dryRun: true });
        assert.deepEqual(names(await door().get(namespace, 'orders')), ['paid', 'total']);
        const stored = await door().apply(manifest(namespace, less), { force: true });
        assert.deepEqual([names(stored), stored.spec.buffer.maxBytes], [['paid'], '1Gi']);
        assert.deepEqual(tried.spec, stored.spec);
        // From now on it is like any other.
        await door().apply(manifest(namespace, both));
        assert.deepEqual(names(await door().apply(manifest(namespace, less))), ['paid']);
      });
    }

    it('KF1, KF2: is no conflict where nothing but defaults and the wanted state would stay', async () => {
      const namespace = await cluster().namespace();
      await cluster().kube.create(manifest(namespace, less), { fieldManager: 'kubectl-client-side-apply' });
      const state = { spec: { desiredState: 'Paused' } };
      await cluster().kube.patchMerge(kind, 'orders', namespace, state, { fieldManager: 'kubectl-patch' });
      assert.equal((await door().apply(manifest(namespace, less))).spec.desiredState, 'Paused');
    });

    const pausers: readonly [string, (namespace: string) => Promise<unknown>][] = [
      [
        'with all else',
        (namespace) =>
          cluster().kube.apply(manifest(namespace, { ...both, desiredState: 'Paused' }), { fieldManager: 'kubectl' }),
      ],
      [
        'together with another field, after kubectl apply',
        async (namespace) => {
          await cluster().kube.create(manifest(namespace, less), { fieldManager: 'kubectl-client-side-apply' });
          const edited = { spec: { desiredState: 'Paused', buffer: { maxBytes: '3Gi' } } };
          await cluster().kube.patchMerge(kind, 'orders', namespace, edited, { fieldManager: 'kubectl-edit' });
        },
      ],
      [
        'through another door of Millrace',
        async (namespace) => {
          const made = await cluster().kube.apply(manifest(namespace, both), { fieldManager: 'kubectl' });
          await door(fieldManagers.api).setDesiredState(readPipeline(made), 'Paused');
        },
      ],
    ];
    for (const [how, pause] of pausers)
      it(`KF2: a pipeline that was paused ${how} stays paused under force, if the document names no state`, async () => {
        const namespace = await cluster().namespace();
        await pause(namespace);
        const tried = await door().apply(manifest(namespace, less), { force: true, dryRun: true });
        const stored = await door().apply(manifest(namespace, less), { force: true });
        assert.deepEqual([tried.spec.desiredState, stored.spec.desiredState], ['Paused', 'Paused']);
        assert.deepEqual(tried.spec, stored.spec);
        assert.equal((await door().apply(manifest(namespace, less))).spec.desiredState, 'Paused');
      });
  });

  it('D4: a pipeline that was deleted and made again is not the one that is paused or deleted', async () => {
    const namespace = await cluster().namespace();
    const first = await door().apply(manifest(namespace));
    await door().remove(first);
    const second = await door().apply(manifest(namespace));
    await assert.rejects(door().setDesiredState(first, 'Paused'), /MR_PIPELINE_CONFLICT/);
    await door().remove(first);
    const { metadata, spec: kept } = await door().get(namespace, 'orders');
    assert.deepEqual([metadata.uid, kept.desiredState], [second.metadata.uid, 'Running']);
  });

  it('a pipeline that is gone is not made again by pausing it', async () => {
    const namespace = await cluster().namespace();
    const stored = await door().apply(manifest(namespace));
    await door().remove(stored);
    await assert.rejects(door().setDesiredState(stored, 'Paused'), /it was deleted, or another has its name now/);
    await assert.rejects(door().get(namespace, 'orders'), /MR_PIPELINE_NOT_FOUND/);
  });

  it('says that a namespace is missing, not the pipeline', async () => {
    await assert.rejects(door().apply(manifest('nowhere')), /MR_KUBERNETES_REFUSED: .*namespaces "nowhere" not found/);
  });

  it('reads the owners of fields from a conflict of one and of several managers', () => {
    const details = { causes: [{ reason: 'FieldManagerConflict' }] };
    const asked = { verb: 'APPLY', group: 'millrace.io', resource: 'pipelines' } as const;
    const of = (message: string) => {
      const body = JSON.stringify({ kind: 'Status', reason: 'Conflict', message, details });
      return conflictingManagers(parseAnswer({ status: 409, body }, asked, 'apply', 'server'));
    };
    assert.deepEqual(of('Apply failed with 1 conflict: conflict with "argocd" using v1: .spec.x'), ['argocd']);
    assert.deepEqual(
      of('Apply failed with 2 conflicts: conflicts with "a":\n- .x\n- .y\nconflicts with "b" using v1:\n- .z'),
      ['a', 'b'],
    );
  });

  it('says that the CRD is missing', async function () {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-no-crd-'));
    const kubernetes = await startKubernetes({ dir, controllers: false, unsafeNoFsync: true });
    const kube = connectKube(kubernetes.kubeconfigPath);
    try {
      const bare = pipelineDoor(kube, fieldManagers.cli, withDefaults);
      await assert.rejects(bare.get('default', 'orders'), /the CRD of Pipeline is not installed/);
      await assert.rejects(bare.list({ namespace: null }), /the CRD of Pipeline is not installed/);
      await assert.rejects(bare.apply(manifest('default')), /the CRD of Pipeline is not installed/);
    } finally {
      kube.close();
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
