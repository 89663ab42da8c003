import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { HTTPMethods } from 'fastify';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { PipelineDoor } from '../../../kubernetes/pipelines.ts';
import { problemSchema } from '../../../client/wire.ts';
import { mr } from '../../../model/errors.ts';
import type { Api } from '../../../workers/api/api.ts';
import { readConfig } from '../../../workers/api/config.ts';
import type { Access } from '../../../workers/api/guard.ts';
import type { Identity } from '../../../workers/api/identity/identity.ts';
import type { OperationRuns } from '../../../workers/api/operation-runs.ts';
import { buildServer } from '../../../workers/api/server.ts';

const token = 'a-token-of-43-characters-as-the-stack-makes';

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const orders = '/v1/namespaces/shop/pipelines/orders';
const routes: readonly (readonly [path: string, isOpen: boolean])[] = [
  ['/v1/pipelines', false],
  ['/v1/namespaces/shop/pipelines', false],
  [orders, false],
  [`${orders}?force=true`, false],
  [`${orders}/pause`, false],
  [`${orders}/resume`, false],
  [`${orders}/stop`, false],
  [`${orders}/retry`, false],
  [`${orders}/decide`, false],
  [`${orders}/operations/pipeline%2Fshop%2Forders%2Fu%2Fg1`, false],
  [`${orders}/records`, false],
  [`${orders}/records/events`, false],
  ['/v1/lint', false],
  ['/metrics', false],
  ['/no/such/route', false],
  ['/', false],
  ['/openapi.json', true],
  ['/healthz', true],
  ['/readyz', true],
  ['/version', true],
  ['/v1/auth', true],
  ['/errors/MR_SPEC_INVALID', true],
];

type Verdict = 'foreign' | 'no token' | 'welcome';
type Headers = Readonly<Record<string, string>>;

const senders: readonly (readonly [who: string, headers: Headers, verdict: Verdict])[] = [
  ['a program with the token', { authorization: `Bearer ${token}` }, 'welcome'],
  ['a program with the token in lower case', { authorization: `bearer ${token}` }, 'welcome'],
  ['a program with the token in its own header', { 'millrace-token': token }, 'welcome'],
  ['a program with a token for the source, too', { 'millrace-token': token, authorization: 'Bearer s' }, 'welcome'],
  ['a page of the API itself with the token', { origin: 'http://localhost:80', 'millrace-token': token }, 'welcome'],
  ['a program without a token', {}, 'no token'],
  ['a program with another token', { authorization: 'Bearer another-token-of-43-characters-xxxxxxxxxxxx' }, 'no token'],
  ['a program with the start of the token', { authorization: `Bearer ${token.slice(0, -1)}` }, 'no token'],
  ['a program with more than the token', { 'millrace-token': `${token}x` }, 'no token'],
  ['a program with an empty token', { authorization: 'Bearer ', 'millrace-token': '' }, 'no token'],
  ['a program with the token by Basic', { authorization: `Basic ${btoa(`x:${token}`)}` }, 'no token'],
  ['a program with the token in a cookie', { cookie: `token=${token}; millrace-token=${token}` }, 'no token'],
  ['a page whose name was rebound', { host: 'evil.example:8088' }, 'foreign'],
  ['a page whose name was rebound, with the token', { host: 'evil.example', 'millrace-token': token }, 'foreign'],
  ['a page of the Internet', { origin: 'https://evil.example' }, 'foreign'],
  ['a page of the Internet with the token', { origin: 'https://evil.example', 'millrace-token': token }, 'foreign'],
  ['a sandboxed page', { origin: 'null' }, 'foreign'],
  ['a page of another port', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }, 'foreign'],
  ['an image or a link of a page', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 'foreign'],
  ['a page that asks first', { origin: 'http://evil.example', 'access-control-request-method': 'PUT' }, 'foreign'],
  ['a form of a page', { origin: 'http://evil.example', 'content-type': 'text/plain' }, 'foreign'],
];

