import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '../../../model/plan.ts';
import { makeIdentity } from '../../../workers/nats-identity/identity.ts';
import { podAccessFrom } from '../../../workers/lifecycle/pod-access.ts';

/** Nothing of it is looked at: the files are the same for all. */
const plan: Plan = {
  planVersion: 1,
  pipeline: { name: 'orders', namespace: 'shop', uid: 'u', pid: 'orders-1', generation: 1 },
  ...{ workloadNamespace: 'shop', isolation: 'Shared', desiredState: 'Running', deletionPolicy: 'Drain' },
  ...{ edges: [], stages: [], credentials: [], deadLetters: { maxBytes: 1, whenFull: 'Block' } },
};

describe('what lets pods in', () => {
  let dir: string;
  beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'millrace-pod-access-'))));
  afterEach(() => rm(dir, { recursive: true }));

  it('is nothing where nothing is configured', async () => {
    const access = podAccessFrom({ natsAccessDir: undefined, pullConfigs: undefined });
    deepEqual([await access.nats(plan), access.pullConfig()], [undefined, undefined]);
  });

  it('is what the files say at each call, and no other file', async () => {
    const access = podAccessFrom({ natsAccessDir: dir, pullConfigs: join(dir, 'pull.json') });
    await writeFile(join(dir, 'token'), 'one');
    await writeFile(join(dir, 'pull.json'), '{"auths":{}}');
    deepEqual(await access.nats(plan), { token: 'one' });
    equal(access.pullConfig(), '{"auths":{}}');
    await writeFile(join(dir, 'token'), 'two');
    await writeFile(join(dir, 'ca.crt'), 'c');
    deepEqual(await access.nats(plan), { token: 'two', 'ca.crt': 'c' });
  });

  it('A1: is a user of the pipeline, made with the seed of the account', async () => {
    const { seeds, accountId } = await makeIdentity();
    const access = podAccessFrom({ natsAccessDir: undefined, natsAccountDir: dir, pullConfigs: undefined });
    await rejects(access.nats(plan), /MR_ACCESS_INVALID.*must have the file account\.nk/);
    await writeFile(join(dir, 'account.nk'), 'SAX');
    await rejects(access.nats(plan), { message: /MR_ACCESS_INVALID.*the seed of an account(?!.*SAX)/ });
    await writeFile(join(dir, 'account.nk'), `${seeds.signing}\n`);
    await writeFile(join(dir, 'account-id'), accountId);
    const { 'user.creds': creds = '', ...others } = (await access.nats(plan)) ?? {};
    deepEqual(others, {});
    const [, claims = ''] = /-----BEGIN NATS USER JWT-----\s+[^.]+\.([^.]+)\./.exec(creds) ?? [];
    match(Buffer.from(claims, 'base64url').toString(), /"name":"shop\/orders".*mr\.orders-1\.commits/);
  });

  it('is refused before a pod is made that could not use it, without what is in the file', async () => {
    const access = podAccessFrom({ natsAccessDir: dir, pullConfigs: join(dir, 'pull.json') });
    await rejects(access.nats(plan), /MR_ACCESS_INVALID.*none of the files/);
    throws(() => access.pullConfig(), /MR_ACCESS_INVALID.*pull\.json.*cannot be read/);
    await writeFile(join(dir, 'pull.json'), 's3cret');
    throws(() => access.pullConfig(), { message: /not a dockerconfigjson(?!.*s3cret)/ });
  });
});
