import { match, ok, strictEqual } from 'node:assert/strict';
import { eventually } from '../../support/eventually.ts';
import {
  areGone,
  createObject,
  createPod,
  deletePod,
  followLogs,
  getPod,
  isReady,
  kubectl,
  mainStatus,
  podBecomes,
  podIsGone,
  processesOf,
  type Cluster,
  withCluster,
} from './support.ts';

const server = (answers: string) =>
  `const s = require("http").createServer((q, a) => { ${answers} }); s.listen(8080, process.env.IP)`;
const ip = [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }];

describe('probes and hooks of the local node', function () {
  let cluster: Cluster;

  withCluster((started) => (cluster = started));

  it('R1: holds liveness back until the startup probe has succeeded', async () => {
    await createPod(cluster.kube, {
      name: 'slow-start',
      container: {
        command: [
          'node',
          '-e',
          `const t = Date.now(); ${server('a.statusCode = Date.now() - t < 1500 ? 503 : 200; a.end()')}`,
        ],
        env: ip,
        startupProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 20 },
        livenessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
      },
    });
    const pod = await podBecomes(cluster.kube, 'slow-start', isReady);
    strictEqual(mainStatus(pod)?.restartCount, 0);
  });

  it('R2: restarts a container whose startup probe fails for good', async () => {
    await createPod(cluster.kube, {
      name: 'never-started',
      container: { startupProbe: { tcpSocket: { port: 9 }, periodSeconds: 1, failureThreshold: 2 } },
    });
    const pod = await podBecomes(cluster.kube, 'never-started', (seen) => (mainStatus(seen)?.restartCount ?? 0) >= 1);
    ok(!isReady(pod));
    await deletePod(cluster.kube, 'never-started');
  });

  it('reaches a pod by tcpSocket at its own address', async () => {
    await createPod(cluster.kube, {
      name: 'tcp',
      container: {
        command: ['node', '-e', server('a.end()')],
        env: ip,
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1 },
      },
    });
    await podBecomes(cluster.kube, 'tcp', isReady);
  });

  it('becomes unready when the readiness probe fails, without a restart, and says why in an event', async () => {
    await createObject(cluster.kube, 'configmaps', { metadata: { name: 'health' }, data: { ok: '' } });
    await createPod(cluster.kube, {
      name: 'turns-bad',
      container: {
        readinessProbe: { exec: { command: ['test', '-e', '/health/ok'] }, periodSeconds: 1, failureThreshold: 1 },
        volumeMounts: [{ name: 'health', mountPath: '/health' }],
      },
      spec: { volumes: [{ name: 'health', configMap: { name: 'health' } }] },
    });
    await podBecomes(cluster.kube, 'turns-bad', isReady);
    await cluster.kube.json({
      method: 'PATCH',
      path: '/api/v1/namespaces/default/configmaps/health',
      contentType: 'application/merge-patch+json',
      body: { data: { ok: null } },
    });
    const pod = await podBecomes(cluster.kube, 'turns-bad', (seen) => !isReady(seen));
    strictEqual(mainStatus(pod)?.restartCount, 0);
    await eventually(async () =>
      match(
        await kubectl(cluster, 'describe', 'pod', 'turns-bad'),
        /Unhealthy.*Readiness probe failed: command exited with 1/,
      ),
    );
  });

  it('U2: runs the preStop hook before SIGTERM', async () => {
    const script = 'trap "cat \\"$0\\"; exit 0" TERM; echo up; while :; do sleep 0.05; done';
    await createPod(cluster.kube, {
      name: 'hooked',
      container: {
        command: ['sh', '-c', script, '/share/said'],
        volumeMounts: [{ name: 'share', mountPath: '/share' }],
        lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo hook > "$0"', '/share/said'] } } },
      },
      spec: { volumes: [{ name: 'share', emptyDir: {} }], terminationGracePeriodSeconds: 10 },
    });
    await podBecomes(cluster.kube, 'hooked', isReady);
    const followed = await followLogs(cluster, 'hooked');
    await eventually(() => strictEqual(followed.text(), 'up\n'));
    await deletePod(cluster.kube, 'hooked');
    await followed.ended;
    strictEqual(followed.text(), 'up\nhook\n');
    await podIsGone(cluster.kube, 'hooked');
  });

  it('fails a pod that runs longer than its deadline', async () => {
    await createPod(cluster.kube, { name: 'too-long', spec: { activeDeadlineSeconds: 1 } });
    const before = await podBecomes(cluster.kube, 'too-long', (pod) => mainStatus(pod)?.state.running !== undefined);
    const processes = await processesOf(before);
    const pod = await podBecomes(cluster.kube, 'too-long', (seen) => seen.status.phase === 'Failed');
    strictEqual(pod.status.reason, 'DeadlineExceeded');
    await eventually(async () => ok(await areGone(processes)));
    strictEqual((await getPod(cluster.kube, 'too-long')).status.phase, 'Failed');
  });

  it('refuses a sidecar with a reason', async () => {
    const sidecar = { name: 'side', image: 'none', command: ['sleep', '1000'], restartPolicy: 'Always' };
    await createPod(cluster.kube, { name: 'sidecar', spec: { initContainers: [sidecar] } });
    const pod = await podBecomes(
      cluster.kube,
      'sidecar',
      (seen) => seen.status.initContainerStatuses[0]?.state.waiting?.reason === 'UnsupportedField',
    );
    match(pod.status.initContainerStatuses[0]?.state.waiting?.message ?? '', /the local node has no sidecars/);
  });
});
