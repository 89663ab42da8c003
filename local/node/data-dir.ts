/** One node per data directory: a second node is refused, and the claim of a dead one is taken over. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mr } from '../../model/errors.ts';
import { tryLock, type Lock } from '../lock.ts';

export async function claimDataDir(dataDir: string): Promise<Lock> {
  await mkdir(join(dataDir, 'pods'), { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'node.lock');
  const lock = await tryLock(file);
  if ('release' in lock) return lock;
  const problem = `${dataDir} is in use by the node with pid ${lock.heldBy.pid}`;
  throw mr('MR_PART_FAILED', { part: 'The local node', problem, log: file });
}
