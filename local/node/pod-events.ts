/**
 * Kubernetes Events about pods: what `kubectl describe pod` shows.
 *
 * A repeated event is counted up instead of written again. An event that cannot be written is dropped: events are
 * hints, the status is authoritative.
 */
import { randomBytes } from 'node:crypto';
import { mergePatch, type Kube } from './kube.ts';
import type { Pod } from './pod.ts';
import { isoSeconds } from './pod-status.ts';

export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type RecordEvent = (pod: Pod, event: PodEvent) => void;

interface Written {
  readonly path: string;
  count: number;
}

const maxRemembered = 1000;
/** How many are kept while the API does not answer; further events are dropped. */
const maxWaiting = 200;

export function eventRecorder(kube: Kube, node: string, onTrouble: (error: unknown) => void): RecordEvent {
  const written = new Map<string, Written>();
  let queue: Promise<void> = Promise.resolve();

  const write = async (pod: Pod, event: PodEvent) => {
    const { name, namespace, uid } = pod.metadata;
    const key = [uid, event.reason, event.message].join(' ');
    const now = isoSeconds(Date.now());
    const same = written.get(key);
    if (same) {
      same.count++;
      const body = { count: same.count, lastTimestamp: now };
      await kube.json({ method: 'PATCH', path: same.path, contentType: mergePatch, body });
      return;
    }
    const eventName = `${name}.${randomBytes(8).toString('hex')}`;
    const path = `/api/v1/namespaces/${namespace}/events`;
    if (written.size >= maxRemembered) written.clear();
    written.set(key, { path: `${path}/${eventName}`, count: 1 });
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
      ...event,
      source: { component: 'millrace-local-node', host: node },
      reportingComponent: 'millrace-local-node',
      reportingInstance: node,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    await kube.json({ method: 'POST', path, body });
  };

  let waiting = 0;
  return (pod, event) => {
    if (waiting >= maxWaiting) return;
    waiting++;
    queue = queue
      .then(() => write(pod, event))
      .catch(onTrouble)
      .finally(() => waiting--);
  };
}
