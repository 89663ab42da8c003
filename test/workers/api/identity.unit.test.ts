/** Who is let in, without a cluster: limits, what is forwarded, what is written down. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import Fastify from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { createKube } from '../../../kubernetes/kube.ts';
import { MillraceError, mr } from '../../../model/errors.ts';
import type { Api } from '../../../workers/api/api.ts';
import { guard, type Access } from '../../../workers/api/guard.ts';
import type { Identity } from '../../../workers/api/identity/identity.ts';

const rates = { caller: { perSecond: 1, burst: 3 }, stranger: { perSecond: 1, burst: 2 } };
const nothing = () => Promise.reject(new Error('nothing is there'));
const kube = createKube({ server: 'none', send: nothing, open: nothing, close: () => undefined });

/** Knows whoever's token begins with `known`, and lets them do what they are called. */
function identity(asked: string[] = []): Identity {
  return {
    async authenticate(token) {
      asked.push(token);
      if (!token.startsWith('known')) throw mr('MR_NOT_AUTHENTICATED', { problem: 'a token that nobody has' });
      return { name: token, groups: [], extra: {} };
    },
    async authorise(caller, need, _at, charge) {
      const act = need;
      if (caller.name.includes(need)) return;
      charge?.();
      throw mr('MR_CALLER_FORBIDDEN', { caller: caller.name, act, hint: '' });
    },
    kubeOf: () => kube,
  };
}

describe('the guard of an API that knows its callers', () => {
  let now = 0;
  const servers: Api[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  /** One route that shows what a handler sees. */
  function serverWith(access: Access): Api {
    const server: Api = Fastify().withTypeProvider<ZodTypeProvider>();
    servers.push(server);
    server.setErrorHandler((error, _request, reply) =>
      reply.code(error instanceof MillraceError ? error.http : 500).send(),
    );
    guard(server, access, () => now);
    server.get('/', { config: { needs: ['get'] } }, ({ caller, headers }) => ({
      who: caller?.name,
      forwarded: headers.authorization ?? null,
    }));
    server.post('/records', { config: { needs: ['create records'] } }, () => ({}));
    server.get('/open', { config: { isOpen: true } }, () => ({}));
    return server;
  }

  const as = async (server: Api, token: string, remoteAddress = '10.0.0.1') =>
    (await server.inject({ url: '/', headers: { authorization: `Bearer ${token}` }, remoteAddress })).statusCode;

  it('G4: is not built with a route that does not say what its callers need', () => {
    const server: Api = Fastify().withTypeProvider<ZodTypeProvider>();
    guard(server, {}, () => 0);
    throws(() => server.get('/forgotten', () => ({})), /\/forgotten must say what its callers need/);
  });

  it('never forwards the token that was for the API, and the one for the source always', async () => {
    const server = serverWith({ identity: identity() });
    const seen = async (headers: Record<string, string>) => (await server.inject({ url: '/', headers })).json<object>();
    deepEqual(await seen({ authorization: 'Bearer known-get' }), { who: 'known-get', forwarded: null });
    const source = { authorization: 'Bearer of-the-source', 'millrace-token': 'known-get' };
    deepEqual(await seen(source), { who: 'known-get', forwarded: 'Bearer of-the-source' });
    const both = { authorization: 'Bearer known-get', 'millrace-token': 'known-get' };
    deepEqual(await seen(both), { who: 'known-get', forwarded: null });
  });

  it('G5: asks about few tokens of one sender that were never right, and goes on knowing those that were', async () => {
    now = 0;
    const asked: string[] = [];
    const server = serverWith({
      identity: identity(asked),
      rates: { ...rates, caller: { perSecond: 100, burst: 100 } },
    });
    equal(await as(server, 'known-get'), 200);
    const flood = await Promise.all(Array.from({ length: 20 }, (_, index) => as(server, `x${index}`)));
    deepEqual(
      [flood.filter((status) => status === 401).length, flood.filter((status) => status === 429).length],
      [1, 19],
    );
    equal(new Set(asked).size, 2);
    equal(await as(server, 'known-get'), 200, 'the one who was known is not kept out');
    equal(await as(server, 'known-get-2'), 429, 'whoever comes from the same address for the first time has to wait');
    equal(await as(server, 'known-get-2', '10.0.0.2'), 200);
    now += 1_000;
    equal(await as(server, 'known-get-2'), 200);
  });

  it('G5: keeps nobody out who shows a right token, where only wrong ones count', async () => {
    now = 0;
    const server = serverWith({ identity: { ...identity(), asksNobody: true }, rates });
    const flood = [];
    for (let count = 0; count < 4; count++) flood.push(await as(server, `x${count}`));
    deepEqual(flood, [401, 401, 429, 429]);
    equal(await as(server, 'known-get'), 200, 'new, and from the address of the flood');
  });

  it('G5: asks about few tokens at a time that are not known, from however many addresses', async () => {
    now = 0;
    const held = Promise.withResolvers<undefined>();
    const { authenticate, ...rest } = identity();
    const server = serverWith({
      identity: {
        ...rest,
        authenticate: async (token) => {
          if (!token.startsWith('known')) await held.promise;
          return authenticate(token);
        },
      },
    });
    equal(await as(server, 'known-get'), 200);
    let turnedAway = 0;
    const statuses = Array.from({ length: 40 }, async (_, index) => {
      const status = await as(server, `x${index}`, `10.0.1.${index}`);
      if (status === 503 && ++turnedAway === 8) held.resolve(undefined);
      return status;
    });
    while (turnedAway < 8) await new Promise(setImmediate);
    equal(await as(server, 'known-get'), 200, 'meanwhile');
    equal((await Promise.all(statuses)).filter((status) => status === 401).length, 32);
    equal(await as(server, 'x'), 401, 'there is room again');
  });

  it('takes so many requests of one caller, from however many addresses: records without end, but their refusals', async () => {
    now = 0;
    const server = serverWith({ identity: identity(), rates: { ...rates, stranger: { perSecond: 100, burst: 100 } } });
    const statuses = [];
    for (let count = 0; count < 5; count++) statuses.push(await as(server, 'known-get', `10.0.0.${count}`));
    deepEqual(statuses, [200, 200, 200, 429, 429]);
    equal(await as(server, 'known-get-too'), 200);
    const send = async (token: string) =>
      (await server.inject({ method: 'POST', url: '/records', headers: { 'millrace-token': token } })).statusCode;
    for (let count = 0; count < 10; count++) equal(await send('known-create records'), 200);
    const refused = [];
    for (let count = 0; count < 5; count++) refused.push(await send('known-of-no-right'));
    deepEqual(refused, [403, 403, 403, 429, 429]);
  });

  it('G3: reads no body of whoever may not send it', async () => {
    const server = serverWith({ identity: identity() });
    let parsed = 0;
    server.addContentTypeParser('text/x', (_request, payload, done) => {
      parsed++;
      done(null, payload);
    });
    for (const authorization of ['Bearer nobody', 'Bearer known-only']) {
      const headers = { authorization, 'content-type': 'text/x' };
      const { statusCode } = await server.inject({ method: 'POST', url: '/records', headers, payload: 'x' });
      ok(statusCode === 401 || statusCode === 403);
    }
    equal(parsed, 0);
  });

  it('has no caller on a route that is open, even with a token', async () => {
    const asked: string[] = [];
    const server = serverWith({ identity: identity(asked) });
    equal((await server.inject({ url: '/open', headers: { authorization: 'Bearer known' } })).statusCode, 200);
    deepEqual(asked, []);
  });
});
