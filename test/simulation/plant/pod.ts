/**
 * One worker pod: the real slot runner, leases and loops of stream/ on a machine of the model. What `workers/pod` does
 * around them is done here in a few lines: connect, run, stop within the grace.
 */
import type { Plan, Stage } from '../../../model/plan.ts';
import { runIngestSlot } from '../../../stream/ingest-slot.ts';
import { runSinkSlot } from '../../../stream/sink-slot.ts';
import { SlotRunner } from '../../../stream/slot-runner.ts';
import type { SlotEnd, SlotSignals } from '../../../stream/slot-observer.ts';
import type { SourceReaderPort } from '../../../stream/source-port.ts';
import type { Connection } from '../jetstream/connection.ts';
import { Machine } from '../kernel/machine.ts';
import { SimObserver } from './observer.ts';
import type { Plant } from './plant.ts';
import { programOf } from './programs.ts';

interface SlotAtWork {
  readonly observer: SimObserver;
  /** Dead letters that the stage had when this run of the slot began. */
  readonly lettersBefore: number;
  lag: () => number | undefined;
}

export class Pod {
  readonly name: string;
  readonly plan: Plan;
  readonly stage: Stage;
  readonly machine: Machine;
  readonly connection: Connection;
  readonly slots = new Map<number, SlotAtWork>();
  /** Slots whose loop failed, with why, until it runs again. */
  readonly failures = new Map<number, string>();
  readonly #plant: Plant;
  readonly #runner: SlotRunner;
  #stopping = false;

  constructor(plant: Plant, name: string, run: number, plan: Plan, stage: Stage) {
    this.#plant = plant;
    this.name = name;
    this.plan = plan;
    this.stage = stage;
    this.machine = new Machine(`${name}#${run}`, plant.world, plant.skewOf(name));
    this.connection = plant.connect(this.machine);
    const { clock, random } = this.machine;
    this.#runner = new SlotRunner({
      streams: this.connection.port,
      pid: plan.pipeline.pid,
      stage: stage.name,
      pod: name,
      run: `${String(Math.floor(plant.world.now)).padStart(15, '0')}-${this.machine.name}`,
      slots: stage.slots,
      clock,
      random: random.next,
      onOwned: (slot, owned) => {
        plant.say(`${this.machine.name} ${owned ? 'owns' : 'gives up'} slot ${slot}`);
        if (!owned) this.slots.delete(slot);
      },
      onFailure: (slot, error) => {
        const why = error instanceof Error ? error.message : String(error);
        if (slot !== undefined) {
          this.failures.set(slot, why);
          plant.say(`${this.machine.name} slot ${slot} failed: ${why}`);
        }
        if (error instanceof TypeError || error instanceof RangeError) plant.world.fail(error);
      },
      work: (slot, signals) => this.#work(slot, signals),
    });
    this.machine.after(plant.world.random.between(20, 400), () => this.#runner.start());
  }

  /** SIGTERM. `done`: it has ended in order. */
  stop(graceMs: number, done: () => void): void {
    if (this.#stopping || !this.machine.alive) return;
    this.#stopping = true;
    this.machine.after(0, () => {
      this.machine.stopping = true;
      void this.#runner.stop(graceMs).then(() => {
        this.connection.close();
        done();
      });
    });
  }

  async #work(slot: number, signals: SlotSignals): Promise<SlotEnd> {
    this.failures.delete(slot);
    const lettersBefore = this.#plant.ledger.lettersOf(this.stage.name);
    const at: SlotAtWork = { observer: new SimObserver(), lettersBefore, lag: () => undefined };
    this.slots.set(slot, at);
    const end = this.stage.kind === 'ingestor' ? this.#ingest(slot, signals, at) : this.#sink(slot, signals, at);
    const how = await end;
    this.#plant.say(`${this.machine.name} slot ${slot} ended: ${how}`);
    return how;
  }

  #ingest(slot: number, signals: SlotSignals, at: SlotAtWork): Promise<SlotEnd> {
    const { stage, plan, machine } = this;
    if (stage.kind !== 'ingestor') throw new TypeError('not an ingestor');
    return runIngestSlot({
      streams: this.connection.port,
      plan,
      stage,
      slot,
      openReader: (position, losses) => this.#plant.openReader({ stage, slot, losses }, position, this),
      onReader: (reader: SourceReaderPort | undefined) => (at.lag = () => reader?.lag()),
      onSweepFailure: () => undefined,
      clock: machine.clock,
      random: machine.random.next,
      observer: at.observer,
      signals,
    });
  }

  #sink(slot: number, signals: SlotSignals, at: SlotAtWork): Promise<SlotEnd> {
    const { stage, plan, machine } = this;
    if (stage.kind !== 'sink') throw new TypeError('not a sink');
    return runSinkSlot({
      streams: this.connection.port,
      plan,
      stage,
      slot,
      programOf,
      openSlot: () => this.#plant.openSink(stage, slot, machine),
      onLoop: (loop) => (at.lag = () => loop?.backlog),
      clock: machine.clock,
      random: machine.random.next,
      observer: at.observer,
      signals,
    });
  }
}
