/** What happens to pipelines before Millrace is uninstalled. */
import { deepEqual, match, rejects } from 'node:assert/strict';
import type { MillraceError } from '../../model/errors.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { beforeUninstall } from '../../workers/uninstall/before-uninstall.ts';
import type { UninstallPolicy } from '../../model/uninstall-policy.ts';

const notFound = new KubeError('404 page not found', {
  ...{ situation: '404', status: 404, causes: [], request: 'list Pipeline', server: 'here' },
  asked: { verb: 'LIST', group: 'millrace.io', resource: 'pipelines' },
});

describe('before Millrace is uninstalled', () => {
  /** `looks`: how many lists each pipeline is still in after it was deleted. */
  function world(names: readonly string[], looks: number, odd: { failure?: Error; hasKind?: boolean } = {}) {
    const deleted: string[] = [];
    const said: string[] = [];
    let elapsed = 0;
    let lists = 0;
    const items = names.map((name): KubeObject => ({
      metadata: { name, namespace: 'shop', uid: `uid-${name}` },
      status: { phase: 'Deleting', operation: { id: '1', type: 'teardown', step: `drain ${name}`, startedAt: '' } },
    }));
    const run = (policy: UninstallPolicy, timeoutMs = 60_000) =>
      beforeUninstall(policy, {
        kube: {
          list: () => {
            if (odd.failure !== undefined) return Promise.reject(odd.failure);
            const isGone = deleted.length > 0 && lists++ >= looks;
            return Promise.resolve({ items: isGone ? [] : items, resourceVersion: '' });
          },
          delete: (_kind, name, namespace, only) => {
            deleted.push(`${namespace ?? ''}/${name} ${only?.uid ?? ''}`);
            return Promise.resolve(true);
          },
        },
        hasKind: () => Promise.resolve(odd.hasKind ?? true),
        clock: {
          now: () => elapsed,
          monotonic: () => elapsed,
          sleep: (ms) => Promise.resolve(void (elapsed += ms)),
          after: () => () => undefined,
          turn: () => Promise.resolve(),
        },
        say: (line) => said.push(line),
        timeoutMs,
        saidIn: 'millrace-system/millrace-uninstall',
      });
    return { run, deleted, said };
  }

  for (const policy of ['Block', 'Drain', 'Orphan'] as const)
    it(`P1–P3: ${policy} does nothing when there are none`, async () => {
      const { run, deleted, said } = world([], 0);
      await run(policy);
      deepEqual([deleted, said], [[], ['there are no pipelines']]);
    });

  it('P1: Block names them, and deletes none', async () => {
    const { run, deleted } = world(['orders', 'users'], 0);
    await rejects(run('Block'), /MR_UNINSTALL_BLOCKED.*\(2 pipelines\): shop\/orders, shop\/users/);
    await rejects(run('Block'), ({ fix }: MillraceError) => {
      match(fix, /kubectl --namespace millrace-system patch configmap millrace-uninstall .*"policy":"Drain"/);
      return true;
    });
    deepEqual(deleted, []);
  });

  it('P2: Drain deletes each by its uid, says what is left, and ends when all are gone', async () => {
    const { run, deleted, said } = world(['orders', 'users'], 3);
    await run('Drain');
    deepEqual(deleted, ['shop/orders uid-orders', 'shop/users uid-users']);
    deepEqual(said, [
      'deleting 2 pipelines: shop/orders, shop/users',
      '2 left: shop/orders (Deleting, drain orders); shop/users (Deleting, drain users)',
      'all pipelines are gone',
    ]);
  });

  it('P2: one that is not gone in time keeps the control plane, which is still at work on it', async () => {
    const { run } = world(['orders'], 1_000);
    await rejects(run('Drain', 5_000), /MR_UNINSTALL_UNFINISHED.*shop\/orders \(Deleting, drain orders\)/);
  });

  it('P3: Orphan leaves them, and says what that means', async () => {
    const { run, deleted, said } = world(['orders'], 0);
    await run('Orphan');
    deepEqual(deleted, []);
    match(said.join(), /1 pipeline left as they are: shop\/orders.*until Millrace is installed again/);
  });

  it('P4: where the kind is gone, there are none', async () => {
    const { run, said } = world(['orders'], 0, { failure: notFound, hasKind: false });
    await run('Block');
    deepEqual(said, ['there are no pipelines']);
  });

  for (const policy of ['Block', 'Drain', 'Orphan'] as const)
    it(`P4: a 404 proves nothing: ${policy} fails, and the control plane stays`, async () => {
      const { run, deleted } = world(['orders'], 0, { failure: notFound });
      await rejects(run(policy), notFound);
      deepEqual(deleted, []);
    });

  it('names the first twenty of many', async () => {
    const { run } = world(
      Array.from({ length: 30 }, (_, n) => `p${n}`),
      0,
    );
    await rejects(run('Block'), /shop\/p19 and 10 more/);
  });
});
