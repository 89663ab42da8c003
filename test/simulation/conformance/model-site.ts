/** A part of the simulation that is large enough for one table, and a world in which its questions are answered. */
import assert from 'node:assert/strict';
import { Faults, type Phase, type Verdict } from '../kernel/faults.ts';
import { Machine } from '../kernel/machine.ts';
import { Random } from '../kernel/random.ts';
import { World } from '../kernel/world.ts';
import { Remote } from '../outside/remote.ts';
import type { RowKeeper } from '../outside/rows.ts';
import { laneOf, type Way } from './sink-bench.ts';

/** Drops one kind of call at one point, while it is told to. */
class Dropping extends Faults {
  what: readonly [call: string, phase: Phase] | undefined;

  override pass(...[call, phase, place]: Parameters<Faults['pass']>): Verdict {
    const verdict = super.pass(call, phase, place);
    const isDropped = this.what?.[0] === call && this.what[1] === phase;
    return isDropped ? { ...verdict, drop: true } : verdict;
  }
}

export class ModelSite {
  readonly world = new World(new Random('conformance'));
  readonly #faults = new Dropping(this.world, [], () => undefined);
  readonly remote = new Remote('table', this.world, this.#faults);
  readonly #rows: { readonly id: string; readonly text: string }[] = [];
  #pods = 0;

  readonly keeper: RowKeeper = {
    row: (_sink, id, text) => void this.#rows.push({ id, text }),
    unrow: (_sink, ids) => {
      for (const id of ids) {
        const last = this.#rows.findLastIndex((row) => row.id === id);
        assert.notEqual(last, -1, `no row of ${id} is there to be taken away`);
        this.#rows.splice(last, 1);
      }
    },
    forgo: () => undefined,
    // Other rows under a token are what some questions are about; only the simulation forbids them.
    violated: () => undefined,
    laneOf: (id) => laneOf(id),
  };

  get rows(): readonly string[] {
    return this.#rows.map(({ text }) => text).sort();
  }

  pod(): Machine {
    return new Machine(`pod ${++this.#pods}`, this.world);
  }

  async on<T>(way: Way, ask: () => Promise<T>): Promise<T> {
    this.remote.state = way;
    return ask().finally(() => (this.remote.state = 'up'));
  }

  losingAnswerTo<T>(call: string, ask: () => Promise<T>): Promise<T> {
    return this.dropping(call, 'answered', ask);
  }

  dropping<T>(call: string, phase: Phase, ask: () => Promise<T>): Promise<T> {
    this.#faults.what = [call, phase];
    return ask().finally(() => (this.#faults.what = undefined));
  }

  /** Virtual time passes while the question waits. */
  async answer(question: Promise<void>): Promise<void> {
    let ended: { readonly error?: Error } | undefined;
    question.then(
      () => (ended = {}),
      (error: unknown) => (ended = { error: error instanceof Error ? error : new Error(String(error)) }),
    );
    // An empty world stands still, also while the question has yet to ask.
    const beat = () => void this.world.after(100, beat);
    beat();
    await this.world.run(() => ended !== undefined, this.world.now + 3_600_000);
    if (ended === undefined) throw new Error('the question was not answered within an hour of model time');
    if (ended.error !== undefined) throw ended.error;
  }
}
