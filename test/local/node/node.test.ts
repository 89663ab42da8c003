import { ok, strictEqual, match } from 'node:assert/strict';
import { z } from 'zod';
import { eventually } from '../../support/eventually.ts';
import {
  areGone,
  createObject,
  createPod,
  deletePod,
  getPod,
  isReady,
  kubectl,
  listPods,
  mainStatus,
  podBecomes,
  podIsGone,
  processesOf,
  type Cluster,
  withCluster,
} from './support.ts';

describe('local node', function () {
  let cluster: Cluster;

  withCluster((started) => (cluster = started));

  const logsOf = (pod: string, ...args: readonly string[]) => kubectl(cluster, 'logs', pod, ...args);

  it('runs the pods of a Deployment, each with an address of its own, until it is available', async () => {
    const labels = { app: 'pair' };
    await createObject(cluster.kube, 'deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'pair' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              {
                name: 'main',
                image: 'none',
                command: ['node', '-e'],
                args: ['require("http").createServer((q, s) => s.end("ok")).listen(8080, process.env.IP)'],
                env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
                ports: [{ name: 'http', containerPort: 8080 }],
                readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    });
    const deployment = z.object({ status: z.object({ availableReplicas: z.number() }) });
    await eventually(async () => {
      const path = '/apis/apps/v1/namespaces/default/deployments/pair';
      strictEqual(deployment.parse(await cluster.kube.json({ path })).status.availableReplicas, 2);
    });
    const addresses = (await listPods(cluster.kube, 'app=pair')).map((pod) => pod.status.podIP ?? '');
    strictEqual(new Set(addresses).size, 2);
    for (const address of addresses) match(address, /^127\.\d+\.\d+\.\d+$/);
  });

  it('brings env, args and mounted files to the process, with mount paths that lead to the files', async () => {
    await createObject(cluster.kube, 'configmaps', { metadata: { name: 'plan' }, data: { 'plan.json': '{"n":1}' } });
    await createObject(cluster.kube, 'secrets', { metadata: { name: 'keys' }, stringData: { user: 'ann' } });
    await createPod(cluster.kube, {
      name: 'inputs',
      container: {
        command: ['sh', '-c', 'cat "$PLAN_FILE" "$0"; echo " $NAME $USERNAME $GREETING"', '/etc/keys/user'],
        env: [
          { name: 'PLAN_FILE', value: '/etc/plan/plan.json' },
          { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'USERNAME', valueFrom: { secretKeyRef: { name: 'keys', key: 'user' } } },
          { name: 'GREETING', value: 'hi $(USERNAME)' },
        ],
        volumeMounts: [
          { name: 'plan', mountPath: '/etc/plan' },
          { name: 'keys', mountPath: '/etc/keys' },
        ],
      },
      spec: {
        restartPolicy: 'Never',
        volumes: [
          { name: 'plan', configMap: { name: 'plan' } },
          { name: 'keys', secret: { secretName: 'keys' } },
        ],
      },
    });
    await podBecomes(cluster.kube, 'inputs', (pod) => pod.status.phase === 'Succeeded');
    strictEqual(await logsOf('inputs'), '{"n":1}ann inputs ann hi ann\n');
  });

  it('brings a changed ConfigMap to the files of a running pod', async () => {
    await createObject(cluster.kube, 'configmaps', { metadata: { name: 'live' }, data: { level: 'one' } });
    await createPod(cluster.kube, {
      name: 'follower',
      container: {
        command: ['sh', '-c', 'while :; do cat "$0"; echo; sleep 0.1; done', '/etc/live/level'],
        volumeMounts: [{ name: 'live', mountPath: '/etc/live' }],
      },
      spec: { volumes: [{ name: 'live', configMap: { name: 'live' } }] },
    });
    await podBecomes(cluster.kube, 'follower', isReady);
    await cluster.kube.json({
      method: 'PATCH',
      path: '/api/v1/namespaces/default/configmaps/live',
      contentType: 'application/merge-patch+json',
      body: { data: { level: 'two' } },
    });
    await eventually(async () => match(await logsOf('follower', '--tail=1'), /^two$/m));
  });

  it('holds a container whose Secret is missing, says so, and starts it when the Secret appears', async () => {
    await createPod(cluster.kube, {
      name: 'waits',
      container: { env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'later', key: 'key' } } }] },
    });
    const waiting = await podBecomes(
      cluster.kube,
      'waits',
      (pod) => mainStatus(pod)?.state.waiting?.reason === 'CreateContainerConfigError',
    );
    strictEqual(mainStatus(waiting)?.state.waiting?.message, 'secret "later" not found');
    await createObject(cluster.kube, 'secrets', { metadata: { name: 'later' }, stringData: { key: 'k' } });
    await podBecomes(cluster.kube, 'waits', isReady);
  });

  it('holds a pod whose volume needs a missing ConfigMap, and starts it when it appears', async () => {
    await createPod(cluster.kube, {
      name: 'waits-for-volume',
      container: { volumeMounts: [{ name: 'late', mountPath: '/late' }] },
      spec: { volumes: [{ name: 'late', configMap: { name: 'late' } }] },
    });
    const waiting = await podBecomes(
      cluster.kube,
      'waits-for-volume',
      (pod) => mainStatus(pod)?.state.waiting?.message !== undefined,
    );
    strictEqual(mainStatus(waiting)?.state.waiting?.message, 'configmap "late" not found');
    strictEqual(waiting.status.phase, 'Pending');
    await createObject(cluster.kube, 'configmaps', { metadata: { name: 'late' }, data: {} });
    await podBecomes(cluster.kube, 'waits-for-volume', isReady);
  });

  it('refuses a container without command with a reason that says what to do', async () => {
    await createPod(cluster.kube, { name: 'no-command', container: { command: undefined } });
    const pod = await podBecomes(
      cluster.kube,
      'no-command',
      (seen) => mainStatus(seen)?.state.waiting?.reason === 'NoCommand',
    );
    match(mainStatus(pod)?.state.waiting?.message ?? '', /has no command/);
  });

  it('reports a program that is not there as StartError', async () => {
    await createPod(cluster.kube, { name: 'no-program', container: { command: ['no-such-program'] } });
    const pod = await podBecomes(
      cluster.kube,
      'no-program',
      (seen) => mainStatus(seen)?.lastState.terminated !== undefined,
    );
    const { exitCode, reason, message } = mainStatus(pod)?.lastState.terminated ?? {};
    strictEqual(exitCode, 128);
    strictEqual(reason, 'StartError');
    strictEqual(message, 'exec: "no-such-program": executable file not found in $PATH');
  });

  it('runs init containers one after the other before the others', async () => {
    const init = (name: string, word: string) => ({
      name,
      image: 'none',
      command: ['sh', '-c', `echo ${word} >> "$0"`, '/share/words'],
      volumeMounts: [{ name: 'share', mountPath: '/share' }],
    });
    await createPod(cluster.kube, {
      name: 'with-init',
      container: { command: ['cat', '/share/words'], volumeMounts: [{ name: 'share', mountPath: '/share' }] },
      spec: {
        restartPolicy: 'Never',
        initContainers: [init('first', 'one'), init('second', 'two')],
        volumes: [{ name: 'share', emptyDir: {} }],
      },
    });
    await podBecomes(cluster.kube, 'with-init', (pod) => pod.status.phase === 'Succeeded');
    strictEqual(await logsOf('with-init'), 'one\ntwo\n');
  });

  it('keeps a pod unready while its readiness probe fails, and ready when it succeeds', async () => {
    await createPod(cluster.kube, {
      name: 'readiness',
      container: {
        command: ['sh', '-c', 'until [ -e "$0/go" ]; do sleep 0.1; done; : >"$0/ready"; exec sleep 1000', '/gate'],
        readinessProbe: { exec: { command: ['sh', '-c', 'test -e "$0"', '/gate/ready'] }, periodSeconds: 1 },
        volumeMounts: [{ name: 'gate', mountPath: '/gate' }],
      },
      spec: { volumes: [{ name: 'gate', configMap: { name: 'gate' } }] },
    });
    await createObject(cluster.kube, 'configmaps', { metadata: { name: 'gate' }, data: {} });
    const running = await podBecomes(cluster.kube, 'readiness', (pod) => mainStatus(pod)?.state.running !== undefined);
    ok(!isReady(running));
    await cluster.kube.json({
      method: 'PATCH',
      path: '/api/v1/namespaces/default/configmaps/gate',
      contentType: 'application/merge-patch+json',
      body: { data: { go: '' } },
    });
    await podBecomes(cluster.kube, 'readiness', isReady);
    strictEqual(mainStatus(await getPod(cluster.kube, 'readiness'))?.restartCount, 0);
  });

  it('restarts a container whose liveness probe fails', async () => {
    await createPod(cluster.kube, {
      name: 'liveness',
      container: { livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 } },
    });
    const pod = await podBecomes(cluster.kube, 'liveness', (seen) => (mainStatus(seen)?.restartCount ?? 0) >= 1);
    strictEqual(mainStatus(pod)?.lastState.terminated?.exitCode, 143);
    await deletePod(cluster.kube, 'liveness');
  });

  it('backs off from a container that ends again and again, and keeps its exit code', async () => {
    await createPod(cluster.kube, { name: 'crashes', container: { command: ['sh', '-c', 'exit 3'] } });
    const pod = await podBecomes(
      cluster.kube,
      'crashes',
      (seen) => mainStatus(seen)?.restartCount === 3 && mainStatus(seen)?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    strictEqual(mainStatus(pod)?.lastState.terminated?.exitCode, 3);
    strictEqual(mainStatus(pod)?.lastState.terminated?.reason, 'Error');
    strictEqual(pod.status.phase, 'Running');
    await deletePod(cluster.kube, 'crashes');
    await podIsGone(cluster.kube, 'crashes');
  });

  it('ends a Job when its pod completes', async () => {
    await createObject(cluster.kube, 'jobs', {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: {
        template: {
          spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none', command: ['echo', 'done'] }] },
        },
      },
    });
    const job = z.object({ status: z.object({ succeeded: z.number() }) });
    await eventually(async () => {
      const path = '/apis/batch/v1/namespaces/default/jobs/once';
      strictEqual(job.parse(await cluster.kube.json({ path })).status.succeeded, 1);
    });
  });

  it('restarts a container whose process was killed, once and at once', async () => {
    await createPod(cluster.kube, { name: 'killed' });
    const before = await podBecomes(cluster.kube, 'killed', isReady);
    const processes = await processesOf(before);
    process.kill(processes.at(-1)?.pid ?? 0, 'SIGKILL');
    const after = await podBecomes(
      cluster.kube,
      'killed',
      (pod) => mainStatus(pod)?.restartCount === 1 && isReady(pod),
    );
    strictEqual(mainStatus(after)?.lastState.terminated?.exitCode, 137);
    ok(await areGone(processes));
    strictEqual((await processesOf(after, 1)).length, 2);
  });

  it('ends a deleted pod by SIGTERM, with what it started, and forgets it', async () => {
    await createPod(cluster.kube, {
      name: 'deleted',
      container: { command: ['sh', '-c', 'sleep 1000 & trap "exit 0" TERM; wait'] },
      spec: { terminationGracePeriodSeconds: 30 },
    });
    const pod = await podBecomes(cluster.kube, 'deleted', isReady);
    const processes = await processesOf(pod);
    strictEqual(processes.length, 3);
    await deletePod(cluster.kube, 'deleted');
    await podIsGone(cluster.kube, 'deleted');
    ok(await areGone(processes));
  });

  it('kills a pod that ignores SIGTERM when its grace period is over', async () => {
    await createPod(cluster.kube, {
      name: 'stubborn',
      container: { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] },
    });
    const processes = await processesOf(await podBecomes(cluster.kube, 'stubborn', isReady));
    const asked = Date.now();
    await deletePod(cluster.kube, 'stubborn');
    await podIsGone(cluster.kube, 'stubborn');
    ok(Date.now() - asked >= 1_500, 'it had its two seconds');
    ok(await areGone(processes));
  });

  it('forgets a pod that was deleted by force', async () => {
    await createPod(cluster.kube, { name: 'forced' });
    const processes = await processesOf(await podBecomes(cluster.kube, 'forced', isReady));
    await deletePod(cluster.kube, 'forced', '?gracePeriodSeconds=0');
    await eventually(async () => ok(await areGone(processes)));
  });
});
