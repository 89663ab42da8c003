import { deepStrictEqual, match, ok, rejects, strictEqual } from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { tryLock } from '../../local/lock.ts';
import { identify, type ProcessIdentity } from '../../local/process-identity.ts';
import { cleanUp, startStack, type PartName, type Stack } from '../../local/stack.ts';
import { forgetStack, statusOfStack, stopStack } from '../../local/stack/control.ts';
import { layoutOf } from '../../local/stack/layout.ts';
import { readStackRecord } from '../../local/stack/record.ts';
import type { MillraceError } from '../../model/errors.ts';
import { eventually } from '../support/eventually.ts';

describe('the local stack', function () {
  let dataDir: string;
  let holder: ChildProcess | undefined;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'millrace-stack-'));
  });
  afterEach(async () => {
    holder?.kill('SIGKILL');
    holder = undefined;
    await cleanUp(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = (only: readonly PartName[] = ['nats'], more: readonly PartName[] = []): Promise<Stack> =>
    startStack({ dataDir, only, with: more, otherPorts: 'free', unsafeNoFsync: true });

  /** A stack in another process, ready. */
  async function startElsewhere(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'stack-holder.ts'), dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    holder = child;
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child;
  }

  async function recordedProcesses(): Promise<readonly ProcessIdentity[]> {
    const record = await readStackRecord(dataDir);
    return (record?.parts ?? []).flatMap((part) => (part.process ? [part.process] : []));
  }

  async function assertGone(processes: readonly ProcessIdentity[]): Promise<void> {
    ok(processes.length > 0);
    for (const { pid } of processes) strictEqual(await identify(pid), undefined);
  }

  async function withStreams<T>(
    natsUrl: string,
    use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>,
  ) {
    const connection = await connect({ servers: natsUrl });
    try {
      return await use(await jetstreamManager(connection));
    } finally {
      await connection.close();
    }
  }

  it('T3: after stop no process, lock or record is left', async () => {
    const stack = await start();
    const processes = await recordedProcesses();
    await stack.stop();
    await assertGone(processes);
    const left = await readdir(dataDir);
    deepStrictEqual(
      left.filter((entry) => /lock|stack\.json/.test(entry)),
      [],
    );
  });

  it('T3: the next start has the same ports and data', async () => {
    const first = await start();
    await withStreams(first.endpoints.natsUrl, (manager) => manager.streams.add({ name: 'kept', subjects: ['kept'] }));
    await first.stop();
    await using second = await start();
    strictEqual(second.endpoints.natsUrl, first.endpoints.natsUrl);
    await withStreams(second.endpoints.natsUrl, (manager) => manager.streams.info('kept'));
  });

  it('T1: a second start in the same directory says that it runs, and where', async () => {
    await using stack = await start();
    await rejects(start(), (error: Error) => {
      match(error.message, new RegExp(`MR_STACK_RUNNING.*process ${process.pid}.*${stack.endpoints.kubernetesUrl}`));
      return true;
    });
  });

  it('T1: a second start that asks for more says what is missing, and how to start it with both', async () => {
    await using _stack = await start();
    await rejects(start(['nats'], ['kafka']), (error: MillraceError) => {
      match(error.message, /^MR_STACK_LACKS_PARTS: .* without kafka: it has nats\.$/);
      match(error.fix, /`--with kafka`/);
      return true;
    });
    await rejects(start(['nats'], ['nats']), /MR_STACK_RUNNING/);
  });

  it('T1: while a stack gets its binaries, neither a start nor the status says that none runs', async () => {
    const lock = await tryLock(layoutOf(dataDir).lock);
    ok('release' in lock);
    await rejects(start(['nats'], ['kafka']), /MR_STACK_RUNNING.*it is still starting/);
    await rejects(statusOfStack(dataDir), /MR_STACK_RUNNING.*it is still starting/);
    await lock.release();
    await rejects(statusOfStack(dataDir), /MR_STACK_NOT_RUNNING/);
  });

  it('T2: the next start ends what a killed stack left, and has its ports and data', async () => {
    const child = await startElsewhere();
    const left = await recordedProcesses();
    const natsUrl = (await statusOfStack(dataDir)).endpoints.natsUrl;
    await withStreams(natsUrl, (manager) => manager.streams.add({ name: 'kept', subjects: ['kept'] }));
    const dead = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await dead;
    await using stack = await start();
    await assertGone(left);
    strictEqual(stack.endpoints.natsUrl, natsUrl);
    await withStreams(natsUrl, (manager) => manager.streams.info('kept'));
  });

  it('C1: down from another process ends the stack', async () => {
    await startElsewhere();
    const processes = await recordedProcesses();
    strictEqual((await stopStack(dataDir)).was, 'running');
    await assertGone(processes);
  });

  it('C1: down after a crash ends what was left', async () => {
    const child = await startElsewhere();
    const processes = await recordedProcesses();
    const dead = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await dead;
    deepStrictEqual(await stopStack(dataDir), { was: 'crashed', ended: ['nats'] });
    await assertGone(processes);
  });

  it('C1: down where nothing runs says so', async () => {
    deepStrictEqual(await stopStack(dataDir), { was: 'stopped' });
  });

  it('C2: reset forgets the data and leaves files that are not of the stack', async () => {
    await (await start()).stop();
    await writeFile(join(dataDir, 'mine.txt'), 'keep');
    await forgetStack(dataDir);
    deepStrictEqual(await readdir(dataDir), ['mine.txt']);
  });

  it('C2: reset refuses while the stack runs', async () => {
    await using _stack = await start();
    await rejects(forgetStack(dataDir), /MR_STACK_RUNNING/);
  });

  it('status of a stack that does not run is MR_STACK_NOT_RUNNING, also after a crash', async () => {
    await rejects(statusOfStack(dataDir), /MR_STACK_NOT_RUNNING/);
    const child = await startElsewhere();
    const dead = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await dead;
    await rejects(statusOfStack(dataDir), /MR_STACK_NOT_RUNNING/);
  });

  it('an aborted start leaves nothing', async () => {
    const controller = new AbortController();
    const starting = startStack({ dataDir, only: ['kube-scheduler'], otherPorts: 'free', signal: controller.signal });
    const failed = rejects(starting);
    await eventually(async () => (await recordedProcesses()).length > 0);
    const processes = await recordedProcesses();
    controller.abort();
    await failed;
    await assertGone(processes);
    await rejects(access(join(dataDir, 'stack.lock')));
  });

  for (const name of ['etcd', 'kube-apiserver'] as const) {
    it(`S1: ${name} comes back on the same port after kill -9, and the others with it`, async () => {
      await using stack = await start(['kube-controller-manager']);
      const part = stack.part(name);
      const before = part.pid;
      part.kill('SIGKILL');
      await eventually(() => part.pid !== before && part.record.state === 'running');
      await eventually(() => stack.parts.every(({ record }) => record.state === 'running'));
    });
  }
});
