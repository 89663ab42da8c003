/**
 * Which plan a writer names (E9): the newer of the pod's own plan and the plan in force, if the latter contains the
 * writer's source. It is notified when another comes into force and does not poll: if the notification gets lost, the
 * lifecycle names the plan on the writer's behalf (`./announce.ts`).
 */
import type { Plan } from '../model/plan.ts';
import { commitsEdge, edgeStream, planSubject } from '../model/names.ts';
import { decodePlanInForce, readPlanInForce, type PlanInForce } from './plan-store.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface PlanWatchOptions extends Asking {
  /** The pod's own plan. */
  readonly plan: Plan;
  readonly source: string;
}

export class PlanWatch {
  readonly #options: PlanWatchOptions;
  readonly #stop: AbortSignal;
  readonly #ends: (() => void)[] = [];
  #generation: number;
  /** Called when another plan has come into force. */
  onChange: (() => void) | undefined;

  private constructor(options: PlanWatchOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
    this.#generation = options.plan.pipeline.generation;
  }

  /** Resolves when it knows which plan is in force. Rejects with the signal's reason. */
  static async start(options: PlanWatchOptions, stop: AbortSignal): Promise<PlanWatch> {
    const { streams, plan } = options;
    const { pid } = plan.pipeline;
    const watch = new PlanWatch(options, stop);
    watch.#ends.push(
      streams.subscribe(planSubject(pid), ({ data }) => watch.#heard(decodePlanInForce(data, pid))),
      streams.link.onReconnect(() => void watch.#look().catch(() => undefined)),
    );
    try {
      await watch.#look();
    } catch (error) {
      watch.close();
      throw error;
    }
    return watch;
  }

  get generation(): number {
    return this.#generation;
  }

  close(): void {
    for (const end of this.#ends) end();
  }

  #heard(inForce: PlanInForce | undefined): void {
    if (inForce === undefined || !inForce.sources.includes(this.#options.source)) return;
    if (inForce.generation <= this.#generation) return;
    this.#generation = inForce.generation;
    this.onChange?.();
  }

  async #look(): Promise<void> {
    const { streams, plan } = this.#options;
    const { pid } = plan.pipeline;
    const stream = edgeStream(pid, commitsEdge);
    this.#heard(await untilAnswered(stream, () => readPlanInForce(streams, pid), this.#options, this.#stop));
  }
}
