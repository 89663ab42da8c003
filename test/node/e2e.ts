/**
 * `npm run e2e:node`: the image and the chart on a real kubelet and containerd, as root on Linux.
 *
 * Every step goes on from the one before, as a person's day does: install, the first pipeline, what its pods may do, trouble,
 * an edit under load, uninstall.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from '@nats-io/jwt';
import { z } from 'zod';
import { chart, helm, namespace, setting } from '../deploy/support/helm.ts';
import { Warehouse } from '../e2e/support/clickhouse.ts';
import { eventually } from '../support/eventually.ts';
import { startNodeCluster, type NodeCluster } from './support/cluster.ts';
import { startClickHouse, type HostClickHouse } from './support/host.ts';
import { makeImages } from './support/images.ts';
import { ctr } from './support/machine.ts';
import { whyNoNode } from './support/requirements.ts';
import { sh } from './support/shell.ts';
import { localVolumes } from './support/volumes.ts';

const missing = await whyNoNode();
if (missing.length > 0) {
  process.stderr.write(`This machine cannot be a node:\n${missing.map((one) => `  ${one}\n`).join('')}`);
  process.exit(3);
}

const root = join(import.meta.dirname, '..', '..');
/** Each slot makes every fourth number; when it ends, they are not equally far. */
const slots = 4;
const gaps = `SELECT slot, n, last FROM (
  SELECT (id - 1) % ${slots} AS slot, count() AS n, max(id) AS last FROM orders GROUP BY slot
) WHERE n != intDiv(last - 1 - slot, ${slots}) + 1`;
const twice = z.object({ v: z.coerce.number() });
const numbers = z.object({ rows: z.coerce.number(), ids: z.coerce.number(), last: z.coerce.number() });

/** NATS asks who one is, and by TLS, as under the production profile. */
const installed = ['profile=lab', 'nats.auth.enabled=true', 'nats.tls.mode=generated'];
const connections = z.looseObject({
  connections: z.array(z.looseObject({ name: z.string(), jwt: z.string(), tls_version: z.string() })),
});

/** Of a command that has failed. */
interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

