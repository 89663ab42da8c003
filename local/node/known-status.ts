/** What a pod's status in the API says about one container. */
import { z } from 'zod';
import type { Pod } from './pod.ts';
import type { KnownStatus } from './runner.ts';

const containerStatus = z.object({
  name: z.string(),
  restartCount: z.number().default(0),
  containerID: z.string().default(''),
  ready: z.boolean().default(false),
  started: z.boolean().default(false),
});
const statuses = z.array(containerStatus).default([]);

export function knownStatusOf(pod: Pod, container: string, isInit: boolean): KnownStatus | undefined {
  const all = statuses.parse(pod.status[isInit ? 'initContainerStatuses' : 'containerStatuses']);
  const known = all.find(({ name }) => name === container);
  if (!known) return undefined;
  const runId = known.containerID === '' ? undefined : known.containerID.replace(/^millrace:\/\//, '');
  return { restarts: known.restartCount, runId, isStarted: known.started, isReady: known.ready };
}
