/** The processes of a pipeline's pods on the local node, found by their environment (Linux). */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { labels } from '../../../model/names.ts';
import type { Kubectl } from './kubectl.ts';

const podList = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/** kill -9 of the worker process in each pod of a stage. Throws when there is none. */
export async function killPod(kubectl: Kubectl, pipeline: string, stage: string): Promise<void> {
  const pids = await podProcesses(kubectl, pipeline, stage);
  assert.ok(pids.length > 0, `stage ${stage} of ${pipeline} has a worker process`);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

/** The worker processes of all pods of a stage. */
export async function podProcesses(kubectl: Kubectl, pipeline: string, stage: string): Promise<number[]> {
  const selector = `${labels.pipeline}=${pipeline},${labels.stage}=${stage}`;
  const { items } = podList.parse(JSON.parse(await kubectl.run(['get', 'pods', '-A', '-l', selector, '-o', 'json'])));
  return (await Promise.all(items.map(({ metadata }) => workersOf(metadata.name)))).flat();
}

async function workersOf(pod: string): Promise<number[]> {
  const pids: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const [environment, command] = await Promise.all([
      readFile(`/proc/${entry}/environ`, 'utf8').catch(() => ''),
      readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => ''),
    ]);
    const isWorker = command.split('\0').includes('worker') && command.includes('millrace.ts');
    if (isWorker && !command.includes('shim') && environment.split('\0').includes(`MILLRACE_POD_NAME=${pod}`)) {
      pids.push(Number(entry));
    }
  }
  return pids;
}