describe('a real node', function () {
  let dir: string;
  let cluster: NodeCluster;
  let clickhouse: HostClickHouse;
  let warehouse: Warehouse;
  let workloads: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-e2e-node-'));
    cluster = await startNodeCluster(await makeImages(join(dir, 'images')));
    clickhouse = await startClickHouse(cluster.dir);
    warehouse = new Warehouse(clickhouse.url);
    await apply(await localVolumes(cluster.dir, 2));
    await kubectl('create', 'namespace', namespace);
    await kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
  });
  after(async () => {
    await clickhouse.stop();
    await cluster.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const kubectl = (...args: readonly string[]) => cluster.kubectl(...args);
  const ofChart = (...args: readonly string[]) => helm(args, cluster.kubeconfigPath);

  async function apply(text: string): Promise<void> {
    const file = join(dir, 'applied.yaml');
    await writeFile(file, text);
    await kubectl('apply', '-f', file);
  }

  /** 500 numbers a second, from 1 on, all of them into the table. */
  const pipeline = (steps = '') => `apiVersion: millrace.io/v1alpha1
kind: Pipeline
metadata: {name: orders, namespace: default}
spec:
  sources:
    - name: orders
      slots: ${slots}
      generator: {rate: 500, fields: [{name: id, kind: Sequence, min: 1}]}
${steps}  sinks:
    - name: warehouse
      clickhouse:
        url: ${clickhouse.url}
        table: orders
        createTable: {columns: [{name: id, type: Int64}, {name: v, type: Int64}], orderBy: [id]}
      batch: {maxDelay: 200ms}
`;

  async function rows(): Promise<z.output<typeof numbers>> {
    const query = 'SELECT count() AS rows, uniqExact(id) AS ids, max(id) AS last FROM orders';
    const [row] = z.tuple([numbers]).parse(await warehouse.rows(query));
    return row;
  }

  /** So many more have come. */
  async function moreRows(by = 500): Promise<void> {
    const before = (await rows()).last;
    await eventually(async () => ok((await rows()).last >= before + by));
  }

  /** None is there twice. */
  async function exact(): Promise<void> {
    const { rows: count, ids } = await rows();
    equal(count, ids);
  }

  /** A field, by its JSON path, of what `kubectl get` finds. */
  const fieldOf = async (path: string, ...what: readonly string[]) =>
    (await kubectl('get', ...what, '-o', `jsonpath={${path}}`)).trim();
  const ofPod = (pod: string, path: string) => fieldOf(path, '-n', workloads, 'pod', pod);
  const podOf = (stage: string) =>
    fieldOf('.items[0].metadata.name', '-n', workloads, 'pods', '-l', `millrace.io/stage=${stage}`);

  it('is installed by one command, and every process finds what it needs', async () => {
    await ofChart('install', 'millrace', chart, '--namespace', namespace, ...setting(installed));
    for (const name of ['deployment/millrace-controller', 'deployment/millrace-lifecycle', 'deployment/millrace-api'])
      await kubectl('-n', namespace, 'rollout', 'status', name, '--timeout=300s');
    match(await ofChart('test', 'millrace', '--namespace', namespace), /Succeeded/);
  });

  it('asks a controller before a pipeline is stored, by its Service and with the certificate that it made', async () => {
    const wrong = pipeline('  steps: [{name: twice, filter: {where: "record."}}]\n');
    await rejects(apply(wrong), /spec\.steps\[0\]\.filter\.where: expression does not compile/);
    const at = 'webhooks[0].clientConfig.caBundle';
    const bundle = await fieldOf(`.${at}`, 'validatingwebhookconfiguration', 'millrace-webhook');
    match(Buffer.from(bundle, 'base64').toString('utf8'), /BEGIN CERTIFICATE/);
  });

  it('has the rows of the first pipeline in a table', async () => {
    const startedAt = Date.now();
    await apply(pipeline());
    await kubectl('wait', 'pipeline/orders', '--for=condition=Ready', '--timeout=300s');
    await moreRows();
    process.stdout.write(`      rows after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s\n`);
    workloads = await fieldOf('.items[0].metadata.name', 'namespaces', '-l', 'millrace.io/pipeline=orders');
  });

  it('lets its pods in at NATS as a user of their own, by TLS, and everybody else as Millrace', async () => {
    const server = await fieldOf('.status.podIP', '-n', namespace, 'pod', 'millrace-nats-0');
    const said: unknown = await (await fetch(`http://${server}:8222/connz?auth=1`)).json();
    const open = connections.parse(said).connections;
    const usersOf = (...names: readonly string[]) => {
      const found = open.filter(({ name }) => names.some((one) => name.includes(one)));
      return new Set(found.map(({ jwt, tls_version: tls }) => `${decode(jwt).name} by TLS ${tls}`));
    };
    const pods = await Promise.all(['ingestor-orders', 'sink-warehouse'].map(podOf));
    deepEqual(usersOf(...pods), new Set(['default/orders by TLS 1.3']));
    deepEqual(usersOf('controller', 'lifecycle'), new Set(['millrace by TLS 1.3']));
  });

  it('lets its pods do nothing but their work', async () => {
    const look = `const { readFileSync, existsSync, writeFileSync } = require('node:fs');
      const status = readFileSync('/proc/1/status', 'utf8');
      const of = (name) => new RegExp('^' + name + ':\\\\s*(\\\\S+)', 'm').exec(status)[1];
      const write = (() => { try { writeFileSync('/x', ''); return 'written'; } catch (error) { return error.code; } })();
      const token = existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token');
      console.log(JSON.stringify([of('Uid'), of('CapEff'), of('CapBnd'), of('NoNewPrivs'), of('Seccomp'), write, token]));`;
    for (const stage of ['ingestor-orders', 'sink-warehouse']) {
      const said = await kubectl('-n', workloads, 'exec', await podOf(stage), '--', 'node', '-e', look);
      deepEqual(JSON.parse(said), ['65532', '0000000000000000', '0000000000000000', '1', '2', 'EROFS', false]);
    }
  });

  it('shows their logs by kubectl and by millrace', async () => {
    const pod = await podOf('sink-warehouse');
    match(await kubectl('-n', workloads, 'logs', pod), /slot acquired/);
    const millrace = join(root, 'cli/millrace.ts');
    const said = await sh(process.execPath, millrace, 'logs', 'orders', '--kubeconfig', cluster.kubeconfigPath);
    match(said, new RegExp(`${pod} INFO .*slot acquired`));
  });

  it('takes a sink that hangs out of service, and puts it back, without losing or repeating a row', async () => {
    const pod = await podOf('sink-warehouse');
    const pid = await pidOf(pod);
    process.kill(pid, 'SIGSTOP');
    try {
      await kubectl('-n', workloads, 'wait', `pod/${pod}`, '--for=condition=Ready=false', '--timeout=120s');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await kubectl('-n', workloads, 'wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=120s');
    await moreRows();
    await exact();
  });

  it('starts a sink again that is killed, without losing or repeating a row', async () => {
    const pod = await podOf('sink-warehouse');
    process.kill(await pidOf(pod), 'SIGKILL');
    await eventually(async () => equal(await ofPod(pod, '.status.containerStatuses[0].restartCount'), '1'));
    await moreRows();
    await exact();
  });

  it('carries out an edit under load, without losing or repeating a row', async () => {
    await apply(pipeline('  steps: [{name: twice, map: {set: {v: "record.id * 2"}}}]\n'));
    await eventually(async () => {
      const [{ v }] = z.tuple([twice]).parse(await warehouse.rows('SELECT max(v) AS v FROM orders'));
      ok(v > 0);
    });
    await moreRows();
    await exact();
  });

  it('is upgraded with the keys and the certificate of NATS that it has', async () => {
    const names = ['server', 'access', 'account', 'keep', 'tls'].map((part) => `millrace-nats-${part}`);
    const made = () => fieldOf('.items[*].data', '-n', namespace, 'secrets', ...names);
    const before = await made();
    await ofChart('upgrade', 'millrace', chart, '--namespace', namespace, ...setting([...installed, 'logLevel=debug']));
    equal(await made(), before);
    await kubectl('-n', namespace, 'rollout', 'status', 'deployment/millrace-lifecycle', '--timeout=300s');
    await moreRows();
    await exact();
  });

  it('keeps what is in NATS and Temporal when their pods are replaced', async () => {
    for (const name of ['millrace-nats-0', 'millrace-temporal-0']) {
      await kubectl('-n', namespace, 'delete', 'pod', name);
      await kubectl('-n', namespace, 'wait', `pod/${name}`, '--for=condition=Ready', '--timeout=300s');
    }
    await moreRows();
    await exact();
  });

  it('is not uninstalled while there are pipelines, and says how it is', async () => {
    await rejects(ofChart('uninstall', 'millrace', '--namespace', namespace, '--timeout', '5m'), (error: Said) => {
      match(
        `${error.stdout} ${error.stderr}`,
        /MR_UNINSTALL_BLOCKED.*default\/orders[^]*patch configmap millrace-uninstall/,
      );
      return true;
    });
    await moreRows(1);
  });

  it('drains them when that is asked for, and is gone, with every row in the table once', async () => {
    const policy = JSON.stringify({ data: { policy: 'Drain' } });
    await kubectl('-n', namespace, 'patch', 'configmap', 'millrace-uninstall', '--type', 'merge', '--patch', policy);
    await ofChart('uninstall', 'millrace', '--namespace', namespace, '--timeout', '10m');
    equal((await kubectl('get', 'pipelines', '--all-namespaces', '-o', 'name')).trim(), '');
    equal((await kubectl('get', 'namespaces', '-l', 'millrace.io/pipeline=orders', '-o', 'name')).trim(), '');
    await exact();
    deepEqual(await warehouse.rows(gaps), []);
  });

  /** Of the process in the pod's container, as the machine has it. */
  async function pidOf(pod: string): Promise<number> {
    const [, id = ''] = (await ofPod(pod, '.status.containerStatuses[0].containerID')).split('//');
    const tasks = await ctr(cluster.dir, 'tasks', 'ls');
    const line = tasks.split('\n').find((each) => each.startsWith(id)) ?? '';
    return Number(line.trim().split(/\s+/)[1]);
  }
});
