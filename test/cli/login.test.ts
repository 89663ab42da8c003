/** A person logs in with the command at a real issuer, and does with a real API server what a role allows. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Millrace } from '../../client/index.ts';
import { loginsIn } from '../../client/logins.ts';
import { renewAtIssuer } from '../../client/token.ts';
import { withDefaults } from '../../crds/defaults.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { pipelineDoor } from '../../kubernetes/pipelines.ts';
import { fieldManagers } from '../../model/names.ts';
import type { Api } from '../../workers/api/api.ts';
import { authInfoOf, readConfig } from '../../workers/api/config.ts';
import { identityOf } from '../../workers/api/identity/of-config.ts';
import { buildServer } from '../../workers/api/server.ts';
import { listenOn } from '../../workers/process/listen.ts';
import { eventually } from '../support/eventually.ts';
import { agree, cliClient, startRealIssuer, type RealIssuer } from '../support/oidc-provider.ts';
import { runsOf } from '../workers/api/api.ts';
import { spec, useCluster } from '../workers/api/cluster.ts';
import { allow, kubeOfApi, makeAccount, pipelineRule } from '../workers/api/people.ts';
import { millrace, startMillrace } from './millrace.ts';

describe('a login', function () {
  const cluster = useCluster();
  let issuer: RealIssuer;
  let kube: Kube;
  let api: Api;
  let dir: string;
  let shop: string;
  let env: Record<string, string>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-login-'));
    issuer = await startRealIssuer(['shop']);
    shop = await cluster().namespace();
    kube = await kubeOfApi(cluster(), 'oidc', 'constrained');
    await allow(
      cluster().kube,
      { kind: 'Group', name: 'oidc:shop' },
      [pipelineRule('get', 'list', 'create', 'patch')],
      shop,
    );
    api = await apiWith({ MILLRACE_API_OIDC_CLI_CLIENT_ID: cliClient });
    env = { XDG_CONFIG_HOME: dir, MILLRACE_API: api.listeningOrigin, KUBECONFIG: '' };
  });
  after(async () => {
    await api.close();
    kube.close();
    await issuer.stop();
    await rm(dir, { recursive: true });
  });

  async function apiWith(more: NodeJS.ProcessEnv): Promise<Api> {
    const { auth } = readConfig({
      ...{ MILLRACE_API_AUTH_MODE: 'oidc', MILLRACE_API_OIDC_ISSUER: issuer.url, MILLRACE_API_AUDIENCES: cliClient },
      MILLRACE_API_OIDC_CLI_SCOPES: 'openid offline_access groups',
      ...more,
    });
    const server = await buildServer({
      ...{ kube, runs: runsOf(), version: '0', logLevel: 'silent', planWaitMs: 50, auth: authInfoOf(auth) },
      pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults),
      access: { identity: identityOf(auth, kube) },
    });
    await server.listen({ host: '127.0.0.1', port: 0 });
    return server;
  }

  const origin = () => api.listeningOrigin;

  /** What the command has said. */
  async function logInAs(name: string): Promise<string> {
    const child = startMillrace(['login'], env);
    child.stdin.end();
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const address = await eventually(() => /Open (\S+) in a browser.* code \S+/.exec(said)?.[1] ?? false);
    ok(address !== false);
    ok(address.startsWith(issuer.url));
    await agree(address, name);
    equal(await ended, 0, said);
    return said;
  }

  it('by the device flow is kept for its owner only, and everything of this machine then finds it', async () => {
    const said = await logInAs('jane');
    match(said, /You are logged in to http:\/\/127\.0\.0\.1:\d+\./);
    const folder = join(dir, 'millrace', 'logins');
    const [file = ''] = await readdir(folder);
    equal((await stat(join(folder, file))).mode & 0o777, 0o600);
    equal((await stat(folder)).mode & 0o777, 0o700);
    const printed = await millrace(['token'], { env: env });
    const kept = await loginsIn(env, renewAtIssuer).find(origin());
    equal(printed.stdout, `${kept?.token ?? ''}\n`);
    ok(!said.includes(kept?.token ?? 'none'));
  });

  it('lets its person do what the roles of its groups allow, in that name', async () => {
    const token = (await millrace(['token'], { env: env })).stdout.trim();
    await using client = await Millrace.connect({ api: origin(), token: () => token });
    const pipeline = {
      apiVersion: 'millrace.io/v1alpha1',
      kind: 'Pipeline',
      metadata: { name: 'orders', namespace: shop },
      spec,
    } as const;
    await client.pipelines.apply(pipeline);
    equal((await client.pipelines.get({ name: 'orders', namespace: shop })).metadata.name, 'orders');
    await rejects(client.pipelines.delete({ name: 'orders', namespace: shop }), (error: Error) => {
      match(error.message, /MR_CALLER_FORBIDDEN: "oidc:jane" may not delete pipelines\.millrace\.io "orders"/);
      return true;
    });
    await rejects(client.pipelines.get({ name: 'orders' }), /may not get .* in namespace "default"/);
  });

  it('is renewed by its refresh token before it expires', async () => {
    const logins = loginsIn(env, renewAtIssuer);
    const before = await logins.find(origin());
    ok(before?.refreshToken !== undefined);
    await logins.keep({ ...before, expiresAt: 0 });
    const token = await logins.tokenFor(origin());
    const after = await logins.find(origin());
    ok(after !== undefined && after.expiresAt > Date.now() && after.token === token);
    ok(after.refreshToken !== before.refreshToken, 'this issuer takes each once');
    await logins.keep({ ...before, expiresAt: 0 });
    await rejects(logins.tokenFor(origin()), { code: 'MR_LOGIN_FAILED' });
    await logins.keep(after);
  });

  it('is for its API and no other', async () => {
    const other = await apiWith({});
    try {
      const { code, stdout, stderr } = await millrace(['token', '--api', other.listeningOrigin], {
        env: env,
      });
      deepEqual([code, stdout], [9, '']);
      match(stderr, /There is no token for/);
      const login = await millrace(['login', '--api', other.listeningOrigin], { env: env });
      deepEqual([login.code, /pass --client-id/.test(login.stderr)], [2, true]);
    } finally {
      await other.close();
    }
  });

  it('is not asked for over an open wire', async () => {
    const { code, stderr } = await millrace(['login', '--api', 'http://millrace.example.com'], {
      env: env,
    });
    deepEqual([code, /must begin with https/.test(stderr)], [2, true]);
  });

  it('is forgotten, and of no use to whoever has a copy', async () => {
    await logInAs('jane');
    const copy = await loginsIn(env, renewAtIssuer).find(origin());
    const forget = async () => (await millrace(['logout'], { env: env })).stderr;
    equal(await forget(), `The login to ${origin()} is forgotten.\n${issuer.url} has revoked it.\n`);
    ok(copy?.refreshToken !== undefined);
    await rejects(renewAtIssuer(copy, copy.refreshToken), { error: 'invalid_grant' });
    equal(await forget(), `There is no login to ${origin()}.\n`);
    equal((await millrace(['token'], { env: env })).code, 9);
  });

  it('of Kubernetes is the token of the kubeconfig, also of a plugin', async () => {
    const account = await makeAccount(cluster().kube, shop, 'ci');
    const token = await account.token();
    const plugin = join(dir, 'plugin.sh');
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } };
    await writeFile(plugin, `#!/bin/sh\ncat <<'END'\n${JSON.stringify(credential)}\nEND\n`, { mode: 0o700 });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' };
    for (const user of [{ token }, { exec }]) {
      const kubeconfig = join(dir, 'kubeconfig');
      await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(user)));
      const { stdout, stderr } = await millrace(['token', '--kubernetes', '--kubeconfig', kubeconfig]);
      equal(stdout, `${token}\n`, stderr);
    }
    const { code, stderr } = await millrace([
      'token',
      '--kubernetes',
      '--kubeconfig',
      cluster().kubernetes.kubeconfigPath,
    ]);
    deepEqual([code, /has no token, but a certificate/.test(stderr)], [9, true]);
    ok((await readFile(plugin, 'utf8')).includes(token));
  });
});

