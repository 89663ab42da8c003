import assert from 'node:assert/strict';
import { decode, parseCreds, type Account, type ClaimsData, type Operator } from '@nats-io/jwt';
import { fromSeed } from '@nats-io/nkeys';
import { makeIdentity, makeUser, type Identity } from '../../../workers/nats-identity/identity.ts';

const idOf = (seed: string) => fromSeed(Buffer.from(seed)).getPublicKey();
const allSeeds = ({ seeds }: Identity): string[] => [seeds.operator, seeds.systemAccount, seeds.account, seeds.signing];
const permissions = { pub: { allow: ['a'], deny: ['b'] }, sub: { allow: ['c'] } };

describe('identity on NATS', () => {
  let identity: Identity;
  beforeEach(async () => {
    identity = await makeIdentity();
  });

  /** The claims of the server's configuration, whose signatures are checked. */
  function claimsIn({ serverConfig, seeds, accountId }: Identity) {
    const tokenAfter = (name: string) => new RegExp(`${name}: (\\S+\\.\\S+\\.\\S+)`).exec(serverConfig)?.[1] ?? '';
    const operator: ClaimsData<Operator> = decode(tokenAfter('operator'));
    const system: ClaimsData<Account> = decode(tokenAfter(idOf(seeds.systemAccount)));
    const account: ClaimsData<Account> = decode(tokenAfter(accountId));
    return { operator, system, account };
  }

  it('T1: the operator signs both accounts, and only that of Millrace has JetStream', () => {
    const { operator, system, account } = claimsIn(identity);
    const { seeds, accountId } = identity;
    assert.deepEqual(new Set([operator.iss, system.iss, account.iss]), new Set([idOf(seeds.operator)]));
    assert.equal(operator.nats.system_account, idOf(seeds.systemAccount));
    assert.equal(accountId, idOf(seeds.account));
    assert.deepEqual([system.nats.limits?.streams, account.nats.limits?.streams], [undefined, -1]);
  });

  it('T1: users are signed by a key that the account can replace without getting another id', async () => {
    const { account } = claimsIn(identity);
    const { seeds, accountId, controlPlane } = identity;
    const { uc, aid } = await parseCreds(Buffer.from(controlPlane));
    assert.equal(aid, accountId);
    assert.equal(uc.iss, idOf(seeds.signing));
    assert.deepEqual(account.nats.signing_keys, [uc.iss]);
  });

  it('T2: whoever has no permissions of his own may do nothing', () => {
    const { account } = claimsIn(identity);
    assert.deepEqual(account.nats.default_permissions, { pub: { deny: ['>'] }, sub: { deny: ['>'] } });
  });

  it('T2: an empty list, which permits all on nats-server, is written as the denial of all', async () => {
    const { seeds, accountId } = identity;
    const none = { pub: { allow: [] }, sub: { allow: [], deny: ['a'] } };
    const creds = await makeUser({ accountSeed: seeds.signing, accountId, name: 'u', permissions: none });
    const { nats } = (await parseCreds(Buffer.from(creds))).uc;
    assert.deepEqual(
      [nats.pub, nats.sub],
      [
        { allow: [], deny: ['>'] },
        { allow: [], deny: ['>'] },
      ],
    );
  });

  it('T3: the configuration of the server holds no seed', () => {
    for (const seed of allSeeds(identity)) assert(!identity.serverConfig.includes(seed));
    assert.doesNotMatch(identity.serverConfig, /\bS[OAU][A-Z2-7]{56}\b/);
  });

  it('a user has what it was given, by the key of the account as well', async () => {
    const { seeds, accountId } = identity;
    const wanted = { name: 'orders-abc123', permissions, expires: 1_800_000_000_999 };
    const keys = [{ accountSeed: seeds.account }, { accountSeed: seeds.signing, accountId }];
    for (const key of keys) {
      const { uc, aid, key: seed } = await parseCreds(Buffer.from(await makeUser({ ...wanted, ...key })));
      assert.deepEqual([uc.name, aid, uc.sub, uc.exp], [wanted.name, accountId, idOf(seed), 1_800_000_000]);
      assert.deepEqual([uc.nats.pub, uc.nats.sub], [permissions.pub, { allow: ['c'], deny: [] }]);
    }
  });

  it('a user without an end does not expire', async () => {
    const { uc } = await parseCreds(Buffer.from(identity.controlPlane));
    assert.equal(uc.exp, undefined);
  });

  it('no two are the same', async () => {
    const other = await makeIdentity();
    const seeds = [identity, other].flatMap((one) => allSeeds(one));
    assert.equal(new Set(seeds).size, 8);
  });

  it('a key that is not that of an account signs nobody', async () => {
    for (const accountSeed of [identity.seeds.operator, 'nonsense'])
      await assert.rejects(makeUser({ accountSeed, name: 'u', permissions }));
  });
});
