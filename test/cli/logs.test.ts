import assert from 'node:assert/strict';
import { connectKube, type Kube } from '../../kubernetes/kube.ts';
import { apiVersion, kind, labels } from '../../model/names.ts';
import { isReady, podBecomes, startCluster, type Cluster } from '../local/node/support.ts';
import { eventually } from '../support/eventually.ts';
import { installCrd, spec } from '../workers/api/cluster.ts';
import { millrace, startMillrace } from './millrace.ts';

describe('logs of the pods of a pipeline, on the local node', function () {
  let cluster: Cluster;
  let kube: Kube;
  let env: Record<string, string>;
  let uid: string;

  before(async function () {
    cluster = await startCluster('--backoff-base=200');
    kube = connectKube(cluster.kubernetes.kubeconfigPath);
    env = { KUBECONFIG: cluster.kubernetes.kubeconfigPath };
    await installCrd(kube);
    const manifest = {
      apiVersion,
      kind,
      metadata: { name: 'orders', namespace: 'default' },
      spec: { ...spec, isolation: 'Shared' },
    } as const;
    const stored = await kube.apply(manifest, { fieldManager: 'test' });
    uid = stored.metadata.uid ?? '';
    await createPod('in-1', 'ingestor-orders', 'echo reading; exec sleep 1000');
    await createPod('out-1', 'sink-warehouse', 'echo writing; echo done; exec sleep 1000');
    await podBecomes(cluster.kube, 'in-1', isReady);
    await podBecomes(cluster.kube, 'out-1', isReady);
  });
  after(async () => {
    kube.close();
    await cluster.stop();
  });

  async function createPod(name: string, stage: string, script: string): Promise<void> {
    await kube.create(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { [labels.pipelineUid]: uid, [labels.stage]: stage } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'worker', image: 'none', command: ['sh', '-c', script] }],
        },
      },
      { fieldManager: 'person' },
    );
  }

  it('have the pod before each line', async () => {
    const lines = await eventually(async () => {
      const { stdout } = await millrace(['logs', 'orders'], { env });
      return stdout.includes('done') && stdout.includes('reading') ? stdout.split('\n').sort() : false;
    });
    assert.deepEqual(lines, ['', 'in-1 reading', 'out-1 done', 'out-1 writing']);
  });

  it('can be of one stage, and of the last lines only', async () => {
    const { stdout } = await millrace(['logs', 'orders', '--stage', 'sink-warehouse', '--tail', '1'], { env });
    assert.equal(stdout, 'out-1 done\n');
  });

  it('can be followed, to the next container of a pod and to new pods', async () => {
    const child = startMillrace(['logs', 'orders', '-f'], env);
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await eventually(() => out.includes('out-1 done'));
    await createPod('in-2', 'ingestor-orders', 'echo begins; sleep 1; exit 3');
    const begun = () => out.split('in-2 begins').length - 1;
    await eventually(() => begun() >= 2);
    child.kill('SIGINT');
    assert.equal(await ended, 0, err);
    assert.equal(out.split('out-1 done').length - 1, 1, 'no line twice');
  });
});