describe('who may ask the API', () => {
  const reached: string[] = [];
  const outside = recorder(reached);
  let guarded: Api;
  let open: Api;
  const apis: Api[] = [];

  before(async () => {
    guarded = await apiWith({ token });
    open = await apiWith({});
  });
  beforeEach(() => reached.splice(0));
  after(() => Promise.all(apis.map((api) => api.close())));

  async function apiWith(access: Access): Promise<Api> {
    const api = await buildServer({ ...outside, version: '0', logLevel: 'silent', access });
    apis.push(api);
    return api;
  }

  for (const [who, headers, verdict] of senders) {
    it(`${who} is ${verdict}, whatever the method and the route`, async () => {
      for (const [path, isOpen] of routes) {
        for (const method of methods) {
          reached.splice(0);
          const isForAll = isOpen && (method === 'GET' || method === 'HEAD');
          const expected = verdict === 'no token' && isForAll ? 'welcome' : verdict;
          assert.equal(await verdictOf(guarded, method, path, headers), expected, `${method} ${path}`);
          if (expected !== 'welcome') assert.deepEqual(reached, [], `G3: ${method} ${path} has reached something`);
        }
      }
    });

    it(`${who} is ${verdict === 'foreign' ? 'foreign' : 'welcome'} where no token is asked for`, async () => {
      for (const [path] of routes) {
        const expected = verdict === 'foreign' ? 'foreign' : 'welcome';
        for (const method of methods) assert.equal(await verdictOf(open, method, path, headers), expected, path);
      }
    });
  }

  it('the routes of this table are all that there are', async () => {
    const document = guarded.swagger();
    const known = routes.map(([path]) => pattern(path));
    const unknown = Object.keys(document.paths ?? {}).filter(
      (path) => !known.includes(path.replaceAll(/\{\w+\}/g, '*')),
    );
    assert.deepEqual(unknown, []);
  });

  it('says to a program without a token how to send it', async () => {
    const answer = await guarded.inject({ url: '/v1/pipelines' });
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="millrace"');
    assert.match(problemSchema.parse(answer.json()).detail, /Millrace-Token.*api-token/);
  });

  it('gives no page leave to read an answer', async () => {
    for (const origin of ['http://localhost:80', 'https://evil.example']) {
      const answer = await guarded.inject({ method: 'OPTIONS', url: orders, headers: { origin } });
      assert.deepEqual(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
        [],
      );
    }
  });

  it('takes the names that the operator lists', async () => {
    const api = await apiWith({ hosts: ['millrace-api.millrace'] });
    assert.equal(await verdictOf(api, 'GET', '/version', { host: 'millrace-api.millrace:8088' }), 'welcome');
    assert.equal(await verdictOf(api, 'GET', '/version', { host: 'millrace-api.other:8088' }), 'foreign');
  });

  it('sees two Host headers on a connection, and the address on which it came in', async () => {
    await guarded.listen({ host: '127.0.0.1', port: 0 });
    const { port } = new URL(guarded.listeningOrigin);
    const ask = (...hosts: string[]) =>
      raw(
        Number(port),
        `GET /version HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}Connection: close\r\n\r\n`,
      );
    assert.match(await ask(`127.0.0.1:${port}`), /^HTTP\/1\.1 200 /);
    assert.match(await ask(`10.0.0.1:${port}`), /^HTTP\/1\.1 403 /);
    assert.match(await ask('127.0.0.1', 'evil.example'), /^HTTP\/1\.1 40[03] /);
    assert.match(await raw(Number(port), 'GET /version HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 403 /);
  });
});

describe('a connection', () => {
  it('on which nobody says what is wanted is ended', async () => {
    const outside = recorder([]);
    const api = await buildServer({ ...outside, version: '0', logLevel: 'silent', headersTimeoutMs: 50 });
    await api.listen({ host: '127.0.0.1', port: 0 });
    const { port } = new URL(api.listeningOrigin);
    const ended = Promise.withResolvers<string>();
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write('GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\n'),
    );
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.once('close', () => ended.resolve(text)).once('error', ended.reject);
    assert.match(await ended.promise, /^HTTP\/1\.1 408 /);
    await api.close();
  });

  it('on which a body does not come is ended, with an answer', async () => {
    const api = await buildServer({ ...recorder([]), version: '0', logLevel: 'silent', bodyTimeoutMs: 50 });
    await api.listen({ host: '127.0.0.1', port: 0 });
    const headers = { 'content-type': 'application/json', 'content-length': 2 };
    const sent = request(`${api.listeningOrigin}${orders}/retry`, { method: 'POST', headers });
    const answered = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    const ended = once(sent, 'close');
    sent.flushHeaders();
    const answer = await answered;
    assert.equal(answer.statusCode, 408);
    assert.equal(problemSchema.parse(JSON.parse(await text(answer))).code, 'MR_REQUEST_INVALID');
    await ended;
    await api.close();
  });
});

describe('G6: a body that was held back', () => {
  it("is nobody's whose token or right was taken away meanwhile", async () => {
    for (const lost of ['token', 'right'] as const) {
      const isLet = Promise.withResolvers<undefined>();
      const reached: string[] = [];
      let isTakenBack = false;
      const outside = recorder(reached);
      const identity: Identity = {
        authenticate: async () => {
          if (isTakenBack && lost === 'token') throw mr('MR_NOT_AUTHENTICATED', { problem: 'a token of nobody' });
          return { name: 'oidc:jane', groups: [], extra: {} };
        },
        authorise: async ({ name }, need) => {
          if (need === 'patch') isLet.resolve(undefined);
          if (isTakenBack && lost === 'right') throw mr('MR_CALLER_FORBIDDEN', { caller: name, act: need, hint: '' });
        },
        kubeOf: () => outside.kube,
      };
      const api = await buildServer({ ...outside, version: '0', logLevel: 'silent', access: { identity } });
      await api.listen({ host: '127.0.0.1', port: 0 });
      const headers = { authorization: 'Bearer x', 'content-type': 'application/json', 'content-length': 2 };
      const sent = request(`${api.listeningOrigin}${orders}/retry`, { method: 'POST', headers });
      const answered = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
      sent.flushHeaders();
      await isLet.promise;
      isTakenBack = true;
      sent.end('{}');
      assert.equal((await answered).statusCode, lost === 'token' ? 401 : 403);
      assert.deepEqual(reached, []);
      sent.destroy();
      await api.close();
    }
  });
});

describe('the token of the API', () => {
  let dir: string;
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'millrace-token-'))));
  after(() => rm(dir, { recursive: true }));

  const configWith = async (content: string) => {
    const file = join(dir, 'api-token');
    await writeFile(file, content);
    return readConfig({ MILLRACE_API_TOKEN_FILE: file });
  };

  it('is read from its file, without the end of the line', async () => {
    assert.deepEqual((await configWith(`${token}\n`)).auth, { mode: 'token', token });
  });

  for (const content of ['', '\n', 'short', 'two tokens in one file, that is']) {
    it(`is not ${JSON.stringify(content)}`, () =>
      assert.rejects(configWith(content), /MR_ENVIRONMENT_INVALID: MILLRACE_API_TOKEN_FILE/));
  }

  it('that cannot be read ends the start, so that the API is never open by mistake', () => {
    assert.throws(() => readConfig({ MILLRACE_API_TOKEN_FILE: join(dir, 'none') }), {
      code: 'MR_ENVIRONMENT_INVALID',
      message: /ENOENT/,
    });
  });

  it('lets the API listen where others reach it', async () => {
    const file = join(dir, 'remote');
    await writeFile(file, token);
    const config = readConfig({ MILLRACE_API_TOKEN_FILE: file, MILLRACE_API_LISTEN: '0.0.0.0:8088' });
    assert.equal(config.host, '0.0.0.0');
  });
});

