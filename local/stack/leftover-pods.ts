/**
 * Ends the processes of pods that no node looks after any more.
 *
 * A node that gets SIGTERM does this itself. A node that was killed leaves its pods running for the next node; when there
 * will be no next one, because the stack ends, they are ended here. They are marked as interrupted, as the node does, so
 * that the next node starts them again without counting a failure.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Instance } from '../node/instance.ts';
import { isSystemError } from '../../model/system-error.ts';

const graceMs = 10_000;
const pollMs = 50;

/** How many processes were ended. Only to be called while no node runs on this directory. */
export async function endLeftoverPods(nodeDir: string, now: () => number = Date.now): Promise<number> {
  const running: Instance[] = [];
  for (const instance of await instancesIn(join(nodeDir, 'pods'))) {
    if ((await instance.observe(now())).state !== 'ended') running.push(instance);
  }
  await Promise.all(running.map((instance) => end(instance, now)));
  return running.length;
}

async function end(instance: Instance, now: () => number): Promise<void> {
  await instance.markInterrupted();
  await instance.signal('SIGTERM');
  const deadline = now() + graceMs;
  while ((await instance.observe(now())).state !== 'ended') {
    if (now() > deadline) await instance.signal('SIGKILL');
    await delay(pollMs);
  }
}

/** `pods/<uid>/containers/<name>/<number>`, each a run. */
async function instancesIn(podsDir: string): Promise<readonly Instance[]> {
  const found: Instance[] = [];
  for (const uid of await entries(podsDir)) {
    const containers = join(podsDir, uid, 'containers');
    for (const container of await entries(containers)) {
      for (const number of await entries(join(containers, container))) {
        const instance = await Instance.find(join(containers, container, number), Number(number));
        if (instance) found.push(instance);
      }
    }
  }
  return found;
}

async function entries(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
