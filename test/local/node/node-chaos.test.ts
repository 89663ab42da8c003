import { strictEqual } from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { randomOf } from '../../support/random.ts';
import { createObject, end, isReady, listPods, mainStatus, startCluster, type Cluster } from './support.ts';

const rounds = 8;
const replicas = 4;

/** All runs of this test's cluster that have processes: pod UID and run, and the processes of each. */
async function livingRuns(podsOf: string): Promise<Map<string, number[]>> {
  const runs = new Map<string, number[]>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    const entries = environ.split('\0');
    if (!entries.some((entry) => entry.startsWith('PATH=') && entry.includes(podsOf))) continue;
    const run = entries.find((entry) => entry.startsWith('MILLRACE_NODE_RUN='))?.split('=')[1];
    if (run !== undefined) runs.set(run, [...(runs.get(run) ?? []), Number(pid)]);
  }
  return runs;
}

describe('local node under kill -9', function () {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster('--backoff-base=100', '--backoff-max=500');
  });
  after(async () => {
    await cluster.stop();
  });

  it('G2: killed at any moment while pods come, go and die, it neither doubles nor forgets a process', async function () {
    const seed = randomInt(2 ** 31);
    const random = randomOf(seed);
    const labels = { app: 'herd' };
    await createObject(cluster.kube, 'deployments', {
      metadata: { name: 'herd' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'main', image: 'none', command: ['sh', '-c', 'sleep 1000 & wait'] }],
          },
        },
      },
    });
    const patch = (body: object) =>
      cluster.kube.json({
        method: 'PATCH',
        path: '/apis/apps/v1/namespaces/default/deployments/herd',
        contentType: 'application/merge-patch+json',
        body,
      });
    try {
      for (let round = 0; round < rounds; round++) {
        const annotations = { round: String(round) };
        if (random() < 0.5) await patch({ spec: { template: { metadata: { annotations } } } });
        await patch({ spec: { replicas: 1 + Math.floor(random() * 2 * replicas) } });
        const [victim] = [...(await livingRuns(cluster.dataDir)).values()];
        if (victim && random() < 0.5) process.kill(Math.max(...victim), 'SIGKILL');
        // The moment of the kill is the test's subject.
        await delay(random() * 1_500);
        await end(cluster.node, 'SIGKILL');
        if (round < rounds - 1) void cluster.startNode().catch(() => undefined);
        else await cluster.startNode();
      }
      await patch({ spec: { replicas } });
      await eventually(
        async () => {
          const pods = await listPods(cluster.kube, 'app=herd');
          strictEqual(pods.filter(isReady).length, replicas, 'ready pods');
          strictEqual(pods.length, replicas, 'pods');
          const wanted = pods.map((pod) => `${pod.metadata.uid}/main/${mainStatus(pod)?.restartCount ?? -1}`);
          const runs = await livingRuns(cluster.dataDir);
          strictEqual([...runs.keys()].toSorted().join('\n'), wanted.toSorted().join('\n'), 'runs with processes');
          for (const [run, pids] of runs) strictEqual(pids.length, 3, `processes of ${run}: shim, shell, sleep`);
        },
        { intervalMs: 200 },
      );
    } catch (error) {
      throw new Error(`with seed ${seed}`, { cause: error });
    }
  });
});
