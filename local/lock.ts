/**
 * A lock between processes: a file that names its holder.
 *
 * L1  At most one live process holds it: the file appears complete, by a hard link, which fails when it exists.
 * L2  A holder that died holds nothing: its pid and start time show that, and the next process takes the lock over.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isSameProcess, processIdentitySchema, type ProcessIdentity } from './process-identity.ts';
import { isSystemError } from '../model/system-error.ts';
import { readFileIfThere } from './files.ts';

export interface Lock {
  release(): Promise<void>;
}

const pollMs = 200;

/** Takes the lock, or returns who holds it. */
export async function tryLock(path: string): Promise<Lock | { readonly heldBy: ProcessIdentity }> {
  const self = await identify(process.pid);
  if (!self) throw new TypeError('this process runs');
  await mkdir(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}-${randomUUID()}`;
  await writeFile(mine, JSON.stringify(self));
  try {
    for (;;) {
      if (await linkUnlessThere(mine, path)) return { release: () => rm(path, { force: true }) };
      const content = await readFileIfThere(path);
      if (content === undefined) continue;
      const holder = parseHolder(content);
      if (holder && (await isSameProcess(holder))) return { heldBy: holder };
      await takeAway(path, content);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Who holds the lock; undefined: no live process does. */
export async function holderOf(path: string): Promise<ProcessIdentity | undefined> {
  const content = await readFileIfThere(path);
  const holder = content === undefined ? undefined : parseHolder(content);
  return holder && (await isSameProcess(holder)) ? holder : undefined;
}

/** Runs `work` while holding the lock; waits for it as long as its holder lives. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  onWait: (heldBy: ProcessIdentity) => void = () => undefined,
): Promise<T> {
  let hasWaited = false;
  for (;;) {
    const lock = await tryLock(path);
    if ('release' in lock) {
      try {
        return await work();
      } finally {
        await lock.release();
      }
    }
    if (!hasWaited) onWait(lock.heldBy);
    hasWaited = true;
    await delay(pollMs);
  }
}

/** Removes a dead holder's file, unless another process has created its own meanwhile: then that one is restored. */
async function takeAway(path: string, deadContent: string): Promise<void> {
  const aside = `${path}.${process.pid}-${randomUUID()}.dead`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== deadContent) await linkUnlessThere(aside, path);
  await rm(aside, { force: true });
}

async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

function parseHolder(content: string): ProcessIdentity | undefined {
  try {
    return processIdentitySchema.parse(JSON.parse(content));
  } catch {
    // Damaged by a full disk or by hand: it names no process, so no process holds it.
    return undefined;
  }
}
