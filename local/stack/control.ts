/**
 * What another process may do with a stack: look at it, end it, forget its data.
 *
 * C1  `stopStack` leaves nothing running, whether the supervisor lives or has died.
 * C2  `forgetStack` removes only what a stack writes; other files in the directory stay, and so do cached binaries.
 */
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mr } from '../../model/errors.ts';
import { holderOf, tryLock } from '../lock.ts';
import { isSameProcess, signalProcess, type ProcessIdentity } from '../process-identity.ts';
import { cleanUp, stillStarting } from '../stack.ts';
import { dataEntries, layoutOf } from './layout.ts';
import { readStackRecord, type StackRecord } from './record.ts';

const pollMs = 100;
/** Parts stop one after the other, each with its grace, and all of them slowly on a busy machine. */
const stopTimeoutMs = 600_000;

/**
 * The record of the running stack. Throws MR_STACK_NOT_RUNNING when its supervisor does not live, and MR_STACK_RUNNING
 * while one has just been started and has no parts yet.
 */
export async function statusOfStack(dataDir: string): Promise<StackRecord> {
  const { dir, lock } = layoutOf(resolve(dataDir));
  const record = await readStackRecord(dir);
  if (record && (await isSameProcess(record.supervisor))) return record;
  const holder = await holderOf(lock);
  if (holder !== undefined) throw mr('MR_STACK_RUNNING', { dir, pid: holder.pid, where: stillStarting });
  throw mr('MR_STACK_NOT_RUNNING', { dir });
}

export type Stopped =
  | { readonly was: 'running'; readonly pid: number }
  | { readonly was: 'crashed'; readonly ended: readonly string[] }
  | { readonly was: 'stopped' };

/** Ends the stack of a data directory, from any process. */
export async function stopStack(dataDir: string): Promise<Stopped> {
  const layout = layoutOf(resolve(dataDir));
  const lock = await tryLock(layout.lock);
  if ('heldBy' in lock) {
    await endSupervisor(lock.heldBy);
    return { was: 'running', pid: lock.heldBy.pid };
  }
  try {
    const wasRecorded = (await readStackRecord(layout.dir)) !== undefined;
    const ended = await cleanUp(layout.dir);
    return wasRecorded ? { was: 'crashed', ended } : { was: 'stopped' };
  } finally {
    await lock.release();
  }
}

/** Removes the data of a stack that does not run. */
export async function forgetStack(dataDir: string): Promise<void> {
  const layout = layoutOf(resolve(dataDir));
  const lock = await tryLock(layout.lock);
  if ('heldBy' in lock) {
    throw mr('MR_STACK_RUNNING', { dir: layout.dir, pid: lock.heldBy.pid, where: 'its data is in use' });
  }
  try {
    await cleanUp(layout.dir);
    for (const entry of dataEntries) await rm(join(layout.dir, entry), { recursive: true, force: true });
  } finally {
    await lock.release();
  }
  if ((await readdir(layout.dir)).length === 0) await rmdir(layout.dir);
}

async function endSupervisor(supervisor: ProcessIdentity): Promise<void> {
  await signalProcess(supervisor, 'SIGTERM');
  const deadline = Date.now() + stopTimeoutMs;
  while (await isSameProcess(supervisor)) {
    if (Date.now() > deadline) {
      throw mr('MR_PART_FAILED', {
        part: `The stack in process ${supervisor.pid}`,
        problem: `it did not end within ${stopTimeoutMs / 1_000} s of SIGTERM`,
        log: 'its terminal',
      });
    }
    await delay(pollMs);
  }
}
