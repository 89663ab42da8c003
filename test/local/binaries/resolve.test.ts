import { rejects, strictEqual, ok, match, deepStrictEqual } from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../../model/errors.ts';
import type { BinaryName } from '../../../local/binaries/catalog.ts';
import { resolveBinaries, resolveBinary, type ResolveOptions } from '../../../local/binaries/resolve.ts';
import type { Progress } from '../../../local/progress.ts';
import { allAt, releaseServer } from './release-server.ts';

/** An executable that says a version, and `said` so that a test can tell who made it. */
const program = (version: string, said = '') => `#!/bin/sh\necho "v${version}" # ${said}\n`;

describe('resolving a binary of the local stack', () => {
  let dir: string;
  let lines: string[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-resolve-'));
    lines = [];
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const progress: Progress = {
    say: (line) => void lines.push(line),
    begin: (what) => ({
      done: (how = 'done') => void lines.push(`${what}: ${how}`),
      failed: (why) => void lines.push(`${what}: ${why}`),
    }),
  };

  /** Nothing is on PATH, no host answers, there is no Go: each test adds the way it is about. */
  const options = (over: Partial<ResolveOptions> = {}): ResolveOptions => ({
    cache: join(dir, 'cache'),
    env: { PATH: join(dir, 'path') },
    origins: allAt('http://127.0.0.1:9'),
    go: join(dir, 'no-go'),
    progress,
    ...over,
  });

  async function executable(path: string, content: string): Promise<string> {
    const file = join(dir, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content, { mode: 0o755 });
    return file;
  }

  const cached = (version: string) => executable('cache/nats-server-2.15.2/nats-server', program(version));

  /** A go command that "builds" a program; `record` in the test's directory counts its builds. */
  const fakeGo = () =>
    executable(
      'go',
      `#!/bin/sh
if [ "$1" = env ]; then echo go1.26.0; exit 0; fi
echo build >> "${join(dir, 'builds')}"
printf '#!/bin/sh\\necho v2.15.2 # built\\n' > "$GOBIN/nats-server"
`,
    );

  it('takes the configured path before all others', async () => {
    await cached('2.15.2');
    const mine = await executable('mine/nats', program('0.0.1'));
    const env = { PATH: '', MILLRACE_NATS_SERVER_PATH: mine };
    strictEqual(await resolveBinary('nats-server', options({ env })), mine);
  });

  it('refuses a configured path that is no executable instead of looking elsewhere', async () => {
    await cached('2.15.2');
    const env = { MILLRACE_NATS_SERVER_PATH: join(dir, 'nothing') };
    await rejects(resolveBinary('nats-server', options({ env })), /MR_BINARY_MISSING.*MILLRACE_NATS_SERVER_PATH names/);
  });

  it('takes a fitting version on PATH before the cache', async () => {
    await cached('2.15.2');
    const found = await executable('path/nats-server', program('2.14.9'));
    strictEqual(await resolveBinary('nats-server', options()), found);
  });

  it('passes over a version on PATH that does not fit, and says so', async () => {
    const inCache = await cached('2.15.2');
    await executable('path/nats-server', program('2.9.10'));
    strictEqual(await resolveBinary('nats-server', options()), inCache);
    match(lines.join('\n'), /path\/nats-server does not fit \(2\.9\)/);
  });

  it('takes any kubectl from 1.28 on', async () => {
    const found = await executable('path/kubectl', program('1.28.0'));
    strictEqual(await resolveBinary('kubectl', options()), found);
  });

  it('takes the cache without asking any host', async () => {
    await using server = await releaseServer();
    const inCache = await cached('2.15.2');
    const origins = allAt(server.url);
    strictEqual(await resolveBinary('nats-server', options({ origins })), inCache);
    deepStrictEqual(server.asked, []);
  });

  for (const name of ['nats-server', 'temporal', 'etcd', 'kubectl', 'helm'] satisfies BinaryName[]) {
    it(`D2: downloads the release of ${name}, verifies and keeps it`, async () => {
      await using server = await releaseServer();
      await server.publish(name, program('1.2.3', 'released'));
      const path = await resolveBinary(name, options({ origins: allAt(server.url) }));
      ok(path.startsWith(join(dir, 'cache')), path);
      match(await readFile(path, 'utf8'), /released/);
      match(lines.join('\n'), /verified/);
    });
  }

  it('D2: refuses a file whose checksum is not the published one', async () => {
    await using server = await releaseServer();
    await server.publish('nats-server', program('2.15.2'), { wrongChecksum: true });
    const origins = allAt(server.url);
    await rejects(resolveBinary('nats-server', options({ origins })), /MR_BINARY_MISSING.*has SHA-256 \w+, but/);
  });

  it('B1: leaves nothing in the cache when a download does not verify', async () => {
    await using server = await releaseServer();
    await server.publish('nats-server', program('2.15.2'), { wrongChecksum: true });
    const origins = allAt(server.url);
    await rejects(resolveBinary('nats-server', options({ origins })));
    deepStrictEqual(await readdir(join(dir, 'cache')), []);
  });

  it('D1: does not take plain http from another host', async () => {
    const origins = allAt('http://releases.example');
    await rejects(resolveBinary('nats-server', options({ origins })), /must be https/);
  });

  it('builds when no release can be had, and says why', async () => {
    const go = await fakeGo();
    const path = await resolveBinary('nats-server', options({ go }));
    match(await readFile(path, 'utf8'), /built/);
    match(lines.join('\n'), /127\.0\.0\.1:9 does not answer[^]*building with Go: built/);
  });

  it('asks a host that does not answer once, not for each binary', async () => {
    const go = await executable(
      'go',
      `#!/bin/sh
if [ "$1" = env ]; then echo go1.26.0; exit 0; fi
for made in nats-server temporal; do printf '#!/bin/sh\\necho v2.15.2\\n' > "$GOBIN/$made"; done
`,
    );
    await resolveBinaries(['nats-server', 'temporal'], options({ go }));
    strictEqual(lines.filter((line) => line.includes('downloading')).length, 1);
  });

  it('B2: two at the same time build once', async () => {
    const go = await fakeGo();
    const [one, two] = await Promise.all([1, 2].map(() => resolveBinary('nats-server', options({ go }))));
    strictEqual(one, two);
    strictEqual(await readFile(join(dir, 'builds'), 'utf8'), 'build\n');
  });

  it('B3: without any way it says what was tried and what to do', async () => {
    await rejects(resolveBinary('nats-server', options()), (error: unknown) => {
      ok(error instanceof MillraceError);
      strictEqual(error.code, 'MR_BINARY_MISSING');
      match(error.message, /nats-server 2\.15\.2.*does not answer.*Go is not installed/);
      match(error.fix, /Install Go 1\.26 or later, or put nats-server 2\.15\.2 on PATH/);
      return true;
    });
  });
});
