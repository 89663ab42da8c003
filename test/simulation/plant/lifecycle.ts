/**
 * The lifecycle of the model: the real state and planner of the entity (workflows/state.ts, planner.ts), which remember
 * what Temporal remembers; and workers, machines like all others, that carry out one step at a time.
 *
 * A worker that dies or hangs in a step is noticed by its missing heartbeat: then the step is done again by another one,
 * while a process that hung may wake and go on with it.
 */
import { MillraceError } from '../../../model/errors.ts';
import type { PipelineRef, SpecSummary } from '../../../model/lifecycle.ts';
import type { StreamStatus } from '../../../model/status.ts';
import type { Plan } from '../../../model/plan.ts';
import type { Clock } from '../../../model/clock.ts';
import type { Act } from '../../../stream/act.ts';
import { planNext } from '../../../workflows/planner.ts';
import * as state from '../../../workflows/state.ts';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';
import { Machine } from '../kernel/machine.ts';
import type { Random } from '../kernel/random.ts';
import { carryOut } from './operations.ts';
import type { Plant } from './plant.ts';
import { namespace, pipelineName, type Shape } from './shape.ts';

class Preempted extends Error {}

type Attempt = Act & { readonly clock: Clock };

interface Worker {
  readonly machine: Machine;
  readonly port: JetStreamPort;
}

const heartbeatMs = 5_000;
/** A step that was told to end is waited for so long, then it is on its own. */
const patienceMs = 10_000;
const lookAgainMs = 200;
/** The controller looks so often for what is left of pipelines that are gone. */
const leftoversMs = 10_000;
/** What a process sent before it ended may be on its way for so long: delays of a scenario, one after the other. */
const onTheWayMs = 60_000;

export class Lifecycle {
  readonly #plant: Plant;
  #state: state.PipelineState;
  #resource: Shape;
  readonly #queue: Random;
  readonly #pipeline: PipelineRef;
  #worker: Worker | undefined;
  #workers: number;
  #preempt: (() => void) | undefined;
  /** Of the last operation that ran to its end. */
  applied: Plan | undefined;
  /** Why the step that is being done is refused, until the spec is another. */
  refused: MillraceError | undefined;
  /** A stage that leaves, has frames to read, and has never been in the cluster: nobody would read them. */
  waitsForNobody: string | undefined;
  /** Streams as the status has them. */
  known: readonly StreamStatus[] = [];
  /** The newest that is stored for pods. */
  stored: Plan | undefined;
  /** When the resource was gone. */
  goneAt: number | undefined;
  #isDeleted = false;
  #onGone: () => void = () => undefined;

  /** `before`: of the pipeline whose name it has. */
  constructor(plant: Plant, first: Shape, before?: Lifecycle) {
    this.#plant = plant;
    this.#queue = plant.world.random.fork('queue of tasks');
    this.#resource = first;
    this.#workers = before === undefined ? 0 : 100;
    this.#pipeline = { namespace, name: pipelineName, uid: plant.uid, cluster: 'sim' };
    this.#state = state.newState(this.#pipeline);
  }

  /** What is wanted now. */
  get resource(): Shape {
    return this.#resource;
  }

  /** What is wanted holds, and nothing is being done. */
  get isAtRest(): boolean {
    const { actual, running } = this.#state;
    if (actual.is === 'gone') return true;
    return running === null && actual.is === this.#resource.desiredState && planNext(this.#state).do === 'rest';
  }

  /** In a word, for whoever wonders why it is not at rest. */
  get doing(): string {
    const { running, actual } = this.#state;
    return running === null ? actual.is : `${running.kind} g${running.generation}: ${this.#doing}`;
  }
  #doing = '';

  /** Whether there is a resource, also one that is being deleted. */
  get isThere(): boolean {
    return this.goneAt === undefined;
  }

  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  /** The resource is deleted; `onGone` when its finalizer was taken off, and it is gone. */
  delete(onGone: () => void): void {
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    this.#onGone = onGone;
    this.tell();
  }

  /** The resource is edited; its generation rises. */
  edit(change: (now: Shape) => Shape): void {
    if (!this.isThere) return;
    const changed = change(this.#resource);
    if (changed === this.#resource) return;
    this.#resource = { ...changed, generation: this.#resource.generation + 1 };
    this.refused = undefined;
    this.#plant.addShape(this.#resource);
    this.#plant.say(`EDIT g${this.#resource.generation}: ${JSON.stringify(this.#resource)}`);
    this.tell();
  }

  tell(): void {
    this.#state = state.noteWanted(this.#state, {
      generation: this.#resource.generation,
      deleting: this.#isDeleted,
    });
    this.#plant.world.after(1, () => this.#decide());
  }

  /** A worker is killed or hangs at a moment of the run's choice. */
  get machine(): Machine | undefined {
    return this.#worker?.machine;
  }

  /** A tool of a person, run once. */
  person(): Worker {
    return this.#newWorker('person');
  }

  /** Of the last operation. */
  get opSeq(): number {
    return this.#state.lastSeq;
  }

  #decide(): void {
    const next = planNext(this.#state);
    switch (next.do) {
      case 'look':
        this.#state = state.noteSpec(this.#state, this.#summary(), this.#state.wanted.generation);
        return this.#decide();
      case 'start':
        this.#state = state.begin(this.#state, next.operation, new Date(this.#plant.world.now).toISOString());
        void this.#operate(next.operation);
        return;
      case 'preempt':
        this.#state = state.preempt(this.#state);
        this.#preempt?.();
        return;
      case 'rest':
      case 'end':
        return;
    }
  }

