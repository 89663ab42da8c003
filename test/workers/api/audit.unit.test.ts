import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { request } from 'node:http';
import { z } from 'zod';
import { withDefaults } from '../../../crds/defaults.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { mr } from '../../../model/errors.ts';
import { fieldManagers } from '../../../model/names.ts';
import type { Api } from '../../../workers/api/api.ts';
import type { Access } from '../../../workers/api/guard.ts';
import { buildServer } from '../../../workers/api/server.ts';
import { OddServer } from '../../activities/odd-server.ts';
import { eventually } from '../../support/eventually.ts';
import { runsOf } from './api.ts';
import { spec } from './cluster.ts';

const lineSchema = z.looseObject({ audit: z.string(), who: z.string(), what: z.string(), outcome: z.string() });
const url = '/v1/namespaces/shop/pipelines/orders';
const secret = 'a-secret-of-43-characters-that-nobody-may-see';

describe('the audit line of a change', () => {
  let cluster: OddServer;
  let written: string;
  const servers: Api[] = [];
  before(async () => (cluster = await OddServer.start()));
  beforeEach(() => {
    written = '';
    cluster.oddity = () => null;
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  after(() => cluster.stop());

  async function apiWith(access: Access, logLevel = 'error'): Promise<Api> {
    const { kube } = cluster;
    const pipelines = pipelineDoor(kube, fieldManagers.api, withDefaults);
    const server = await buildServer({
      ...{ kube, pipelines, access, logLevel, runs: runsOf(), version: '0', planWaitMs: 0 },
      logTo: { write: (line) => void (written += line) },
    });
    servers.push(server);
    return server;
  }

  const known: Access = {
    identity: {
      authenticate: async (token) =>
        token === secret
          ? { name: 'oidc:jane', groups: ['shop'], extra: {} }
          : Promise.reject(mr('MR_NOT_AUTHENTICATED', { problem: 'a token that nobody has' })),
      authorise: async (caller, need, { name }) => {
        if (name === 'theirs') throw mr('MR_CALLER_FORBIDDEN', { caller: caller.name, act: need, hint: '' });
      },
      kubeOf: () => cluster.kube,
    },
  };
  const authorization = `Bearer ${secret}`;
  const lines = () =>
    written.split('\n').flatMap((line) => {
      const parsed = line === '' ? undefined : lineSchema.safeParse(JSON.parse(line));
      return parsed?.success === true ? [parsed.data] : [];
    });

  it('L4: says who, what and what became of it, whatever the level of the log is', async () => {
    const api = await apiWith(known);
    const payload = {
      spec: { ...spec, sinks: [{ name: 'w', clickhouse: { url: 'http://x', table: 't', password: secret } }] },
    };
    const headers = { authorization, 'x-other': secret };
    const answer = await api.inject({ method: 'PUT', url, headers, payload });
    equal(answer.statusCode, 202);
    const [line] = lines();
    equal(lines().length, 1);
    deepEqual(
      { ...line, level: 0, time: 0, pid: 0, hostname: '', requestId: '' },
      {
        ...{ level: 0, time: 0, pid: 0, hostname: '', audit: 'pipeline', who: 'oidc:jane', what: 'apply' },
        ...{ namespace: 'shop', name: 'orders', outcome: 'done', requestId: '' },
        msg: 'oidc:jane: apply shop/orders: done',
      },
    );
    match(String(line?.['requestId']), /^[0-9a-f-]{36}$/);
  });

  it('L3: has no token, no body and no header in it, and neither has the rest of the log', async () => {
    const api = await apiWith(known, 'trace');
    for (const method of ['PUT', 'DELETE', 'GET'] as const) {
      const headers = { authorization, cookie: secret, 'idempotency-key': secret };
      await api.inject({
        method,
        url: `${url}?token=${secret}`,
        headers,
        ...(method === 'PUT' ? { payload: { spec: secret } } : {}),
      });
    }
    const headers = { 'millrace-token': `${secret}x` };
    await api.inject({ method: 'POST', url: `${url}/pause`, headers });
    ok(written.length > 500);
    ok(!written.includes(secret), written);
  });

  it('is written of whoever may not do it, and of nobody who is not known', async () => {
    const api = await apiWith(known);
    const theirs = '/v1/namespaces/shop/pipelines/theirs/pause';
    await api.inject({ method: 'POST', url: theirs, headers: { authorization } });
    await api.inject({ method: 'POST', url: theirs });
    await api.inject({ method: 'POST', url: theirs, headers: { authorization: 'Bearer x' } });
    await api.inject({ method: 'POST', url: theirs, headers: { authorization, host: 'evil.example' } });
    deepEqual(
      lines().map(({ who, what, outcome, code }) => [who, what, outcome, code]),
      [['oidc:jane', 'pause', 'refused', 'MR_CALLER_FORBIDDEN']],
    );
  });

  it('L2: names nobody as the token who has not shown it, however often', async () => {
    const rate = { perSecond: 1, burst: 1 };
    const api = await apiWith({ token: secret, rates: { caller: rate, stranger: rate } });
    const statuses = [];
    for (const bearer of ['x', 'y', 'z']) {
      const headers = { authorization: `Bearer ${bearer}` };
      statuses.push((await api.inject({ method: 'DELETE', url, headers })).statusCode);
    }
    deepEqual(statuses, [401, 429, 429]);
    deepEqual(lines(), []);
  });

  it('L5: calls nothing refused of which a part was stored', async () => {
    cluster.put('Pipeline', { name: 'kept', namespace: 'shop', uid: 'k', generation: 1 }, { spec: {} });
    // As a policy of admission answers that keeps pipelines from being deleted.
    const status = { kind: 'Status', status: 'Failure', reason: 'Forbidden', message: 'by policy', details: null };
    cluster.oddity = ({ verb }) =>
      verb === 'DELETE' ? { status: 403, type: 'application/json', body: JSON.stringify(status) } : null;
    const kept = url.replace('orders', 'kept');
    const api = await apiWith(known);
    for (const query of ['', '?force=true']) {
      const answer = await api.inject({ method: 'DELETE', url: `${kept}${query}`, headers: { authorization } });
      equal(answer.statusCode, 403);
    }
    ok(cluster.changes.some(({ body }) => body.includes('"deletionPolicy":"Orphan"')));
    deepEqual(
      lines().map(({ what, outcome }) => [what, outcome]),
      [
        ['delete', 'refused'],
        ['delete', 'failed'],
      ],
    );
  });

  it('is not of what changes nothing', async () => {
    const api = await apiWith(known);
    await api.inject({ url, headers: { authorization } });
    await api.inject({
      method: 'POST',
      url: '/v1/lint',
      headers: { authorization, 'content-type': 'text/plain' },
      payload: 'x',
    });
    deepEqual(lines(), []);
  });

  it('names nobody where nobody is told apart', async () => {
    const api = await apiWith({ token: secret });
    await api.inject({ method: 'POST', url: `${url}/pause`, headers: { authorization } });
    await (await apiWith({})).inject({ method: 'POST', url: `${url}/pause` });
    deepEqual(
      lines().map(({ who }) => who),
      ['the token', 'anybody'],
    );
  });

  it('is one line, whatever the path has', async () => {
    const api = await apiWith(known);
    await api.inject({
      method: 'POST',
      url: `/v1/namespaces/a%0a%7b%22audit/pipelines/${'x'.repeat(900)}/pause`,
      headers: { authorization },
    });
    equal(lines().length, 1);
    ok((lines()[0]?.['name']?.toString().length ?? 0) <= 253);
  });

  it('L1: is written of a change whose caller has gone before the answer', async () => {
    const api = await apiWith(known);
    const held = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<string>();
    cluster.oddity = () => {
      begun.resolve('');
      return 'hang';
    };
    await api.listen({ host: '127.0.0.1', port: 0 });
    const outgoing = request(`${api.listeningOrigin}${url}/pause`, { method: 'POST', headers: { authorization } });
    outgoing.once('error', () => held.resolve(''));
    outgoing.end();
    await begun.promise;
    outgoing.destroy();
    await held.promise;
    await cluster.stop();
    cluster = await OddServer.start();
    await eventually(async () => match(written, /oidc:jane: pause shop\/orders: failed/));
  });
});
