import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesWithEnv } from '../../../local/node/identity.ts';
import { Instance, type Command, type Ended } from '../../../local/node/instance.ts';
import { eventually } from '../../support/eventually.ts';

describe('run of a container', () => {
  let dir: string;
  let id: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-run-'));
    id = `test-${dir}`;
  });
  afterEach(async () => {
    for (const { pid } of await living()) process.kill(pid, 'SIGKILL');
    await rm(dir, { recursive: true });
  });

  const living = () => processesWithEnv(`MILLRACE_NODE_RUN=${id}`);
  const create = () => Instance.create(join(dir, '0'), 0, id, Date.now());
  const find = async () => {
    const found = await Instance.find(join(dir, '0'), 0);
    if (!found) throw new Error('the run is not there');
    return found;
  };
  const shell = (script: string, env: Readonly<Record<string, string>> = {}): Command => ({
    argv: ['/bin/sh', '-c', script],
    env: new Map(Object.entries({ PATH: '/usr/bin:/bin', ...env })),
    cwd: dir,
  });
  const endOf = (instance: Instance): Promise<Ended> =>
    eventually(async () => {
      const run = await instance.observe(Date.now());
      if (run.state !== 'ended') throw new Error(`it is ${run.state}`);
      return run;
    });
  const runs = (instance: Instance) =>
    eventually(async () => strictEqual((await instance.observe(Date.now())).state, 'running'));

  it('H1: a run that the node claimed is never started by a shim that comes late', async () => {
    const instance = await create();
    const found = await find();
    const run = await found.observe(Date.now());
    strictEqual(run.state, 'ended');
    await instance.start(shell('touch ran'), () => undefined);
    await eventually(async () => deepStrictEqual(await living(), []));
    ok(!existsSync(join(dir, 'ran')));
  });

  it('H3: keeps the exit code for a node that comes later', async () => {
    await (await create()).start(shell('exit 42'), () => undefined);
    await eventually(() => existsSync(join(dir, '0', 'exit')));
    const ended = await endOf(await find());
    strictEqual(ended.exitCode, 42);
    strictEqual(ended.reason, 'Error');
  });

  it('H4, N3: nothing is left of a run that ended, not even what left its process group', async () => {
    const instance = await create();
    await instance.start(shell('sleep 1000 & setsid sleep 1000 & sleep 0.2'), () => undefined);
    strictEqual((await endOf(instance)).reason, 'Completed');
    await eventually(async () => deepStrictEqual(await living(), []));
  });

  it('N2: tells the node at once when the process ends', async () => {
    const instance = await create();
    await new Promise<void>((resolve, reject) => {
      instance.start(shell('exit 0'), resolve).catch(reject);
    });
    strictEqual((await instance.observe(Date.now())).state, 'ended');
  });

  it('SIGTERM reaches the first process only, with its default action in place', async () => {
    const instance = await create();
    await instance.start(shell('exec sleep 1000'), () => undefined);
    await runs(instance);
    await instance.signal('SIGTERM');
    strictEqual((await endOf(instance)).exitCode, 143);
  });

  it('SIGKILL ends a stopped process, too', async () => {
    const instance = await create();
    await instance.start(shell('kill -STOP $$'), () => undefined);
    await runs(instance);
    await instance.signal('SIGKILL');
    strictEqual((await endOf(instance)).exitCode, 137);
  });

  it('hands on variables whose names a shell does not know', async () => {
    const instance = await create();
    await instance.start({ ...shell('', { 'log.level': 'debug' }), argv: ['/usr/bin/env'] }, () => undefined);
    await endOf(instance);
    ok((await readFile(instance.logFile, 'utf8')).includes('log.level=debug'));
  });
});
