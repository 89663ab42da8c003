/**
 * Keeps a pod's status in the API equal to what the node knows.
 *
 * Q1  A status is written when it differs from the previous one, or when the API shows another one for a while: while a
 *     node is unreachable, the node lifecycle controller writes into the status of its pods.
 * Q2  A patch carries the pod's UID: a later pod of the same name is never changed.
 * Q3  Offering a status never blocks: an API server that hangs must not keep containers from being restarted. Of
 *     several statuses offered meanwhile only the last is written.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { problemOf } from '../../model/errors.ts';
import type { NodeContext } from './context.ts';
import { isConflict, isNotFound, strategicMergePatch } from './kube.ts';
import { podSchema, type Pod } from './pod.ts';
import { conditionsIn } from './pod-status.ts';

interface Offer {
  readonly pod: Pod;
  readonly status: Record<string, unknown>;
}

const settleMs = 3_000;
const retryMs = 1_000;

export class StatusWriter {
  readonly #context: Pick<NodeContext, 'kube' | 'log'>;
  readonly #onGone: () => void;
  readonly #closed = new AbortController();
  #offered = '';
  #offeredAt = 0;
  #next: Offer | undefined;
  #isWriting = false;

  /** `onGone`: the API no longer has the pod. */
  constructor(context: Pick<NodeContext, 'kube' | 'log'>, onGone: () => void) {
    this.#context = context;
    this.#onGone = onGone;
  }

  /** Everything offered is written, or the pod is gone. */
  get isIdle(): boolean {
    return !this.#isWriting;
  }

  /** Q1, Q3. */
  offer(pod: Pod, status: Record<string, unknown>, now: number): void {
    const text = JSON.stringify(status);
    const isOverwritten = now - this.#offeredAt > settleMs && differs(pod.status, status);
    if (text === this.#offered && !isOverwritten) return;
    this.#offered = text;
    this.#offeredAt = now;
    this.#next = { pod, status };
    if (!this.#isWriting) void this.#writeAll();
  }

  /** What is not written yet is left to the next node. */
  close(): void {
    this.#closed.abort();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    for (let offer = this.#next; offer && !this.#closed.signal.aborted; offer = this.#next) {
      this.#next = undefined;
      try {
        await this.#write(offer);
      } catch (error) {
        if (isNotFound(error) || (isConflict(error) && (await this.#isReplaced(offer.pod)))) {
          this.#onGone();
          break;
        }
        const { namespace, name } = offer.pod.metadata;
        this.#context.log.warn({ pod: `${namespace}/${name}`, error: problemOf(error) }, 'status not written yet');
        this.#next ??= offer;
        await delay(retryMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      }
    }
    this.#isWriting = false;
  }

  /** A conflict may be another UID, or only many writers at once. */
  async #isReplaced({ metadata: { name, namespace, uid } }: Pod): Promise<boolean> {
    try {
      const held = podSchema.parse(
        await this.#context.kube.json({ path: `/api/v1/namespaces/${namespace}/pods/${name}` }),
      );
      return held.metadata.uid !== uid;
    } catch (error) {
      return isNotFound(error);
    }
  }

  /** Q2. */
  async #write({ pod, status }: Offer): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    await this.#context.kube.json({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
      contentType: strategicMergePatch,
      body: { metadata: { uid }, status },
      signal: this.#closed.signal,
    });
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
