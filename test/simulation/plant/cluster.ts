/**
 * What Kubernetes does with the pods of a pipeline: keeps as many as are wanted, starts again what ends, replaces them
 * when their plan changes, stops them with a grace.
 */
import { stageHash } from '../../../activities/kubernetes/render/stage-hash.ts';
import type { Plan, Stage } from '../../../model/plan.ts';
import { Pod } from './pod.ts';
import type { Plant } from './plant.ts';

interface Place {
  readonly name: string;
  readonly workload: Workload;
  pod: Pod | undefined;
  runs: number;
  /** Being stopped: it is not started again. */
  leaving: boolean;
}

interface Workload {
  readonly stage: string;
  plan: Plan;
  replicas: number;
  readonly places: Set<Place>;
}

const graceMs = 25_000;
const killAfterMs = 30_000;

export class Cluster {
  readonly #plant: Plant;
  readonly #workloads = new Map<string, Workload>();
  /** Removed by force, and perhaps not ended. */
  readonly #lost = new Set<Pod>();
  #names: number;

  /** `before`: of the pipeline whose name it has. Kubernetes gives no pod the name of another. */
  constructor(plant: Plant, before?: Cluster) {
    this.#plant = plant;
    this.#names = before === undefined ? 0 : 100;
  }

  /** Every process that lives and that the cluster knows of. */
  get pods(): Pod[] {
    return [...this.#workloads.values()].flatMap(({ places }) =>
      [...places].flatMap(({ pod }) => (pod?.machine.alive === true ? [pod] : [])),
    );
  }

  /** Also those that it does not know of. */
  get processes(): Pod[] {
    return [...this.pods, ...[...this.#lost].filter(({ machine }) => machine.alive)];
  }

  podsOf(stage: string): Pod[] {
    return this.pods.filter((pod) => pod.stage.name === stage);
  }

  get stages(): string[] {
    return [...this.#workloads.keys()];
  }

  wantedOf(stage: string): number {
    return this.#workloads.get(stage)?.replicas ?? 0;
  }

  /**
   * Server-side apply of a workload: pods that are told something else are replaced, one by one in no order that counts.
   * Others stay, with the plan that they have.
   */
  apply(stage: string, plan: Plan, replicas: number): void {
    const workload = this.#workloads.get(stage) ?? { stage, plan, replicas, places: new Set<Place>() };
    this.#workloads.set(stage, workload);
    const isChanged = hashIn(workload.plan, stage) !== hashIn(plan, stage);
    if (isChanged) workload.plan = plan;
    workload.replicas = replicas;
    if (isChanged) {
      for (const place of workload.places)
        if (!place.leaving) this.#leave(place, this.#plant.world.random.between(0, 2_000));
    }
    this.#reconcile(workload);
  }

  scale(stage: string, replicas: number): void {
    const workload = this.#workloads.get(stage);
    if (workload === undefined) return;
    workload.replicas = replicas;
    this.#reconcile(workload);
  }

  /** As many run as are wanted, and all as they are wanted. */
  isRolled(stage: string): boolean {
    const workload = this.#workloads.get(stage);
    if (workload === undefined) return true;
    const places = [...workload.places];
    return places.every(({ leaving }) => !leaving) && places.length >= workload.replicas;
  }

  /** No pod of the stage is left, not even one that is stopping. */
  isGone(stage: string): boolean {
    return (this.#workloads.get(stage)?.places.size ?? 0) === 0;
  }

  forget(stage: string): void {
    if (this.isGone(stage)) this.#workloads.delete(stage);
  }

  /** The pod is removed by force, and another takes its place: nobody can know whether its process has ended. */
  loseNodeOf(pod: Pod): void {
    for (const workload of this.#workloads.values())
      for (const place of workload.places) {
        if (place.pod !== pod) continue;
        this.#lost.add(pod);
        place.leaving = true;
        this.#gone(place);
        this.#reconcile(workload);
      }
  }

  /** All nodes are back, and end what nobody wants. */
  endLost(): void {
    for (const { machine } of this.#lost) machine.kill();
  }

  #reconcile(workload: Workload): void {
    const staying = [...workload.places].filter(({ leaving }) => !leaving);
    for (let count = staying.length; count < workload.replicas; count++) this.#add(workload);
    for (const place of staying.slice(workload.replicas)) this.#leave(place, 0);
  }

  #add(workload: Workload): void {
    const place: Place = {
      name: `${workload.stage}-${String(++this.#names).padStart(3, '0')}`,
      workload,
      pod: undefined,
      runs: 0,
      leaving: false,
    };
    workload.places.add(place);
    this.#start(place);
  }

  #start(place: Place): void {
    const { workload, name } = place;
    const stage = stageOf(workload.plan, workload.stage);
    if (stage === undefined) return;
    const pod = new Pod(this.#plant, name, ++place.runs, workload.plan, stage);
    place.pod = pod;
    this.#plant.say(`${pod.machine.name} starts (plan ${workload.plan.pipeline.generation})`);
    pod.machine.onDeath(() => this.#died(place));
  }

  /** kubelet starts a container again, after a backoff. */
  #died(place: Place): void {
    this.#plant.say(`${place.name}#${place.runs} is dead`);
    if (place.leaving) {
      this.#gone(place);
      return;
    }
    const { world } = this.#plant;
    world.after(world.random.between(100, 1_500), () => {
      if (!place.leaving && place.workload.places.has(place)) this.#start(place);
    });
  }

  #leave(place: Place, afterMs: number): void {
    place.leaving = true;
    const { world } = this.#plant;
    world.after(afterMs, () => {
      const { pod } = place;
      if (pod?.machine.alive !== true) return this.#gone(place);
      pod.stop(graceMs, () => pod.machine.kill());
      world.after(killAfterMs, () => pod.machine.kill());
    });
  }

  #gone(place: Place): void {
    place.workload.places.delete(place);
  }
}

function hashIn(plan: Plan, name: string): string {
  const stage = stageOf(plan, name);
  return stage === undefined ? '' : stageHash(plan, stage);
}

function stageOf(plan: Plan, name: string): Stage | undefined {
  return plan.stages.find((stage) => stage.name === name);
}
