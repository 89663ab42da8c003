import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startNode } from '../../../local/node/node.ts';
import { eventually } from '../../support/eventually.ts';
import {
  areGone,
  createPod,
  deletePod,
  end,
  getPod,
  isReady,
  kubectl,
  mainStatus,
  podBecomes,
  podIsGone,
  processesOf,
  readySince,
  type Cluster,
  withCluster,
} from './support.ts';

const ticking = ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'];

describe('local node that dies and returns', function () {
  let cluster: Cluster;

  withCluster((started) => (cluster = started));
  afterEach(async () => {
    // A test that failed half-way must not leave the next one without a node.
    if (cluster.node.exitCode !== null || cluster.node.signalCode !== null) await cluster.startNode();
  });

  it('G2: finds the processes of its pods again, ready all the while, and their output goes on', async () => {
    await createPod(cluster.kube, {
      name: 'survivor',
      container: {
        command: ticking,
        readinessProbe: { exec: { command: ['true'] }, initialDelaySeconds: 0, periodSeconds: 1 },
      },
    });
    const before = await podBecomes(cluster.kube, 'survivor', isReady);
    const processes = (await processesOf(before)).slice(0, 2);
    await end(cluster.node, 'SIGKILL');
    ok(!(await areGone(processes)), 'they live on without the node');
    await cluster.startNode();
    const lines = (text: string) => text.trim().split('\n').map(Number);
    const seen = await eventually(async () => {
      const now = lines(await kubectl(cluster, 'logs', 'survivor'));
      ok(now.length > 10);
      return now;
    });
    deepStrictEqual(
      seen,
      seen.map((_, index) => index + 1),
      'no line is lost or repeated',
    );
    deepStrictEqual((await processesOf(before)).slice(0, 2), processes, 'the same processes');
    const after = await getPod(cluster.kube, 'survivor');
    ok(isReady(after));
    strictEqual(readySince(after), readySince(before));
    strictEqual(mainStatus(after)?.restartCount, 0);
    strictEqual(after.status.podIP, before.status.podIP);
    await deletePod(cluster.kube, 'survivor');
    await podIsGone(cluster.kube, 'survivor');
    ok(await areGone(processes));
  });

  it('G2: sees at once that a process it found again was killed, and restarts it once', async () => {
    await createPod(cluster.kube, { name: 'adopted' });
    const before = await podBecomes(cluster.kube, 'adopted', isReady);
    await end(cluster.node, 'SIGKILL');
    await cluster.startNode();
    const processes = await processesOf(before);
    strictEqual(processes.length, 2);
    process.kill(processes.at(-1)?.pid ?? 0, 'SIGKILL');
    const after = await podBecomes(
      cluster.kube,
      'adopted',
      (pod) => mainStatus(pod)?.restartCount === 1 && isReady(pod),
    );
    strictEqual(mainStatus(after)?.lastState.terminated?.exitCode, 137, 'the shim kept the exit code');
    ok(await areGone(processes));
  });

  it('G2: ends the processes of a pod that was deleted while no node ran', async () => {
    await createPod(cluster.kube, { name: 'deleted-meanwhile' });
    await createPod(cluster.kube, { name: 'forced-meanwhile' });
    const processes = [
      ...(await processesOf(await podBecomes(cluster.kube, 'deleted-meanwhile', isReady))),
      ...(await processesOf(await podBecomes(cluster.kube, 'forced-meanwhile', isReady))),
    ];
    strictEqual(processes.length, 4);
    await end(cluster.node, 'SIGKILL');
    await deletePod(cluster.kube, 'deleted-meanwhile');
    await deletePod(cluster.kube, 'forced-meanwhile', '?gracePeriodSeconds=0');
    await cluster.startNode();
    await podIsGone(cluster.kube, 'deleted-meanwhile');
    await podIsGone(cluster.kube, 'forced-meanwhile');
    await eventually(async () => ok(await areGone(processes)));
  });

  it('H3: knows the exit code of a container that ended while no node ran', async () => {
    await createPod(cluster.kube, {
      name: 'ended-meanwhile',
      container: { command: ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.05; done'] },
      spec: { restartPolicy: 'Never' },
    });
    const pod = await podBecomes(cluster.kube, 'ended-meanwhile', isReady);
    const [, main] = await processesOf(pod);
    await end(cluster.node, 'SIGKILL');
    process.kill(main?.pid ?? 0, 'SIGTERM');
    await eventually(async () => strictEqual((await processesOf(pod)).length, 0));
    await cluster.startNode();
    const after = await podBecomes(cluster.kube, 'ended-meanwhile', (seen) => seen.status.phase === 'Failed');
    strictEqual(mainStatus(after)?.state.terminated?.exitCode, 7);
  });

  it('restarts a container whose shim was killed, and leaves nothing of the run before', async () => {
    await createPod(cluster.kube, { name: 'shimless' });
    const pod = await podBecomes(cluster.kube, 'shimless', isReady);
    const processes = await processesOf(pod);
    process.kill(processes[0]?.pid ?? 0, 'SIGKILL');
    const after = await podBecomes(
      cluster.kube,
      'shimless',
      (seen) => mainStatus(seen)?.restartCount === 1 && isReady(seen),
    );
    strictEqual(mainStatus(after)?.lastState.terminated?.reason, 'ContainerStatusUnknown');
    ok(await areGone(processes));
    strictEqual((await processesOf(after, 1)).length, 2);
  });

  it('G3: on SIGTERM ends all processes and leaves the pods, which start again with the next node', async () => {
    await createPod(cluster.kube, { name: 'resumes' });
    const processes = await processesOf(await podBecomes(cluster.kube, 'resumes', isReady));
    await end(cluster.node, 'SIGTERM');
    ok(await areGone(processes));
    const stopped = await getPod(cluster.kube, 'resumes');
    ok(!isReady(stopped));
    strictEqual(stopped.metadata.deletionTimestamp, undefined);
    await cluster.startNode();
    await podBecomes(cluster.kube, 'resumes', (pod) => mainStatus(pod)?.restartCount === 1 && isReady(pod));
  });

  it('X4: a pod with restartPolicy Never that the node interrupted has failed', async () => {
    await createPod(cluster.kube, {
      name: 'never',
      container: { command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'] },
      spec: { restartPolicy: 'Never' },
    });
    await podBecomes(cluster.kube, 'never', isReady);
    await end(cluster.node, 'SIGTERM');
    await cluster.startNode();
    const pod = await podBecomes(cluster.kube, 'never', (seen) => seen.status.phase === 'Failed');
    strictEqual(mainStatus(pod)?.restartCount, 0);
  });

  it('goes on when the API server was away', async () => {
    await createPod(cluster.kube, { name: 'outage' });
    const pod = await podBecomes(cluster.kube, 'outage', isReady);
    const apiserver = cluster.kubernetes.processes.find(({ name }) => name === 'kube-apiserver');
    apiserver?.kill('SIGSTOP');
    const [, main] = await processesOf(pod);
    process.kill(main?.pid ?? 0, 'SIGKILL');
    try {
      await eventually(async () => strictEqual((await processesOf(pod, 1)).length, 2));
    } finally {
      apiserver?.kill('SIGCONT');
    }
    await podBecomes(cluster.kube, 'outage', (seen) => mainStatus(seen)?.restartCount === 1 && isReady(seen));
  });

  it('G3: on SIGTERM ends all processes though the API server hangs', async () => {
    await createPod(cluster.kube, { name: 'hung' });
    const processes = await processesOf(await podBecomes(cluster.kube, 'hung', isReady));
    const apiserver = cluster.kubernetes.processes.find(({ name }) => name === 'kube-apiserver');
    apiserver?.kill('SIGSTOP');
    try {
      const asked = Date.now();
      await end(cluster.node, 'SIGTERM');
      ok(Date.now() - asked < 8_000);
      ok(await areGone(processes));
    } finally {
      apiserver?.kill('SIGCONT');
    }
    await cluster.startNode();
    await podBecomes(cluster.kube, 'hung', (pod) => mainStatus(pod)?.restartCount === 1 && isReady(pod));
  });

  it('refuses a kubelet port that is in use, by name of the flag', async () => {
    await rejects(
      startNode({
        kubeconfig: cluster.kubernetes.kubeconfigPath,
        dataDir: join(cluster.dir, 'second'),
        kubeletPort: Number(new URL(cluster.kubernetes.url).port),
      }),
      { code: 'MR_PORT_IN_USE', message: /Port \d+ for the local node is in use/ },
    );
  });

  it('keeps nothing of deleted pods in its data directory', async () => {
    const pods = ['adopted', 'ended-meanwhile', 'shimless', 'resumes', 'never', 'outage', 'hung'];
    for (const name of pods) await deletePod(cluster.kube, name);
    for (const name of pods) await podIsGone(cluster.kube, name);
    await eventually(async () => deepStrictEqual(await readdir(join(cluster.dataDir, 'pods')), []));
  });
});
