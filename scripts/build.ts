/**
 * `npm run build`: the package's code as JavaScript, because Node runs no TypeScript under node_modules.
 *
 * `dist/` has the folders of the repository, so that code that finds a file relative to itself works in both. The
 * workflows are included a second time as the one file that Temporal's worker loads. docs/decisions/020-package.md.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DefaultLogger } from '@temporalio/worker';
import { z } from 'zod';
import { makeBundle } from '../workers/lifecycle/bundle.ts';
import { run } from './run-steps.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Files that programs read at run time, beside the compiled ones. */
const assets = ['crds/millrace.io_pipelines.yaml', 'local/node/shim.sh'];

await rm(dist, { recursive: true, force: true });
if ((await run('tsc', ['-p', join(root, 'tsconfig.build.json')])) !== 0) process.exit(1);
for (const asset of assets) {
  await mkdir(dirname(join(dist, asset)), { recursive: true });
  await cp(join(root, asset), join(dist, asset));
}
const { code } = await makeBundle(new DefaultLogger('WARN'));
await writeFile(join(dist, 'workflow-bundle.js'), code);
await writeFile(join(dist, 'package.json'), `${JSON.stringify(await ownPackage())}\n`);

/** What the code asks its nearest package.json for. */
async function ownPackage(): Promise<object> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(text));
  return { type: 'module', version };
}