  async #operate(operation: state.Operation): Promise<void> {
    const plant = this.#plant;
    const { kind, seq, generation } = operation;
    const plan = plant.plans.get(generation)!;
    const shape = plant.ledger.shapes.get(generation)!;
    plant.say(`${kind} g${generation} begins`);
    const preempted = new AbortController();
    this.#preempt = () => preempted.abort(new Preempted());
    let outcome: state.Outcome;
    try {
      await carryOut(kind, {
        plant,
        plan,
        shape,
        step: (what, act) => this.#step(what, seq, act, preempted.signal),
        wait: async (what, look) => {
          const since = plant.world.now;
          const ask = async (act: Attempt) => {
            while (!preempted.signal.aborted && !(await look(act, plant.world.now - since))) {
              await act.clock.sleep(lookAgainMs);
            }
          };
          await this.#step(what, seq, ask, preempted.signal);
        },
      });
      outcome = { is: 'done', generation };
      this.applied = plan;
    } catch (error) {
      if (!(error instanceof Preempted)) throw error;
      outcome = { is: 'preempted' };
    }
    plant.say(`${kind} g${generation} ends: ${outcome.is}`);
    this.#state = state.finish(this.#state, outcome, new Date(plant.world.now).toISOString());
    if (this.#state.actual.is === 'gone') return this.#gone();
    this.#decide();
  }

  /** Also when leftovers were taken down. */
  #gone(): void {
    if (this.goneAt !== undefined) return;
    const { world } = this.#plant;
    this.goneAt = world.now;
    this.#plant.say('GONE');
    this.#onGone();
    this.#lookForLeftovers(false);
    closeWhenAlone(this.#plant);
  }

  /** As the controller does (workers/controller/leftovers.ts): what was found twice is told to an entity, which takes it down. */
  #lookForLeftovers(wereThere: boolean): void {
    const left = this.#plant.streamsLeft;
    const isTold = left.length > 0 && wereThere && this.#state.running === null;
    if (isTold) {
      this.#plant.say(`LEFTOVERS ${left.join(', ')}`);
      this.#state = state.newState(this.#pipeline);
      this.tell();
    }
    this.#plant.world.after(leftoversMs, () => this.#lookForLeftovers(left.length > 0 && !isTold));
  }

  #step<T>(what: string, opSeq: number, act: (act: Attempt) => Promise<T>, preempted: AbortSignal): Promise<T> {
    const { world } = this.#plant;
    this.#doing = what;
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void) => {
        if (isOver) return;
        isOver = true;
        preempted.removeEventListener('abort', onPreempted);
        // The next step is another task, which waits its turn in a queue.
        world.after(this.#queue.pick([1, 1, 40, 1_000]), settle);
      };
      const onPreempted = () => void world.after(patienceMs, () => end(() => reject(new Preempted())));
      if (preempted.aborted) return end(() => reject(new Preempted()));
      preempted.addEventListener('abort', onPreempted, { once: true });
      const attempt = () => {
        if (isOver) return;
        const worker = this.#ready();
        const { machine, port } = worker;
        let isRunning = true;
        const again = (afterMs: number) => {
          if (!isRunning) return;
          isRunning = false;
          if (preempted.aborted) return end(() => reject(new Preempted()));
          world.after(afterMs, attempt);
        };
        machine.onDeath(() => again(world.random.between(heartbeatMs, 2 * heartbeatMs)));
        const watch = () => {
          if (!isRunning || isOver) return;
          // It hangs: another process does it, and what this one does when it wakes, it does beside that one.
          if (machine.frozen) return again(0);
          world.after(heartbeatMs, watch);
        };
        world.after(heartbeatMs, watch);
        machine.after(0, () => {
          act({ streams: port, opSeq, clock: machine.clock }).then(
            (value) => {
              if (!isRunning) return;
              isRunning = false;
              end(() => (preempted.aborted ? reject(new Preempted()) : resolve(value)));
            },
            (error: unknown) => {
              this.#plant.say(`${machine.name} ${what}: ${error instanceof Error ? error.message : String(error)}`);
              if (error instanceof TypeError || error instanceof RangeError) world.fail(error);
              if (error instanceof MillraceError && opSeq === this.opSeq) this.refused = error;
              again(world.random.between(300, 3_000));
            },
          );
        });
      };
      attempt();
    });
  }

  #ready(): Worker {
    const worker = this.#worker;
    if (worker !== undefined && worker.machine.alive && !worker.machine.frozen) return worker;
    this.#worker = this.#newWorker('lifecycle');
    return this.#worker;
  }

  #newWorker(name: string): Worker {
    const machine = new Machine(`${name}#${++this.#workers}`, this.#plant.world);
    return { machine, port: this.#plant.connect(machine).port };
  }

  #summary(): SpecSummary {
    const { generation, desiredState, deletionPolicy } = this.#resource;
    return {
      generation,
      deleting: false,
      desiredState,
      deletionPolicy,
      isolation: 'Namespace',
      workloadNamespace: 'pipeline-sim',
      pid: this.#plant.pid,
      kinds: [],
      description: '',
      stages: [],
      opSeq: 0,
      cluster: 'sim',
    };
  }
}

/** Nothing of a pipeline that is gone writes, from when the last process that nobody knew of has ended as well. */
function closeWhenAlone(plant: Plant): void {
  const { world, cluster, ledger } = plant;
  let aloneSince: number | undefined;
  const look = () => {
    aloneSince = cluster.processes.length > 0 ? undefined : (aloneSince ?? world.now);
    if (aloneSince !== undefined && world.now - aloneSince >= onTheWayMs) ledger.isClosed = true;
    else world.after(1_000, look);
  };
  look();
}
