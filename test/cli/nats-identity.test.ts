/** The keys of NATS, made as a person and as the chart's hook make them. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { connectKube, type Kube } from '../../kubernetes/kube.ts';
import { podAccessFrom } from '../../workers/lifecycle/pod-access.ts';
import { natsAccess } from '../../workers/process/nats.ts';
import { testPlan } from '../stream/support/server.ts';
import { millrace, type Ran } from './millrace.ts';

const secretSchema = z.object({ data: z.record(z.string(), z.string()) });
const names = ['keep', 'server', 'access', 'account'].map((part) => `mine-nats-${part}`);

describe('millrace nats-identity', function () {
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-nats-identity-'));
  });
  after(() => rm(dir, { recursive: true }));

  describe('FOLDER', () => {
    it('writes what the processes take, readable by whoever runs it, and says where it belongs', async () => {
      const folder = join(dir, 'new', 'keys');
      const { code, stdout } = await millrace(['nats-identity', folder]);
      equal(code, 0);
      match(stdout, /user\.creds +MILLRACE_NATS_ACCESS_DIR of controller, lifecycle and preflight/);
      natsAccess(folder);
      const pods = podAccessFrom({ natsAccessDir: undefined, natsAccountDir: folder, pullConfigs: undefined });
      deepEqual(Object.keys((await pods.nats(testPlan())) ?? {}), ['user.creds']);
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      for (const file of files.filter((one) => one.isFile()))
        equal((await stat(join(file.parentPath, file.name))).mode & 0o777, 0o600, file.name);
    });

    it('writes over no key, and says which is there', async () => {
      const folder = join(dir, 'twice');
      equal((await millrace(['nats-identity', folder])).code, 0);
      const before = await readFile(join(folder, 'account.nk'), 'utf8');
      const { code, stderr } = await millrace(['nats-identity', folder]);
      equal(code, 1);
      match(stderr, /twice\/auth\.conf is there already/);
      equal(await readFile(join(folder, 'account.nk'), 'utf8'), before);
    });

    it('is a usage error without a folder, and with one beside --secrets', async () => {
      for (const args of [[], [dir, '--secrets', 'mine']])
        equal((await millrace(['nats-identity', ...args])).code, 2, args.join(' '));
    });
  });

  describe('--secrets PREFIX, on a real API server', () => {
    let kubernetes: Kubernetes;
    let kube: Kube;

    before(async () => {
      kubernetes = await startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, controllers: false });
      kube = connectKube(kubernetes.kubeconfigPath);
    });
    after(async () => {
      kube.close();
      await kubernetes.stop();
    });
    afterEach(async () => {
      for (const name of names) await kube.delete('Secret', name, 'default');
    });

    const make = (): Promise<Ran> =>
      millrace(['nats-identity', '--secrets', 'mine', '-n', 'default', '--kubeconfig', kubernetes.kubeconfigPath]);
    const versions = () =>
      Promise.all(names.map(async (name) => (await kube.get('Secret', name, 'default'))?.metadata.resourceVersion));

    it('makes them once, with the files that are mounted', async () => {
      const { code, stdout } = await make();
      equal(code, 0);
      equal(stdout, names.map((name) => `secret/${name} made\n`).join(''));
      const keys = async (name: string) =>
        Object.keys(secretSchema.parse(await kube.get('Secret', name, 'default')).data);
      deepEqual(await keys('mine-nats-server'), ['auth.conf']);
      deepEqual(await keys('mine-nats-access'), ['user.creds']);
      deepEqual(await keys('mine-nats-account'), ['account-id', 'account.nk']);
    });

    it('K1: leaves them as they are when it runs again, and says so', async () => {
      await make();
      const before = await versions();
      const { code, stdout } = await make();
      equal(code, 0);
      match(stdout, /secret\/mine-nats-access there already, and left as it is/);
      deepEqual(await versions(), before);
    });

    it('K2: makes none where some are there, and says which are missing', async () => {
      await make();
      await kube.delete('Secret', 'mine-nats-access', 'default');
      const before = await versions();
      const { code, stdout, stderr } = await make();
      equal(code, 7);
      match(stderr, /there is mine-nats-keep, mine-nats-server, mine-nats-account, and not mine-nats-access/);
      deepEqual(await versions(), before);
      equal(stdout, '');
      ok(!/S[OAU][A-Z0-9]{56}/.test(stderr), 'it says no key');
    });

    it('K3: does not miss the keys that somebody keeps elsewhere', async () => {
      await make();
      await kube.delete('Secret', 'mine-nats-keep', 'default');
      equal((await make()).code, 0);
      equal((await versions())[0], undefined);
    });
  });
});
