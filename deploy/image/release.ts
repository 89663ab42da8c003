/** What an image says of itself: from package.json and the commit. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ask } from './commands.ts';
import type { Described } from './sbom.ts';

const manifest = z.object({
  version: z.string(),
  license: z.string(),
  description: z.string(),
  devDependencies: z.object({ node: z.string() }),
});

export interface Release extends Described {
  readonly licence: string;
  readonly description: string;
  readonly node: string;
}

/** `root`: the repository. Of a source archive without a commit the time is 1970, which does not change either. */
export async function releaseOf(root: string): Promise<Release> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  const { version, license, description, devDependencies } = manifest.parse(JSON.parse(text));
  const git = (...args: string[]) =>
    ask('git', args, root).then(
      (said) => said.trim(),
      () => undefined,
    );
  const commit = await git('rev-parse', 'HEAD');
  const isChanged = (await git('status', '--porcelain')) !== '';
  return {
    version,
    description,
    licence: license,
    node: devDependencies.node,
    revision: commit === undefined ? 'unknown' : isChanged ? `${commit}-changed` : commit,
    createdAt: (await git('show', '--no-patch', '--format=%cI', 'HEAD')) ?? new Date(0).toISOString(),
  };
}
