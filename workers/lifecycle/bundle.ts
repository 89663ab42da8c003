/**
 * The workflows' code as one file.
 *
 * B1  It contains no zod and no connector: workflows import types and small pure files only.
 * B2  Bundling takes seconds, so the result is cached under a hash of all its inputs.
 * B3  A built package contains the bundle; then nothing is bundled, and the sources need not exist.
 * B4  This process runs the file as code, so it is kept where only its user can write, never in a shared folder.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

const workflowsDir = fileURLToPath(new URL('../../workflows/', import.meta.url));
const modelDir = fileURLToPath(new URL('../../model/', import.meta.url));
/** Beside the folders of a built package (scripts/build.ts); the repository has none. */
const builtBundle = fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));
const workerVersion = createRequire(import.meta.url)('@temporalio/worker/package.json') as { version: string };

/** Path of the bundle of the present workflows. */
export async function workflowBundle(logger: Logger, cacheDir = ownCache()): Promise<string> {
  if (existsSync(builtBundle)) return builtBundle;
  const path = join(cacheDir, `workflows-${await sourceHash()}.js`);
  if (existsSync(path)) return path;
  const { code } = await makeBundle(logger);
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  // Written to another name and renamed: a process that starts at the same time must not read half a file.
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, code);
  await rename(aside, path);
  return path;
}

/** B4. The cache of the local stack is beside it. */
export function ownCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'millrace', 'workflows');
}

/** Lines and names for stack traces. The sources themselves, which a worker shows to nobody, are half of the bundle. */
const devtool = 'inline-nosources-source-map';

export function makeBundle(logger: Logger): Promise<{ code: string }> {
  return bundleWorkflowCode({
    workflowsPath: join(workflowsDir, 'index.ts'),
    logger,
    webpackConfigHook: (config) => ({ ...config, devtool }),
  });
}

async function sourceHash(): Promise<string> {
  const hash = createHash('sha256').update(workerVersion.version).update(devtool);
  for (const dir of [workflowsDir, modelDir]) {
    const files = (await readdir(dir)).filter((name) => name.endsWith('.ts')).sort();
    for (const name of files) hash.update(name).update(await readFile(join(dir, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
