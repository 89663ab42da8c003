import { match, ok, rejects, strictEqual } from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '../../local/process-identity.ts';
import { startProcess } from '../../local/process.ts';
import { eventually } from '../support/eventually.ts';

describe('a host process of the local stack', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-process-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const sh = (script: string) => ({
    name: 'part',
    command: 'sh',
    args: ['-c', script],
    logFile: join(dir, 'part.log'),
  });
  /** The pid that a script has written down. */
  const written = (file: string): Promise<number> =>
    eventually(async () => {
      const pid = Number(await readFile(join(dir, file), 'utf8'));
      if (pid === 0) throw new Error('not written yet');
      return pid;
    });

  it('P1: stop ends the children of the process too', async () => {
    const running = await startProcess(sh(`sleep 600 & echo $! > ${dir}/child; wait`));
    const child = await written('child');
    await running.stop();
    await eventually(async () => (await identify(child)) === undefined);
  });

  it('P1: stop ends children that outlived the process', async () => {
    const running = await startProcess(sh(`sleep 600 & echo $! > ${dir}/child`));
    const child = await written('child');
    await running.exited;
    await running.stop();
    await eventually(async () => (await identify(child)) === undefined);
  });

  it('P2: stop kills a process that ignores SIGTERM, after its grace', async () => {
    const running = await startProcess({
      ...sh(`trap '' TERM; echo 1 > ${dir}/ready; while :; do sleep 0.05; done`),
      graceMs: 100,
    });
    await written('ready');
    await running.stop();
    strictEqual((await running.exited).signal, 'SIGKILL');
  });

  it('a process that exits before it is ready is MR_PART_FAILED with its exit code and log', async () => {
    await rejects(
      startProcess({ ...sh('echo no room; exit 3'), ready: async () => false }),
      /MR_PART_FAILED: part did not become ready: it exited with code 3 after "no room"/,
    );
    match(await readFile(join(dir, 'part.log'), 'utf8'), /no room/);
  });

  it('P3: a process that is not ready and does nothing is stopped, and the last problem is said', async () => {
    let pid = 0;
    await rejects(
      startProcess({
        ...sh('sleep 600'),
        onSpawn: (spawned) => (pid = spawned),
        ready: () => Promise.reject(new Error('not listening')),
        idleMs: 100,
      }),
      /not listening/,
    );
    ok(pid > 0);
    strictEqual(await identify(pid), undefined);
  });

  it('P3: a process that works is waited for, however long it takes', async () => {
    const work = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done;';
    let looks = 0;
    const running = await startProcess({
      ...sh(`while :; do ${work} done`),
      ready: () => Promise.resolve(++looks > 20),
      idleMs: 400,
    });
    ok(looks > 20);
    await running.stop();
  });

  it('a command that is not there is MR_PART_FAILED', async () => {
    await rejects(startProcess({ ...sh(''), command: join(dir, 'nothing') }), /MR_PART_FAILED.*ENOENT/);
  });
});
