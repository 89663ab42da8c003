/** What nats-server makes of the tokens. */
import assert from 'node:assert/strict';
import { encodeUser } from '@nats-io/jwt';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { connect, credsAuthenticator, errors, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { testPlan, startTestServer, type TestServer } from '../../stream/support/server.ts';
import { permissionsOf } from '../../../stream/permissions.ts';
import { makeIdentity, makeUser, type Identity, type Rights } from '../../../workers/nats-identity/identity.ts';

describe('identity on a nats-server', () => {
  let identity: Identity;
  let server: TestServer;
  const open: NatsConnection[] = [];

  before(async () => {
    identity = await makeIdentity();
    server = await startTestServer({ extra: identity.serverConfig });
  });
  afterEach(async () => {
    for (const nc of open.splice(0)) await nc.close();
  });
  after(() => server.stop());

  async function as(creds: string, name = 'test'): Promise<NatsConnection> {
    const authenticator = credsAuthenticator(Buffer.from(creds));
    const nc = await connect({ servers: server.url, name, authenticator, reconnect: false });
    open.push(nc);
    return nc;
  }

  function user(permissions: Rights, more: { readonly name?: string; readonly expires?: number } = {}) {
    const { seeds, accountId } = identity;
    return makeUser({ name: 'u', accountSeed: seeds.signing, accountId, permissions, ...more });
  }

  const nothing = { pub: { allow: [] }, sub: { allow: [] } };
  const isViolation = (error: unknown) =>
    error instanceof errors.RequestError && error.cause instanceof errors.PermissionViolationError;

  it('lets the control plane use JetStream, and nobody without a token', async () => {
    const nc = await as(identity.controlPlane);
    assert.match(
      (await nc.request('$JS.API.INFO')).string(),
      /"type":"io.nats.jetstream.api.v1.account_info_response"/,
    );
    await assert.rejects(connect({ servers: server.url, reconnect: false }), errors.AuthorizationError);
  });

  it('lets the key of the account itself sign, too', async () => {
    const creds = await makeUser({
      accountSeed: identity.seeds.account,
      name: 'u',
      permissions: { pub: { allow: ['$JS.API.INFO'] }, sub: { allow: ['_INBOX.>'] } },
    });
    await (await as(creds)).request('$JS.API.INFO');
  });

  it('refuses a token that another account has signed, and one that has expired', async () => {
    const other = await makeIdentity();
    await assert.rejects(as(other.controlPlane), errors.AuthorizationError);
    await assert.rejects(as(await user(nothing, { expires: Date.now() - 1_000 })), errors.AuthorizationError);
  });

  it('T2: lets a user with empty lists do nothing', async () => {
    const nc = await as(await user(nothing));
    await assert.rejects(nc.request('a', '', { timeout: 5_000 }), isViolation);
  });

  it('T2: lets a user to whom somebody gave no list at all do nothing', async () => {
    const { seeds, accountId } = identity;
    const pair = createUser();
    const token = await encodeUser('u', pair, accountId, {}, { signer: fromSeed(Buffer.from(seeds.signing)) });
    const authenticator = jwtAuthenticator(token, pair.getSeed());
    const nc = await connect({ servers: server.url, authenticator, reconnect: false });
    open.push(nc);
    await assert.rejects(nc.request('a', '', { timeout: 5_000 }), isViolation);
  });

  it('takes the token of a pipeline with the longest name', async () => {
    const plan = testPlan();
    const pid = `${'n'.repeat(40)}-abcdef`;
    const longest = {
      ...plan,
      pipeline: { ...plan.pipeline, pid },
      edges: [{ name: 'e'.repeat(40), shards: 64, maxBytes: 1 }],
      deadLetters: { maxBytes: 1, whenFull: 'DropOldest' as const },
    };
    await as(await user(permissionsOf(longest), { name: pid }), 'c'.repeat(253));
  });
});
