/** A local server with the layout of the official release hosts. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { catalog, type BinaryName, type Origins } from '../../../local/binaries/catalog.ts';
import { hostPlatform } from '../../../local/binaries/platform.ts';

const run = promisify(execFile);

export interface ReleaseServer extends AsyncDisposable {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly asked: readonly string[];
  publish(name: BinaryName, script: string, options?: { readonly wrongChecksum?: boolean }): Promise<void>;
}

export async function releaseServer(): Promise<ReleaseServer> {
  const files = new Map<string, Buffer>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const content = files.get(path);
    response.writeHead(content ? 200 : 404).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    asked,
    async publish(name, script, options = {}) {
      const release = catalog[name].release(hostPlatform() ?? { os: 'linux', arch: 'amd64' }, allAt(url));
      if (!release) throw new Error(`${name} is not published for this platform`);
      const content = release.member === undefined ? Buffer.from(script) : await archive(release.member, script);
      const path = new URL(release.url).pathname;
      const sum = createHash('sha256')
        .update(options.wrongChecksum ? 'another file' : content)
        .digest('hex');
      files.set(path, content);
      files.set(
        new URL(release.checksumsUrl).pathname,
        Buffer.from(
          release.member === undefined
            ? sum
            : `${'0'.repeat(64)}  another-file\n${sum}  ${path.split('/').at(-1) ?? ''}\n`,
        ),
      );
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function archive(member: string, script: string): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-release-'));
  try {
    await mkdir(dirname(join(dir, member)), { recursive: true });
    await writeFile(join(dir, member), script, { mode: 0o755 });
    await run('tar', ['-czf', 'release.tar.gz', member], { cwd: dir });
    return await readFile(join(dir, 'release.tar.gz'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Every release host is this one. */
export function allAt(url: string): Origins {
  return { github: url, kubernetes: url, helm: url };
}
