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
  const step = (name: string) => ({ name, filter: { where: 'true' } });
  const both = { ...spec, steps: [step('paid'), step('total')], buffer: { maxBytes: '3Gi' } };
  const less = { ...spec, steps: [step('paid')] };
  const names = ({ spec: { steps } }: StoredPipeline) => steps.map(({ name }) => name);

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

  describe('D7: force makes it what the document says', () => {
    const byKubectl = (namespace: string, more: object = both) =>
      cluster().kube.apply(manifest(namespace, more), { fieldManager: 'kubectl' });

    const before: Readonly<Record<string, (namespace: string) => Promise<unknown>>> = {
      'of another tool': (namespace) => byKubectl(namespace),
      'of another tool and of another door': async (namespace) => {
        await byKubectl(namespace);
        await door(fieldManagers.api).apply(manifest(namespace, both));
      },
      'of another door alone': (namespace) => door(fieldManagers.api).apply(manifest(namespace, both)),
      'with a step of this name that does something else': (namespace) =>
        byKubectl(namespace, { ...spec, steps: [{ name: 'paid', map: { set: { a: '1' } } }] }),
      'in another order': (namespace) => byKubectl(namespace, { ...spec, steps: [step('total'), step('paid')] }),
      'of this door, with labels': async (namespace) => {
        const labelled = (labels: Readonly<Record<string, string>>) => {
          const made = manifest(namespace, both);
          return { ...made, metadata: { ...made.metadata, labels } };
        };
        await cluster().kube.apply(labelled({ team: 'shop' }), { fieldManager: 'kubectl' });
        await door().apply(labelled({ team: 'shop', tier: 'one' }), { force: true });
      },
    };
    for (const [what, make] of Object.entries(before))
      for (const [document, more] of Object.entries({ 'one step less': less, 'its steps': { steps: both.steps } }))
        it(`over a pipeline ${what}, with ${document}, as the dry run has said`, async () => {
          const namespace = await cluster().namespace();
          await make(namespace);
          const wanted = manifest(namespace, more);
          const tried = await door().apply(wanted, { force: true, dryRun: true });
          const stored = await door().apply(wanted, { force: true });
          assert.deepEqual(stored.spec, withDefaults({ ...wanted.spec, sources: spec.sources, sinks: spec.sinks }));
          const written = ({ metadata: { labels = {} }, spec }: StoredPipeline) => ({ labels, spec });
          assert.deepEqual(written(tried), written(stored));
        });

    it('owns what it has written as any apply does: a label goes with the document', async () => {
      const namespace = await cluster().namespace();
      await byKubectl(namespace);
      const made = manifest(namespace, both);
      const labelled = { ...made, metadata: { ...made.metadata, labels: { tier: 'one' } } };
      const stored = await door().apply(labelled, { force: true });
      assert.deepEqual(stored.metadata.labels, { tier: 'one' });
      assert.deepEqual((await door().apply(made)).metadata.labels ?? {}, {});
    });

    it('takes over from one who has nothing left of the spec but the state', async () => {
      const namespace = await cluster().namespace();
      await door(fieldManagers.api).apply(manifest(namespace, less));
      const more = { spec: { steps: both.steps, desiredState: 'Paused' } };
      await cluster().kube.patchMerge(kind, 'orders', namespace, more, { fieldManager: 'kubectl-edit' });
      const stored = await door().apply(manifest(namespace, less), { force: true });
      assert.deepEqual([names(stored), stored.spec.desiredState], [['paid'], 'Paused']);
    });

    it('leaves what a command has set by itself', async () => {
      const namespace = await cluster().namespace();
      await door(fieldManagers.api).orphan(readPipeline(await byKubectl(namespace)));
      const stored = await door().apply(manifest(namespace, less), { force: true });
      assert.deepEqual([stored.spec.deletionPolicy, names(stored)], ['Orphan', ['paid']]);
    });

    const keepsTotal = /would keep what this document does not have: .*spec\.steps\[total\]/;

    it('changes nothing, and no owner, when the API server refuses it', async () => {
      const namespace = await cluster().namespace();
      await byKubectl(namespace);
      const read = () => cluster().kube.get(kind, 'orders', namespace);
      const untouched = await read();
      for (const dryRun of [true, false])
        await assert.rejects(
          door().apply(manifest(namespace, { ...less, isolation: 'Shared' }), { force: true, dryRun }),
          /MR_KUBERNETES_REFUSED: .*isolation must not change/,
        );
      assert.deepEqual(await read(), untouched);
      await assert.rejects(door().apply(manifest(namespace, less)), keepsTotal);
    });

    it('has said it all in one write, and what others own is named after a crash', async () => {
      const namespace = await cluster().namespace();
      await byKubectl(namespace);
      const { kube } = cluster();
      const ends = { ...kube, patchMerge: () => Promise.reject(new Error('crash')) };
      const document = manifest(namespace, { steps: both.steps, buffer: { maxBytes: '2Gi' } });
      const crashes = pipelineDoor(ends, fieldManagers.cli, withDefaults).apply(
        manifest(namespace, { steps: [step('total')], buffer: { maxBytes: '2Gi' } }),
        { force: true },
      );
      await assert.rejects(crashes, /crash/);
      const left = await door().get(namespace, 'orders');
      assert.deepEqual([names(left), left.spec.buffer.maxBytes], [['total'], '2Gi']);
      await assert.rejects(door().apply(manifest(namespace, less)), keepsTotal);
      assert.deepEqual(names(await door().apply(document)), ['paid', 'total']);
      // What the write that crashed has changed is this door's own, and goes with the document.
      const { buffer } = (await door().apply(manifest(namespace, { steps: both.steps }))).spec;
      assert.equal(buffer.maxBytes, '1Gi');
    });

    it('reads again when another was faster', async () => {
      const namespace = await cluster().namespace();
      await byKubectl(namespace);
      const { kube } = cluster();
      let reads = 0;
      const slow: typeof kube = {
        ...kube,
        async get(...asked) {
          const found = await kube.get(...asked);
          reads += 1;
          if (reads === 2)
            await door(fieldManagers.api).setDesiredState(await door().get(namespace, 'orders'), 'Paused');
          return found;
        },
      };
      const force = { force: true };
      const stored = await pipelineDoor(slow, fieldManagers.cli, withDefaults).apply(manifest(namespace, less), force);
      assert.deepEqual([stored.spec.desiredState, names(stored)], ['Paused', ['paid']]);
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
