import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKube } from '../../../kubernetes/kube.ts';
import { startKubernetes } from '../../../local/parts/kubernetes.ts';
import { ensurePki } from '../../../local/parts/kubernetes/pki.ts';
import { applyAddresses } from '../../../local/stack/addresses.ts';

describe('the addresses of a local stack', () => {
  it('are there as soon as a new API server answers, whether it has made the namespace or not, and follow', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-addresses-'));
    const kubernetes = await startKubernetes({ dir, controllers: false, unsafeNoFsync: true });
    const kube = connectKube(kubernetes.kubeconfigPath);
    try {
      const { ca, admin: user } = await ensurePki(join(dir, 'pki'), new Date());
      const access = { url: kubernetes.url, ca, user };
      for (const clickhouse of ['http://127.0.0.1:1', 'http://127.0.0.1:2']) {
        await applyAddresses(access, { clickhouse, kafka: undefined });
        const stored = await kube.get('ConfigMap', 'local-stack', 'default');
        assert.deepEqual(stored?.['data'], { clickhouse });
      }
    } finally {
      kube.close();
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
