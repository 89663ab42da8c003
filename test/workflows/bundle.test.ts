import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DefaultLogger } from '@temporalio/worker';
import { ownCache, workflowBundle } from '../../workers/lifecycle/bundle.ts';

describe('workflow bundle', function () {
  let dir: string;
  let path: string;
  let code: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
    path = await workflowBundle(new DefaultLogger('WARN'), join(dir, 'cache', 'workflows'));
    code = await readFile(path, 'utf8');
  });
  after(() => rm(dir, { recursive: true }));

  it('stays below 1.5 MB', () => {
    assert.ok(code.length < 1.5 * 2 ** 20, `${code.length} bytes`);
  });

  it('B1: holds no zod, no connector and no activity', () => {
    for (const foreign of ['node_modules/zod', './connectors/', './activities/', '@nats-io', '@kubernetes']) {
      assert.ok(!code.includes(foreign), foreign);
    }
  });

  it('B2: is made once', async () => {
    const { mtimeMs } = await stat(path);
    assert.equal(await workflowBundle(new DefaultLogger('WARN'), dirname(path)), path);
    assert.equal((await stat(path)).mtimeMs, mtimeMs);
  });

  it('B4: only its user may look into the folder where it is kept', async () => {
    assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
  });

  const places: readonly (readonly [env: NodeJS.ProcessEnv, place: string])[] = [
    [{ XDG_CACHE_HOME: '/caches/app', HOME: '/home/app' }, '/caches/app/millrace/workflows'],
    [{ HOME: '/home/app' }, '/home/app/.cache/millrace/workflows'],
    [{}, join(homedir(), '.cache/millrace/workflows')],
  ];
  for (const [env, place] of places) {
    it(`B4: is kept in the user's cache: ${JSON.stringify(env)}`, () => assert.equal(ownCache(env), place));
  }
});
