/** The pods of a node: one worker per pod UID, so a pod and a later pod of the same name are two. */
import type { NodeContext } from './context.ts';
import type { Pod } from './pod.ts';
import { PodWorker } from './pod-worker.ts';

export class PodWorkers {
  readonly podsDir: string;
  readonly #context: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #runs = new Set<Promise<void>>();
  /** Finished on this node, but not yet gone from the API: a finalizer holds them. */
  readonly #over = new Set<string>();
  #isClosed = false;

  constructor(context: NodeContext) {
    this.#context = context;
    this.podsDir = context.podsDir;
  }

  /** Pods that an earlier node has left on disk. */
  adopt(left: readonly Pod[]): void {
    for (const pod of left) this.#worker(pod, false);
  }

  /** All pods of the node. */
  replace(listed: readonly Pod[]): void {
    const uids = new Set(listed.map((pod) => pod.metadata.uid));
    for (const pod of listed) this.update(pod);
    for (const worker of this.#workers.values()) if (!uids.has(worker.uid)) worker.gone();
    for (const uid of this.#over) if (!uids.has(uid)) this.#over.delete(uid);
  }

  update(pod: Pod): void {
    if (!this.#over.has(pod.metadata.uid)) this.#worker(pod, true).update(pod);
  }

  gone(pod: Pod): void {
    this.#over.delete(pod.metadata.uid);
    const worker = this.#workers.get(pod.metadata.uid);
    worker?.update(pod);
    worker?.gone();
  }

  referenceChanged(reference: string): void {
    for (const worker of this.#workers.values()) worker.referenceChanged(reference);
  }

  /** The pod of that name; of two, the newer one. */
  find(namespace: string, name: string): PodWorker | undefined {
    return [...this.#workers.values()]
      .filter(({ pod: { metadata } }) => metadata.namespace === namespace && metadata.name === name)
      .at(-1);
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const worker of this.#workers.values()) worker.close();
    await Promise.all(this.#runs);
  }

  #worker(pod: Pod, isConfirmed: boolean): PodWorker {
    const { uid } = pod.metadata;
    const known = this.#workers.get(uid);
    if (known) return known;
    const worker = new PodWorker(this.#context, pod, isConfirmed);
    this.#workers.set(uid, worker);
    if (this.#isClosed) worker.close();
    const run = worker.run().then((end) => {
      this.#workers.delete(uid);
      if (end === 'over') this.#over.add(uid);
    });
    this.#runs.add(run);
    void run.finally(() => this.#runs.delete(run));
    return worker;
  }
}
