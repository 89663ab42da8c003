import { match, ok, rejects, strictEqual } from 'node:assert/strict';
import { eventually } from '../../support/eventually.ts';
import {
  createPod,
  deletePod,
  followLogs,
  isReady,
  kubectl,
  mainStatus,
  podBecomes,
  type Cluster,
  withCluster,
} from './support.ts';

describe('logs of the local node', function () {
  let cluster: Cluster;

  withCluster((started) => (cluster = started));

  const logsOf = (pod: string, ...args: readonly string[]) => kubectl(cluster, 'logs', pod, ...args);

  it('shows all lines, the last lines, a part, and the time of each', async () => {
    await createPod(cluster.kube, {
      name: 'talks',
      container: { command: ['sh', '-c', 'echo one; echo two >&2; echo three'] },
      spec: { restartPolicy: 'Never' },
    });
    await podBecomes(cluster.kube, 'talks', (pod) => pod.status.phase === 'Succeeded');
    strictEqual(await logsOf('talks'), 'one\ntwo\nthree\n');
    strictEqual(await logsOf('talks', '--tail=1'), 'three\n');
    strictEqual(await logsOf('talks', '--limit-bytes=5'), 'one\nt');
    const stamped = (await logsOf('talks', '--timestamps')).trim().split('\n');
    strictEqual(stamped.length, 3);
    for (const line of stamped) match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (one|two|three)$/);
    const time = Date.parse(stamped[0]?.split(' ')[0] ?? '');
    ok(Math.abs(Date.now() - time) < 10_000);
    strictEqual(await logsOf('talks', '--since=1h'), 'one\ntwo\nthree\n');
    strictEqual(await logsOf('talks', `--since-time=${new Date(Date.now() + 60_000).toISOString()}`), '');
  });

  it('follows a container until it ends', async () => {
    await createPod(cluster.kube, {
      name: 'followed',
      container: {
        command: ['sh', '-c', 'trap "echo bye; exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'],
      },
    });
    await podBecomes(cluster.kube, 'followed', isReady);
    const followed = await followLogs(cluster, 'followed');
    await eventually(() => match(followed.text(), /^20$/m));
    await deletePod(cluster.kube, 'followed');
    await followed.ended;
    const lines = followed.text().trim().split('\n');
    strictEqual(lines.at(-1), 'bye');
    strictEqual(
      lines.slice(0, -1).join(),
      lines
        .slice(0, -1)
        .map((_, index) => index + 1)
        .join(),
    );
  });

  it('keeps the log of the run before', async () => {
    await createPod(cluster.kube, { name: 'twice', container: { command: ['sh', '-c', 'echo run; sleep 0.1'] } });
    const pod = await podBecomes(cluster.kube, 'twice', (seen) => mainStatus(seen)?.restartCount === 2);
    strictEqual(pod.status.phase, 'Running');
    match(await logsOf('twice', '--previous'), /^run\n$/);
    await deletePod(cluster.kube, 'twice');
  });

  it('says so when there is no run before', async () => {
    await createPod(cluster.kube, { name: 'first-run' });
    await podBecomes(cluster.kube, 'first-run', isReady);
    await rejects(
      logsOf('first-run', '--previous'),
      /previous terminated container "main" in pod "first-run" not found/,
    );
  });

  it('refuses exec and port-forward with a sentence that says what to do instead', async () => {
    await createPod(cluster.kube, { name: 'no-exec' });
    await podBecomes(cluster.kube, 'no-exec', isReady);
    await rejects(kubectl(cluster, 'exec', 'no-exec', '--', 'true'), /exec is not supported by the local node/);
    await rejects(
      kubectl(cluster, 'port-forward', 'no-exec', ':8080'),
      /port-forward is not supported by the local node: its containers are processes of this machine/,
    );
  });

  it('shows what happened to a pod as events', async () => {
    await createPod(cluster.kube, { name: 'eventful' });
    await podBecomes(cluster.kube, 'eventful', isReady);
    await eventually(async () => {
      match(
        await kubectl(cluster, 'describe', 'pod', 'eventful'),
        /Started.*millrace-local-node.*Started container main/,
      );
    });
  });
});
