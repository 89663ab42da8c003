import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryLock, withLock } from '../../local/lock.ts';
import { identify } from '../../local/process-identity.ts';

describe('a lock between processes', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-lock-'));
    path = join(dir, 'lock');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('L1: is held by one, and names its holder to the others', async () => {
    ok('release' in (await tryLock(path)));
    deepStrictEqual(await tryLock(path), { heldBy: await identify(process.pid) });
  });

  it('is free again after release, and leaves no file', async () => {
    const lock = await tryLock(path);
    ok('release' in lock);
    await lock.release();
    deepStrictEqual(await readdir(dir), []);
  });

  it('L2: is taken over from a process that is gone', async () => {
    await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 1, startedAt: 'long ago' }));
    ok('release' in (await tryLock(path)));
  });

  it('L2: is taken over when the pid belongs to another process now', async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, startedAt: 'long ago' }));
    ok('release' in (await tryLock(path)));
  });

  it('L2: a damaged file holds nothing', async () => {
    await writeFile(path, '{"pid":');
    ok('release' in (await tryLock(path)));
  });

  it('lets waiting work run one after the other', async () => {
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await Promise.all([withLock(path, work), withLock(path, work), withLock(path, work)]);
    strictEqual(most, 1);
  });
});