describe('D1: a person who logs in at an API that nobody should trust', () => {
  const erase = '\u001b[2K\r\u009b1A\u202e\u200bAsking https://login.example.com';

  /** What the command says, where the API answers with `auth`, and as an issuer refuses to begin. */
  async function said(auth: object, status = 200): Promise<string> {
    const server = createServer(({ url }, response) => {
      response.setHeader('content-type', 'application/json');
      const issuer = `http://127.0.0.1:${port}`;
      if (url === '/v1/auth') response.writeHead(status).end(JSON.stringify({ mode: 'oidc', issuer, ...auth }));
      else if (url?.startsWith('/.well-known/') === true)
        response.end(JSON.stringify({ issuer, device_authorization_endpoint: `${issuer}/device` }));
      else response.writeHead(400).end(JSON.stringify({ error: 'invalid_client', error_description: `no\n${erase}` }));
    });
    const { port, close } = await listenOn(server, { host: '127.0.0.1', port: 0 });
    const { stderr } = await millrace(['login', '--api', `http://127.0.0.1:${port}`], {
      env: { XDG_CONFIG_HOME: '/nonexistent' },
    });
    await close();
    return stderr;
  }

  for (const [what, auth, status, shown] of [
    ['its issuer', { issuer: `https://127.0.0.1:1/${erase}`, clientId: 'x' }, 200, /issuer must have no control/],
    ['its client', { clientId: `x${erase}` }, 200, /clientId must have no control/],
    ['its problem', { ...problem(), detail: `no\n${erase}` }, 500, /MR_INTERNAL: no\\u000a\\u001b\[2K\\u000d/],
    ['what its issuer says', { clientId: 'x' }, 200, /: no\\u000a\\u001b\[2K\\u000d/],
  ] as const) {
    it(`sees what is there, whatever is in ${what}`, async () => {
      const stderr = await said(auth, status);
      match(stderr, shown);
      ok(!/[\p{Cc}\p{Cf}]/u.test(stderr.replaceAll('\n', '')), JSON.stringify(stderr));
    });
  }

  for (const [issuer, shown] of [
    ['https://lоgin.invalid', /Asking https:\/\/xn--lgin-[a-z0-9]+\.invalid\/ for/],
    ['https://login.example.com@127.0.0.1:1', /has a user in it/],
  ] as const) {
    it(`sees that ${issuer} is another address`, async () => match(await said({ issuer, clientId: 'x' }), shown));
  }

  function problem(): object {
    return { type: 'x', title: 'x', status: 500, instance: 'x', code: 'MR_INTERNAL', retryable: false };
  }
});

function kubeconfigOf(user: object): object {
  return {
    'current-context': 'a',
    clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'a', user }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
  };
}
