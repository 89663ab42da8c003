/** Why stages have no ready pod, as their pods tell: asked of the API server only while a stage has none. */
import type { Kube } from '../../kubernetes/kube.ts';
import { podReason } from '../../activities/kubernetes/pods.ts';
import { stageSelector } from '../../activities/kubernetes/render/context.ts';
import type { Workload } from './workloads.ts';

const againMs = 5_000;

interface Asked {
  readonly at: number;
  readonly why: string | undefined;
}

export class PodReasons {
  readonly #kube: Kube;
  readonly #now: () => number;
  readonly #asked = new Map<string, Asked>();

  constructor(kube: Kube, now: () => number) {
    this.#kube = kube;
    this.#now = now;
  }

  of({ name }: Workload): string | undefined {
    return this.#asked.get(name)?.why;
  }

  mustAsk(workload: Workload): boolean {
    const { name, wanted, ready } = workload;
    if (wanted === 0 || ready > 0) {
      this.#asked.delete(name);
      return false;
    }
    const asked = this.#asked.get(name);
    return asked === undefined || this.#now() - asked.at >= againMs;
  }

  async ask({ name, namespace, pipelineUid, stage }: Workload): Promise<void> {
    const pods = await this.#kube.list('Pod', { namespace, labels: stageSelector(pipelineUid, stage) });
    this.#asked.set(name, { at: this.#now(), why: podReason(pods.items) });
  }
}