async function verdictOf(api: Api, method: HTTPMethods, url: string, headers: Headers): Promise<Verdict> {
  const answer = await api.inject({ method, url, headers });
  if (method === 'HEAD') return ({ 401: 'no token', 403: 'foreign' } as const)[answer.statusCode] ?? 'welcome';
  const { code } =
    answer.headers['content-type']?.toString().startsWith('application/problem') === true
      ? problemSchema.parse(answer.json())
      : { code: '' };
  return ({ MR_API_TOKEN_REQUIRED: 'no token', MR_REQUEST_FOREIGN: 'foreign' } as const)[code] ?? 'welcome';
}

/** `/v1/namespaces/shop/pipelines/orders/records/events` as the document writes it. */
function pattern(path: string): string {
  return (path.split('?')[0] ?? '')
    .replace(/(?<=\/namespaces\/)[^/]+/, '*')
    .replace(/(?<=\/pipelines\/)[^/]+/, '*')
    .replace(/(?<=\/(operations|records|errors)\/)[^/]+/, '*');
}

/** Everything outside of the API refuses, and notes that it was asked. */
function recorder(reached: string[]): { kube: Kube; pipelines: PipelineDoor; runs: OperationRuns } {
  const asked = (what: string) => () => {
    reached.push(what);
    return Promise.reject(new Error(`${what} is not there`));
  };
  const close = () => undefined;
  return {
    kube: {
      server: 'none',
      transport: { server: 'none', send: asked('send'), open: asked('open'), close },
      ...{ get: asked('get'), list: asked('list'), apply: asked('apply'), create: asked('create') },
      ...{ patchMerge: asked('patch'), delete: asked('delete'), close },
    },
    pipelines: {
      ...{ get: asked('get'), find: asked('get'), list: asked('list'), apply: asked('apply') },
      ...{ remove: asked('remove') },
      ...{ setDesiredState: asked('set'), decide: asked('decide'), orphan: asked('orphan') },
    },
    runs: {
      describe: asked('describe'),
      retry: asked('retry'),
      isReachable: asked('reach'),
      close: () => Promise.resolve(),
    },
  };
}

function raw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(request));
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.once('end', () => resolve(text)).once('error', reject);
  });
}
