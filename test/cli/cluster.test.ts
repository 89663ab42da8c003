import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { storedPipeline } from '../../client/wire.ts';
import { apiVersion, kind } from '../../model/names.ts';
import { freePort } from '../../local/ports.ts';
import { eventually } from '../support/eventually.ts';
import { condition, converged, spec, useCluster } from '../workers/api/cluster.ts';
import { millrace, startMillrace, type Ran } from './millrace.ts';

const person = { fieldManager: 'person' };
const keptBack = { metadata: { finalizers: ['millrace.io/cleanup'] } };
const released = { metadata: { finalizers: [] } };

describe('commands on a cluster', function () {
  const cluster = useCluster();
  let directory: string;
  let namespace: string;
  let env: Record<string, string>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    env = { KUBECONFIG: cluster().kubernetes.kubeconfigPath };
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const run = (...args: string[]): Promise<Ran> => millrace([...args, '-n', namespace], { env });
  const manifest = (more: object = {}, name = 'orders') => ({
    apiVersion,
    kind,
    metadata: { name },
    spec: { ...spec, ...more },
  });

  async function file(content: unknown): Promise<string> {
    const path = join(directory, 'pipeline.yaml');
    await writeFile(path, typeof content === 'string' ? content : stringify(content));
    return path;
  }

  async function stored(name = 'orders') {
    return storedPipeline.parse(await cluster().kube.get(kind, name, namespace));
  }

  describe('apply', () => {
    it('says what it did: created, configured, unchanged', async () => {
      assert.deepEqual(await run('apply', await file(manifest())), {
        code: 0,
        stdout: 'pipeline/orders created\n',
        stderr: '',
      });
      assert.equal((await run('apply', await file(manifest()))).stdout, 'pipeline/orders unchanged\n');
      const changed = await file(manifest({ buffer: { maxBytes: '2Gi' } }));
      assert.equal((await run('apply', changed)).stdout, 'pipeline/orders configured\n');
    });

    it('reads several pipelines from standard input', async () => {
      const input = `${stringify(manifest({}, 'a'))}---\n${stringify(manifest({}, 'b'))}`;
      const { code, stdout } = await millrace(['apply', '-', '-n', namespace], { env, input });
      assert.deepEqual([code, stdout], [0, 'pipeline/a created\npipeline/b created\n']);
    });

    it('takes the file as kubectl does, too', async () => {
      assert.equal((await run('apply', '-f', await file(manifest()))).stdout, 'pipeline/orders created\n');
      const { code, stderr } = await run('apply', 'a.yaml', '-f', 'b.yaml');
      assert.deepEqual([code, stderr.split('\n')[0]], [2, 'error: name one file, not a.yaml and b.yaml']);
    });

    it('lints first: 4, with file, line and column, and nothing is applied', async () => {
      const path = await file(stringify(manifest()).replace('sinks:', 'sinkz:'));
      const { code, stdout, stderr } = await run('apply', path);
      assert.deepEqual([code, stdout], [4, '']);
      assert.match(stderr, /pipeline\.yaml:\d+:\d+ error MR_SPEC_UNKNOWN_FIELD spec: unknown field "sinkz"\. .*sinks/);
      assert.match(stderr, /nothing was applied/);
      assert.equal(await cluster().kube.get(kind, 'orders', namespace), undefined);
    });

    it('with a server dry run lets Kubernetes check it and stores nothing', async () => {
      const { stdout } = await run('apply', await file(manifest()), '--dry-run=server');
      assert.match(
        stdout,
        /^pipeline\/orders created \(server dry run\)\n {2}starts ingestor-\S+\n {2}starts sink-\S+\n$/,
      );
      assert.equal(await cluster().kube.get(kind, 'orders', namespace), undefined);
    });

    it('with a server dry run of an edit says which fields change and what that takes', async () => {
      await run('apply', await file(manifest()));
      const dry = async (more: object) => (await run('apply', await file(manifest(more)), '--dry-run=server')).stdout;
      assert.equal(await dry({}), 'pipeline/orders unchanged (server dry run)\n');
      const fields = '  changes spec.buffer.maxBytes\n  the limits of streams change, and no pod is replaced\n';
      assert.equal(
        await dry({ buffer: { maxBytes: '2Gi' } }),
        `pipeline/orders configured (server dry run)\n${fields}`,
      );
      assert.equal((await stored()).metadata.generation, 1);
    });

    it('what Kubernetes refuses ends with 4 and its words', async () => {
      await run('apply', await file(manifest({ buffer: { shards: 2 } })));
      const { code, stderr } = await run('apply', await file(manifest({ buffer: { shards: 3 } })));
      assert.equal(code, 4);
      assert.match(stderr, /MR_KUBERNETES_REFUSED: .*shards/);
    });

    it('a field of another tool ends with 7 and names the tool', async () => {
      await cluster().kube.apply(
        { apiVersion, kind, metadata: { name: 'orders', namespace }, spec: { ...spec, buffer: { maxBytes: '3Gi' } } },
        { fieldManager: 'argocd-controller' },
      );
      const { code, stderr } = await run('apply', await file(manifest({ buffer: { maxBytes: '1Gi' } })));
      assert.equal(code, 7);
      assert.match(stderr, /argocd-controller/);
    });

    it('a file that is not there ends with 2', async () => {
      assert.equal((await run('apply', join(directory, 'none.yaml'))).code, 2);
    });
  });

  describe('--wait', () => {
    it('shows each step as it is taken and ends when the pipeline is ready', async () => {
      const child = startMillrace(['apply', await file(manifest()), '--wait', '-n', namespace], env);
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      const out = text(child.stdout);
      let err = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
      const { metadata } = await eventually(() => stored());
      const operation = (step: string) => ({
        id: `pipeline/${namespace}/orders/${metadata.uid ?? ''}/op/1-provision-g1`,
        type: 'provision',
        step,
        startedAt: '2026-05-01T12:00:00Z',
      });
      await cluster().writeStatus(namespace, 'orders', { operation: operation('create namespace') });
      await eventually(() => err.includes('provision: create namespace\n'));
      await cluster().writeStatus(namespace, 'orders', {
        operation: { ...operation('copy credentials'), attempt: 2, lastError: 'Secret "ch" is missing' },
      });
      await eventually(() => err.includes('provision: copy credentials failed (attempt 2): Secret "ch" is missing\n'));
      await cluster().writeStatus(namespace, 'orders', converged(1));
      assert.equal(await ended, 0);
      assert.equal(await out, 'pipeline/orders created\npipeline/orders ready\n');
      assert.match(err, /Ready is True \(Running\): Running it is\n$/);
    });

    it('ends with 8 when it takes too long, and says what it waits for', async () => {
      const { code, stderr } = await run('apply', await file(manifest()), '--wait', '--timeout', '300ms');
      assert.equal(code, 8);
      assert.match(stderr, /"orders" is not Running after 300ms: Pending: Millrace has not looked at it yet/);
    });

    it('ends at once when the change is refused, and prints the reason', async () => {
      await run('apply', await file(manifest()));
      await cluster().writeStatus(namespace, 'orders', {
        observedGeneration: 1,
        conditions: [condition('Stalled', 'True', 'KubernetesRefused')],
      });
      const { code, stderr } = await run('apply', await file(manifest()), '--wait');
      assert.equal(code, 4);
      assert.match(stderr, /refused \(KubernetesRefused\): KubernetesRefused it is/);
    });
  });

  it('pause and resume set desiredState and wait for it', async () => {
    await run('apply', await file(manifest()));
    await cluster().writeStatus(namespace, 'orders', converged(2, 'Paused'));
    const paused = await run('pause', 'orders', '--wait');
    assert.deepEqual([paused.code, paused.stdout], [0, 'pipeline/orders paused\n']);
    assert.equal((await stored()).spec.desiredState, 'Paused');
    assert.equal((await run('stop', 'pipeline/orders')).stdout, 'pipeline/orders stop asked for\n');
    assert.equal((await stored()).spec.desiredState, 'Stopped');
    assert.equal((await run('resume', 'orders')).stdout, 'pipeline/orders resume asked for\n');
    const { spec: resumed } = await stored();
    assert.deepEqual([resumed.desiredState, resumed.sources[0]?.name], ['Running', 'orders']);
  });

  it('delete --wait ends when the pipeline is gone', async () => {
    await run('apply', await file(manifest()));
    await cluster().kube.patchMerge(kind, 'orders', namespace, keptBack, person);
    const deleting = run('delete', 'orders', '--wait');
    await eventually(async () => assert.ok((await stored()).metadata.deletionTimestamp));
    await cluster().kube.patchMerge(kind, 'orders', namespace, released, person);
    assert.deepEqual(await deleting, { code: 0, stdout: 'pipeline/orders deleted\n', stderr: '' });
  });

  it('delete --wait that takes too long ends with 8 and says what it waits for', async () => {
    await run('apply', await file(manifest()));
    await cluster().kube.patchMerge(kind, 'orders', namespace, keptBack, person);
    const { code, stderr } = await run('delete', 'orders', '--wait', '--timeout', '500ms');
    assert.equal(code, 8);
    assert.match(stderr, /is not gone after 500ms: teardown has not begun/);
    await cluster().kube.patchMerge(kind, 'orders', namespace, released, person);
  });

  it('delete --force orphans the pipeline first', async () => {
    await run('apply', await file(manifest()));
    await cluster().kube.patchMerge(kind, 'orders', namespace, keptBack, person);
    assert.equal((await run('delete', 'orders', '--force')).stdout, 'pipeline/orders deletion asked for\n');
    assert.equal((await stored()).spec.deletionPolicy, 'Orphan');
    await cluster().kube.patchMerge(kind, 'orders', namespace, released, person);
  });

  describe('get', () => {
    beforeEach(async () => {
      await run('apply', await file(`${stringify(manifest({}, 'a'))}---\n${stringify(manifest({}, 'b'))}`));
      await cluster().writeStatus(namespace, 'a', converged(1));
    });

    it('prints a table', async () => {
      const { stdout } = await run('get');
      assert.match(
        stdout,
        /^NAME {3}READY {5}STATE {5}STAGES {3}DEADLETTERS {3}AGE\na {6}True {6}Running .*\nb {6}Unknown {3}Pending/,
      );
    });

    it('prints names, JSON and YAML', async () => {
      assert.equal((await run('get', '-o', 'name')).stdout, 'pipeline/a\npipeline/b\n');
      const one = storedPipeline.parse(JSON.parse((await run('get', 'a', '-o', 'json')).stdout));
      assert.equal(one.metadata.name, 'a');
      assert.match((await run('get', 'b', '-o', 'yaml')).stdout, /^apiVersion: millrace\.io\/v1alpha1\n/);
    });

    it('-w goes on with every change until it is ended', async () => {
      const child = startMillrace(['get', '-w', '-n', namespace], env);
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      await eventually(() => /^b .*Pending/m.test(out));
      await cluster().writeStatus(namespace, 'b', converged(1, 'Paused'));
      await eventually(() => /^b .*Paused/m.test(out));
      child.kill('SIGINT');
      assert.equal(await ended, 0);
    });

    it('of what is not there ends with 6', async () => {
      const { code, stderr } = await run('get', 'none');
      assert.equal(code, 6);
      assert.match(stderr, /MR_PIPELINE_NOT_FOUND: There is no pipeline "none"/);
    });

    it('of an empty namespace says so on stderr', async () => {
      namespace = await cluster().namespace();
      const { code, stdout, stderr } = await run('get');
      assert.deepEqual([code, stdout, stderr], [0, '', `No pipelines in namespace ${namespace}.\n`]);
    });
  });

  it('describe shows the resource with its events', async () => {
    await run('apply', await file(manifest()));
    const { metadata } = await stored();
    await cluster().kube.create(
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: 'orders.1', namespace },
        eventTime: '2026-05-01T12:00:00.000000Z',
        action: 'Provision',
        reason: 'Provisioned',
        note: 'provision g1 done',
        type: 'Normal',
        reportingController: 'millrace.io/lifecycle',
        reportingInstance: 'test',
        regarding: { apiVersion, kind, name: 'orders', namespace, uid: metadata.uid },
      },
      person,
    );
    const { code, stdout } = await run('describe', 'orders');
    assert.equal(code, 0);
    assert.match(stdout, /^orders: Millrace has not looked at it yet/);
    assert.match(stdout, /Flow: +orders \(generator\) -> warehouse \(clickhouse\)/);
    assert.match(stdout, /Normal {3}Provisioned {3}provision g1 done/);
  });

  it('logs of a pipeline without pods says so', async () => {
    await run('apply', await file(manifest()));
    const { code, stderr } = await run('logs', 'orders');
    assert.equal(code, 0);
    assert.match(stderr, /There are no pods in namespace pipeline-orders-/);
  });

  describe('a kubeconfig', () => {
    const config = (server: string, user: object) => ({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'c',
    });

    it('whose credentials are refused ends with 9', async () => {
      const path = await file(config(cluster().kubernetes.url, { token: 'wrong' }));
      const { code, stderr } = await run('get', '--kubeconfig', path);
      assert.equal(code, 9);
      assert.match(stderr, /MR_NOT_ALLOWED/);
    });

    it('whose server does not answer ends with 1 and says which', async () => {
      const port = await freePort();
      const path = await file(config(`https://127.0.0.1:${port}`, { token: 'x' }));
      const { code, stderr } = await run('get', '--kubeconfig', path);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`The Kubernetes API at 127\\.0\\.0\\.1:${port} does not answer`));
    });

    it('without the context that is named ends with 2', async () => {
      assert.equal((await run('get', '--context', 'none')).code, 2);
    });
  });
});
