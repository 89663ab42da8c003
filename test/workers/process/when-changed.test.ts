import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aborted, untilAskedToStop } from '../../../workers/process/run.ts';
import { orWhenChanged } from '../../../workers/process/when-changed.ts';

const silent = { info: () => undefined, warn: () => undefined, fatal: () => undefined };

describe('a process whose files change', () => {
  let root: string;
  let dir: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-changed-'));
    dir = join(root, 'access');
    await mkdir(dir);
    await writeFile(join(dir, 'api-key'), 'old');
  });
  afterEach(() => rm(root, { recursive: true }));

  /** Looks at each millisecond. */
  const watched = (stop = new AbortController().signal) => orWhenChanged(dir, stop, silent, 1);

  it('ends with code 0 when a file has another content, though its work rejects', async () => {
    const said: unknown[] = [];
    const code = await untilAskedToStop(
      { warn: (what: unknown) => void said.push(what), fatal: (what: unknown) => void said.push(what) },
      async (stop) => {
        await writeFile(join(dir, 'api-key'), 'new');
        await aborted(stop);
        stop.throwIfAborted();
      },
      watched,
    );
    deepEqual([code, said], [0, []]);
  });

  it('ends when a file is added, or goes', async () => {
    const added = watched();
    await writeFile(join(dir, 'ca.crt'), 'c');
    await aborted(added);
    const gone = watched();
    await rm(join(dir, 'ca.crt'));
    await aborted(gone);
    match(String(gone.reason), /the files of .* have changed/);
  });

  it('ends when the link changes by which Kubernetes exchanges a Secret, and not while there is nothing', async () => {
    const mounted = join(root, 'mounted');
    await symlink(dir, mounted);
    const signal = orWhenChanged(mounted, new AbortController().signal, silent, 1);
    await rm(mounted);
    await mkdir(join(root, 'second'));
    await writeFile(join(root, 'second', 'api-key'), 'old');
    await symlink(join(root, 'second'), mounted);
    equal(signal.aborted, false);
    await mkdir(join(root, 'third'));
    await writeFile(join(root, 'third', 'api-key'), 'new');
    await symlink(join(root, 'third'), join(root, 'next'));
    await rename(join(root, 'next'), mounted);
    await aborted(signal);
  });

  it('is asked to stop as before, and has nothing to look at without a folder', () => {
    const stop = new AbortController();
    const signal = watched(stop.signal);
    equal(orWhenChanged(undefined, stop.signal, silent), stop.signal);
    stop.abort();
    deepEqual([signal.aborted, signal.reason], [true, stop.signal.reason]);
  });
});
