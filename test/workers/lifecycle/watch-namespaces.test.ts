/**
 * A Millrace that watches two namespaces, with the rights that the chart renders for it and no others: it carries out the
 * pipelines there, asks for nothing else, and says what it does not look after.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import { ensurePki } from '../../../local/parts/kubernetes/pki.ts';
import { requestApi } from '../../../local/parts/kubernetes/request.ts';
import { kind, labels, pidOf } from '../../../model/names.ts';
import type { ControlProcess } from '../../../model/rights.ts';
import { doorTaskQueue } from '../../../model/workflow-ids.ts';
import { preflight } from '../../../workers/preflight/preflight.ts';
import { apiOn } from '../api/api.ts';
import { eventually } from '../../support/eventually.ts';
import { chartAccounts } from './chart-accounts.ts';
import { pipelineManifest, startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

const watched = ['default', 'shop'];
const elsewhere = 'kitchen';
const by = { fieldManager: 'person', force: true };

describe('a Millrace that watches two namespaces, with the rights of the chart', function () {
  let plane: ControlPlane;
  let person: Person;
  let kubeconfigs: Readonly<Record<ControlProcess, string>>;

  before(async () => {
    plane = await startControlPlane({
      async variables({ kubernetes, dir }) {
        const values = ['profile=lab', `watchNamespaces={${watched.join(',')}}`];
        const of = await chartAccounts(kubernetes, join(dir, 'kubernetes'), values);
        const [controller, lifecycle, api, uninstall] = [
          await of('controller'),
          await of('lifecycle'),
          await of('api'),
          await of('uninstall'),
        ];
        kubeconfigs = { controller, lifecycle, api, uninstall };
        return (process) => environmentOf(process);
      },
    });
    person = new Person(plane);
    await plane.kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: elsewhere } }, by);
    await person.putSecret('ch', { password: 'topsecret' });
  });
  after(() => plane.stop());

  const environmentOf = (process: ControlProcess) => ({
    KUBECONFIG: kubeconfigs[process],
    MILLRACE_NAMESPACE: 'millrace-system',
    MILLRACE_WATCH_NAMESPACES: watched.join(','),
  });

  /** How often no role allowed what somebody asked for, since the API server started. Reviews of rights do not count. */
  async function refusals(): Promise<number> {
    const { ca, admin } = await ensurePki(join(plane.dir, 'kubernetes', 'pki'), new Date());
    const access = { url: `https://${plane.kube.server}`, ca, user: admin };
    const { body } = await requestApi(access, 'GET', '/metrics');
    return Number(/^authorization_attempts_total\{result="no-opinion"\} (\d+)/m.exec(body)?.[1] ?? 0);
  }

  async function usingApi(use: (kube: Kube) => Promise<void>): Promise<void> {
    const kube = connectKube(kubeconfigs.api, watched);
    await use(kube).finally(() => kube.close());
  }

  it('finds each right in each namespace, and none missing', async () => {
    for (const process of ['controller', 'lifecycle', 'api', 'uninstall'] as const) {
      const findings = await preflight(process, { ...plane.env, ...environmentOf(process) });
      deepEqual(
        findings.flatMap(({ name, problems }) => (name === 'rights' ? problems.map(({ message }) => message) : [])),
        [],
        process,
      );
    }
  });

  it('says in which namespace a right is missing', async () => {
    const other = { ...environmentOf('lifecycle'), MILLRACE_WATCH_NAMESPACES: `shop,${elsewhere}` };
    const findings = await preflight('lifecycle', { ...plane.env, ...other });
    const said = findings.flatMap(({ problems }) => problems.map(({ message }) => message));
    ok(said.length > 20);
    match(said.join('\n'), /must be allowed to patch deployments\.apps in namespace kitchen \(stages\)/);
    deepEqual(
      said.filter((text) => text.includes('namespace shop')),
      [],
    );
  });

  it('takes a pipeline from its resource to Ready, through edit, pause and resume, to nothing', async () => {
    const isolation = 'Shared';
    const { uid = '' } = (await person.apply('orders', { isolation })).metadata;
    await person.untilReady('orders', 'Running');
    equal((await person.podsOf(uid, 'default')).length, 2);
    await person.apply('orders', { isolation, steps: [{ name: 'some', filter: { where: 'record.id > 10' } }] });
    await person.untilReady('orders', 'Running');
    await person.apply('orders', { isolation, desiredState: 'Paused' });
    await person.untilReady('orders', 'Paused');
    await person.apply('orders', { isolation });
    await person.untilReady('orders', 'Running');
    // What differs from how it was left is seen by the watch of this namespace.
    await plane.kube.delete('Deployment', 'orders-ingestor-numbers', 'default');
    await eventually(async () => ok(await plane.kube.get('Deployment', 'orders-ingestor-numbers', 'default')));
    await person.untilReady('orders', 'Running');
    await person.delete('orders');
    deepEqual(await person.leftovers(uid), []);
    deepEqual(await person.streamsOf(pidOf('orders', uid)), []);
  });

  it('refuses a pipeline that wants a namespace of its own, in words, and lets it go', async () => {
    await person.apply('alone');
    await eventually(async () => {
      const { conditions = [] } = await statusOf(plane.kube, 'alone');
      const said = conditions.map(({ message }) => message).join('\n');
      match(said, /asks for a namespace of its own .* Millrace may make none: it keeps to default, shop/);
    });
    await person.delete('alone');
  });

  it('leaves a pipeline elsewhere alone', async () => {
    const there = { ...pipelineManifest('orders'), metadata: { name: 'orders', namespace: elsewhere } };
    await plane.kube.apply(there, by);
    // One that is made later, and is refused, shows that the controller has looked.
    await person.apply('later');
    await eventually(async () => ok((await statusOf(plane.kube, 'later')).conditions?.length));
    const found = await plane.kube.get(kind, 'orders', elsewhere);
    deepEqual([found?.metadata.finalizers, found?.['status']], [undefined, undefined]);
    await person.delete('later');
  });

  it('answers by its API for its namespaces together, in pages, and says of others that it does not watch them', () =>
    usingApi(async (kube) => {
      for (const [name, namespace] of [
        ['a', 'default'],
        ['b', 'default'],
        ['c', 'shop'],
      ] as const) {
        const manifest = pipelineManifest(name, { isolation: 'Shared', desiredState: 'Paused' });
        await plane.kube.apply({ ...manifest, metadata: { name, namespace } }, by);
      }
      const server = await apiOn(kube);
      const get = async (url: string) => {
        const answer = await server.inject({ url, headers: { host: 'localhost' } });
        return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
      };
      const names = ({ body }: Awaited<ReturnType<typeof get>>) =>
        JSON.stringify(body['items']).match(/"name":"[abc]"/g);
      deepEqual(names(await get('/v1/pipelines')), ['"name":"a"', '"name":"b"', '"name":"c"']);
      const first = await get('/v1/pipelines?limit=2');
      deepEqual(names(first), ['"name":"a"', '"name":"b"']);
      const rest = `/v1/pipelines?limit=2&continue=${encodeURIComponent(String(first.body['continue']))}`;
      deepEqual(names(await get(rest)), ['"name":"c"']);
      for (const url of [`/v1/namespaces/${elsewhere}/pipelines`, `/v1/namespaces/${elsewhere}/pipelines/orders`]) {
        const { status, body } = await get(url);
        equal(status, 403);
        match(JSON.stringify(body), /MR_NAMESPACE_NOT_WATCHED.*kitchen\W+ is none of them/);
      }
      await server.close();
      for (const [name, namespace] of [
        ['a', 'default'],
        ['b', 'default'],
        ['c', 'shop'],
      ] as const)
        await plane.kube.delete(kind, name, namespace);
      const selected = { labels: { [labels.managedBy]: 'millrace' } };
      await eventually(async () => deepEqual((await plane.kube.list('ConfigMap', selected)).items, []));
    }));

  it('refuses a program that starts a pipeline elsewhere', async () => {
    const { spec } = pipelineManifest('new');
    const args = [{ namespace: elsewhere, name: 'new', spec }];
    const running = plane.client.workflow.execute('applyPipeline', {
      ...{ taskQueue: doorTaskQueue, workflowId: 'program', args },
    });
    await rejects(running, (error) => {
      match(inspect(error), /"kitchen" is none of them/);
      return true;
    });
  });

  it('has asked for nothing that it may not', async () => {
    equal(await refusals(), 0);
    // Such a request would have been counted.
    const unconfined = connectKube(kubeconfigs.controller);
    await rejects(unconfined.list('Secret', { namespace: elsewhere }), /forbidden/);
    unconfined.close();
    equal(await refusals(), 1);
  });

  it('I1: goes on in the other namespace when one is gone, with the rights in it', async () => {
    await plane.kube.delete('Namespace', 'shop', undefined);
    await eventually(async () => equal(await plane.kube.get('Namespace', 'shop'), undefined));
    await plane.controller.stop();
    await plane.controller.start();
    await person.apply('goes-on', { isolation: 'Shared' });
    await person.untilReady('goes-on', 'Running');
    match(await plane.metricsOf('controller'), /millrace_controller_pipelines 1/);
    await person.delete('goes-on');
  });
});
