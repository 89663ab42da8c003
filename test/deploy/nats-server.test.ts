/** The NATS of the chart with users and TLS, started on this machine: whom it lets in, and whom not. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectByTls } from 'node:tls';
import { connect, errors } from '@nats-io/transport-node';
import { stringify } from 'yaml';
import { z } from 'zod';
import { edgeStream, inboxOf } from '../../model/names.ts';
import { connectStreams, type Streams } from '../../stream/connection.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { podAccessFrom } from '../../workers/lifecycle/pod-access.ts';
import { filesOf } from '../../workers/nats-identity/files.ts';
import { makeIdentity } from '../../workers/nats-identity/identity.ts';
import { natsCheck } from '../../workers/preflight/nats.ts';
import { natsAccess } from '../../workers/process/nats.ts';
import { testPlan } from '../stream/support/server.ts';
import { render, type Rendered, type Values } from './support/helm.ts';
import { certificateOf, startChartServers, type ChartServer } from './support/nats-server.ts';

const lab: Values = ['profile=lab', 'nats.auth.enabled=true', 'nats.tls.mode=generated'];
const production: Values = ['temporal.address=temporal:7233'];

const statefulSet = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ spec: z.looseObject({ containers: z.tuple([z.looseObject({})]) }) }),
  }),
});
const probe = z.object({ httpGet: z.object({ path: z.string() }) });

describe('the NATS of the chart, with users and TLS', function () {
  let dir: string;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-chart-nats-'));
  });
  after(async () => {
    for (const close of closing.reverse()) await close();
    await rm(dir, { recursive: true, force: true });
  });

  let folders = 0;
  async function folder(files: Readonly<Record<string, string>>): Promise<string> {
    const path = join(dir, `folder-${folders++}`);
    await mkdir(path);
    for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
    return path;
  }

  async function started(objects: readonly Rendered[], files: Readonly<Record<string, string>>) {
    const servers = await startChartServers(objects, await folder({}), files);
    for (const server of servers) closing.push(() => server.stop());
    return servers;
  }

  describe('one server', () => {
    const [a, b] = [testPlan(), testPlan()];
    let objects: readonly Rendered[];
    let server: ChartServer;
    let ca: string;
    let access: Readonly<Record<string, string>>;
    let control: string;
    let pods: Streams;

    before(async () => {
      objects = await render(lab);
      const files = filesOf(await makeIdentity());
      access = files.access;
      ca = certificateOf(objects)['ca.crt'] ?? '';
      const [first] = await started(objects, files.server);
      ok(first);
      server = first;
      control = await folder({ ...access, 'ca.crt': ca });
      const streams = await connected(control);
      await ensureSharedStreams(streams);
      for (const plan of [a, b]) await ensurePipelineStreams(streams, plan);
      const config = {
        natsAccessDir: await folder({ 'ca.crt': ca }),
        natsAccountDir: await folder(files.account),
        pullConfigs: undefined,
      };
      const ofPods = (await podAccessFrom(config).nats(a)) ?? {};
      deepEqual(Object.keys(ofPods).sort(), ['ca.crt', 'user.creds']);
      pods = await connected(await folder(ofPods), inboxOf(a.pipeline.pid));
    });

    async function connected(accessDir: string, inboxPrefix = '_INBOX'): Promise<Streams> {
      const streams = await connectStreams({
        url: server.url,
        name: 'test',
        inboxPrefix,
        access: natsAccess(accessDir),
      });
      closing.push(() => streams.nc.close());
      return streams;
    }
    const attempt = async (files: Readonly<Record<string, string>>) =>
      connect({ servers: server.url, reconnect: false, ...natsAccess(await folder(files)) });

    it('lets Millrace do what it needs, with its folder', async () => {
      const check = natsCheck({ url: server.url, accessDir: control, streamReplicas: 1, name: 'mr-preflight' });
      match(await check.look(AbortSignal.timeout(20_000)), /1 of each stream/);
    });

    it('lets the pods of a pipeline in, to what belongs to it and to nothing else', async () => {
      const info = (plan: typeof a) => pods.nc.request(`$JS.API.STREAM.INFO.${edgeStream(plan.pipeline.pid, 'main')}`);
      match((await info(a)).string(), /stream_info_response/);
      await rejects(info(b), errors.RequestError);
    });

    it('refuses who has no key, and who has one of somebody else', async () => {
      await rejects(attempt({ 'ca.crt': ca }), errors.AuthorizationError);
      const other = filesOf(await makeIdentity());
      await rejects(attempt({ ...other.access, 'ca.crt': ca }), errors.AuthorizationError);
    });

    it('is not believed by who trusts another authority', async () => {
      const other = certificateOf(await render(lab))['ca.crt'] ?? '';
      await rejects(attempt({ ...access, 'ca.crt': other }), /certificate/);
    });

    it('answers nobody who speaks without TLS', async () => {
      const { hostname: host, port } = new URL(server.url);
      const socket = connectPlain({ host, port: Number(port) });
      const answers: string[] = [];
      socket.on('data', (bytes) => answers.push(bytes.toString('utf8').split(' ')[0] ?? ''));
      const closed = Promise.withResolvers<unknown>();
      socket.once('close', closed.resolve);
      // A reset is an end, too.
      socket.on('error', () => undefined);
      socket.write('CONNECT {"verbose":true}\r\nPING\r\n');
      await closed.promise;
      // What it says of itself before it is asked for anything.
      deepEqual(answers, ['INFO']);
    });

    it('is well, as the probes of its pod ask', async () => {
      const found = objects.find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'millrace-nats');
      const [container] = statefulSet.parse(found).spec.template.spec.containers;
      for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const { path } = probe.parse(container[name]).httpGet;
        equal((await fetch(`${server.monitor}${path}`)).status, 200, path);
      }
    });
  });

  describe('three servers', () => {
    let servers: readonly ChartServer[];
    let ca: string;
    let control: string;

    before(async () => {
      const objects = await render(production);
      const { server, access } = filesOf(await makeIdentity());
      servers = await started(objects, server);
      ca = certificateOf(objects)['ca.crt'] ?? '';
      control = await folder({ ...access, 'ca.crt': ca });
    });

    it('are known by no name that is not in the certificate, however many there are', async () => {
      for (const replicas of [3, 5]) {
        const objects = await render([...production, `nats.replicas=${replicas}`]);
        const certificate = new X509Certificate(certificateOf(objects)['tls.crt'] ?? '');
        const hosts = new Set([...stringify(objects).matchAll(/nats:\/\/([\w.-]+)/g)].map(([, host = '']) => host));
        equal(hosts.size, replicas + 1);
        for (const host of hosts) ok(certificate.checkHost(host), host);
      }
    });

    it('find each other by TLS, and keep three of a stream', async () => {
      equal(servers.length, 3);
      for (const { url } of servers) {
        const check = natsCheck({ url, accessDir: control, streamReplicas: 3, name: 'mr-preflight' });
        match(await check.look(AbortSignal.timeout(20_000)), /3 of each stream/);
      }
    });

    it('tell clients no address that is not in the certificate', async () => {
      const nc = await connect({ servers: servers.map(({ url }) => url), ...natsAccess(control) });
      closing.push(() => nc.close());
      equal(nc.info?.connect_urls, undefined);
    });

    it('let in no server without a certificate', async () => {
      const { routePort: port = 0 } = servers[0] ?? {};
      const socket = connectByTls({ host: 'localhost', port, ca });
      await rejects(once(socket, 'close'), /certificate required/);
    });
  });
});
