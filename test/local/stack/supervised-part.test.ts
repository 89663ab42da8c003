import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '../../../local/process-identity.ts';
import { startProcess, type ProcessOptions } from '../../../local/process.ts';
import { SupervisedPart } from '../../../local/stack/supervised-part.ts';
import { eventually } from '../../support/eventually.ts';

describe('a supervised part', () => {
  let dir: string;
  let spawned: number[];
  let part: SupervisedPart | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-part-'));
    spawned = [];
  });
  afterEach(async () => {
    await part?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  function supervise(
    script: string,
    options: Partial<ProcessOptions> = {},
    onChange: () => void = () => undefined,
  ): SupervisedPart {
    const logFile = join(dir, 'part.log');
    part = new SupervisedPart(
      {
        name: 'part',
        address: '',
        logFile,
        launch: (onSpawn) =>
          startProcess({
            name: 'part',
            command: 'sh',
            args: ['-c', script],
            logFile,
            onSpawn: (pid) => {
              spawned.push(pid);
              onSpawn(pid);
            },
            ...options,
          }),
      },
      onChange,
    );
    return part;
  }

  const noneIsLeft = async () => {
    for (const pid of spawned) strictEqual(await identify(pid), undefined);
  };

  it('S1: comes back with another process when it is killed, and counts it', async () => {
    const running = supervise('exec sleep 600');
    await running.start();
    const before = running.pid;
    running.kill('SIGKILL');
    await eventually(() => running.state === 'running' && running.pid !== before);
    notStrictEqual(running.pid, undefined);
    strictEqual(running.record.restarts, 1);
  });

  it('S1: goes on trying while it does not become ready, and says why', async () => {
    let isBroken = false;
    const running = supervise('exec sleep 600', {
      ready: () => (isBroken ? Promise.reject(new Error('no room')) : Promise.resolve(true)),
      idleMs: 60,
    });
    await running.start();
    isBroken = true;
    running.kill('SIGKILL');
    await eventually(() => running.record.restarts >= 2 && running.record.problem?.includes('no room') === true);
    isBroken = false;
    await eventually(() => running.state === 'running');
    strictEqual(running.record.problem, undefined);
  });

  it('S2: its process is known before it is ready', async () => {
    let known: number | undefined;
    const running = supervise(
      'exec sleep 600',
      { ready: () => Promise.resolve(known !== undefined) },
      () => (known = part?.record.process?.pid),
    );
    await running.start();
    deepStrictEqual([known], spawned);
  });

  it('S3: stop while it starts leaves no process', async () => {
    const running = supervise('exec sleep 600', { ready: async () => false });
    const start = rejects(running.start());
    await eventually(() => spawned.length > 0);
    await running.stop();
    await start;
    await noneIsLeft();
  });

  it('S3: stop while it waits for its next attempt ends the waiting', async () => {
    const running = supervise('exec sleep 600');
    await running.start();
    running.kill('SIGKILL');
    await eventually(() => running.state === 'restarting');
    await running.stop();
    strictEqual(running.state, 'stopped');
    await noneIsLeft();
  });

  it('starts again after a stop', async () => {
    const running = supervise('exec sleep 600');
    await running.start();
    await running.stop();
    await running.start();
    strictEqual(running.state, 'running');
    ok(running.pid);
  });

  it('a first start that fails is thrown and not tried again', async () => {
    const running = supervise('exit 3', { ready: async () => false });
    await rejects(running.start(), /MR_PART_FAILED.*code 3/);
    strictEqual(running.state, 'stopped');
    strictEqual(spawned.length, 1);
  });
});
