/**
 * A folder of one user's secrets, which several of the user's programs read and write.
 *
 * F1  Readable and writable by its owner only, whatever it was before; one that belongs to somebody else is refused.
 * F2  A file is written whole or not at all, under a name that nobody can have taken beforehand.
 * F3  One program at a time writes: it holds `lock`. What is left of one that died is taken over after {@link lockHoldsMs}, and
 *     the files that it has not finished are removed by the next one.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isSystemError } from '../model/system-error.ts';

/** Longer than two requests to an issuer take until they are given up, 30 s each. */
export const lockHoldsMs = 90_000;

const pollMs = 50;
const unfinished = '.tmp';

export interface PrivateFolder {
  /** False: it is not there, and neither is anything in it. */
  exists(): Promise<boolean>;
  /** F1, F3. Throws what `work` throws, and what the file system refuses. */
  whileLocked<T>(work: () => Promise<T>): Promise<T>;
}

/** `path` and the folder around it are for this alone. */
export function privateFolder(path: string, wallClock: () => number): PrivateFolder {
  const lock = join(path, 'lock');

  async function take(): Promise<void> {
    while (!(await create(lock))) {
      const since = await changedAt(lock);
      // Also one from the future: a clock was set back.
      if (since !== undefined && Math.abs(wallClock() - since) > lockHoldsMs) await rm(lock, { force: true });
      else await delay(pollMs);
    }
  }

  return {
    exists: async () => (await changedAt(path)) !== undefined,

    async whileLocked(work) {
      await mkdir(path, { recursive: true, mode: 0o700 });
      // Whoever may write around a folder may put another in its place.
      for (const folder of [dirname(path), path]) await makePrivate(folder);
      await take();
      try {
        for (const name of await readdir(path))
          if (name.endsWith(unfinished)) await rm(join(path, name), { recursive: true });
        return await work();
      } finally {
        await rm(lock, { force: true });
      }
    },
  };
}

/** F2. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}${unfinished}`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** F1. */
async function makePrivate(folder: string): Promise<void> {
  const { uid, mode } = await stat(folder);
  // Undefined: Windows, where folders of a user are that user's.
  const self = process.getuid?.();
  if (self !== undefined && uid !== self) throw new Error(`${folder} belongs to another user`);
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
}

/** False: it is there. */
async function create(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

/** ms since 1970; undefined: it is not there. */
async function changedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
