/** One node per data directory: the second is refused, and a dead one's claim is taken over. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { mr } from '../../../crds/errors.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { identityOf, isAlive } from './identity.ts';

const owner = z.object({ pid: z.number(), started: z.string() });

export async function claimDataDir(dataDir: string): Promise<{ release(): Promise<void> }> {
  await mkdir(join(dataDir, 'pods'), { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'node.lock');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    const held = owner.parse(JSON.parse(text));
    if (await isAlive(held)) {
      const problem = `${dataDir} is in use by the node with pid ${held.pid}`;
      throw mr('MR_PART_FAILED', { part: 'The local node', problem, log: file });
    }
  }
  await writeFileAtomic(file, JSON.stringify(await identityOf(process.pid)));
  return { release: () => rm(file, { force: true }) };
}
