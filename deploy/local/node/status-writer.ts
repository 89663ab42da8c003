/**
 * Keeps a pod's status in the API equal to what the node knows.
 *
 * Q1  A status is written when it differs from the one written last, or when the API shows another one for a while:
 *     while a node is away, the node lifecycle controller writes into the status of its pods.
 * Q2  A patch carries the pod's UID: a pod of the same name that came after it is never touched.
 */
import { isConflict, isNotFound, strategicMergePatch } from './kube.ts';
import type { NodeContext } from './context.ts';
import type { Pod } from './pod.ts';
import { conditionsIn } from './pod-status.ts';

export type Written = 'written' | 'unchanged' | 'podIsGone';

const settleMs = 3_000;

export class StatusWriter {
  readonly #context: NodeContext;
  #last = '';
  #writtenAt = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  async write(pod: Pod, status: Record<string, unknown>, now: number): Promise<Written> {
    const text = JSON.stringify(status);
    const isSettled = now - this.#writtenAt > settleMs;
    if (text === this.#last && !(isSettled && differs(pod.status, status))) return 'unchanged';
    const { name, namespace, uid } = pod.metadata;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    const body = { metadata: { uid }, status };
    try {
      await this.#context.kube.json({ method: 'PATCH', path, contentType: strategicMergePatch, body });
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return 'podIsGone';
      throw error;
    }
    this.#last = text;
    this.#writtenAt = now;
    return 'written';
  }
}

/** What others are known to write: the phase and the conditions. */
function differs(held: Pod['status'], wanted: Record<string, unknown>): boolean {
  if (held.phase !== wanted['phase']) return true;
  const present = conditionsIn(held);
  return conditionsIn(wanted).some(
    ({ type, status }) => present.find((condition) => condition.type === type)?.status !== status,
  );
}
