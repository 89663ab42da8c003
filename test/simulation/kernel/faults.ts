/**
 * Where something may go wrong, and what is to go wrong there.
 *
 * Everything that a machine asks of the outside passes four points: it is sent, it arrives, it is done, it is answered.
 * A trap waits for the n-th time that a certain call passes a certain point; so a run can kill a process at any await of
 * its choice, and a failing run can be told in a few lines.
 */
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

export type Phase = 'sent' | 'arrived' | 'done' | 'answered';

export type Mishap =
  | { readonly do: 'kill' }
  | { readonly do: 'freeze'; readonly ms: number }
  /** What passes here goes no further: a request or an answer is lost. */
  | { readonly do: 'drop' }
  | { readonly do: 'delay'; readonly ms: number }
  /** It is carried out a second time, later: a proxy that tries again. */
  | { readonly do: 'repeat' }
  /** The connection breaks. */
  | { readonly do: 'cut' }
  /** The server behind it is killed, and comes back. */
  | { readonly do: 'crash'; readonly ms: number };

export interface Trap {
  /** `publish commits: intent`, `purge`, `insert`. */
  readonly call: string;
  readonly phase: Phase;
  readonly nth: number;
  readonly mishap: Mishap;
}

/** What a call must do where it passes. */
export interface Verdict {
  readonly drop: boolean;
  readonly delayMs: number;
  readonly repeat: boolean;
}

const goOn: Verdict = { drop: false, delayMs: 0, repeat: false };

export interface Place {
  readonly machine: Machine;
  readonly cut?: () => void;
  readonly crash?: (ms: number) => void;
}

export class Faults {
  readonly #world: World;
  readonly #traps = new Map<string, Trap[]>();
  readonly #passed = new Map<string, number>();
  readonly #onMishap: (text: string) => void;
  /** Off: nothing more goes wrong, so that a run may show that it recovers. */
  enabled = true;
  sprung = 0;

  constructor(world: World, traps: readonly Trap[], onMishap: (text: string) => void) {
    this.#world = world;
    this.#onMishap = onMishap;
    for (const trap of traps) {
      const key = `${trap.call}/${trap.phase}`;
      this.#traps.set(key, [...(this.#traps.get(key) ?? []), trap]);
    }
  }

  /** Calls that were made, with how often they passed each point: what a run has reached. */
  get passed(): ReadonlyMap<string, number> {
    return this.#passed;
  }

  pass(call: string, phase: Phase, place: Place): Verdict {
    const key = `${call}/${phase}`;
    const count = (this.#passed.get(key) ?? 0) + 1;
    this.#passed.set(key, count);
    if (!this.enabled) return goOn;
    const traps = this.#traps.get(key);
    if (traps === undefined) return goOn;
    let verdict = goOn;
    for (const trap of traps) if (trap.nth === count) verdict = this.#spring(trap, place, verdict);
    return verdict;
  }

  #spring(trap: Trap, { machine, cut, crash }: Place, before: Verdict): Verdict {
    const { mishap } = trap;
    this.sprung++;
    this.#onMishap(`${machine.name}: ${trap.call} ${trap.phase} (${trap.nth}.) → ${describe(mishap)}`);
    switch (mishap.do) {
      case 'kill':
        machine.kill();
        return before;
      case 'freeze':
        if (machine.frozen) return before;
        machine.freeze();
        this.#world.after(mishap.ms, () => machine.thaw());
        return before;
      case 'drop':
        return { ...before, drop: true };
      case 'delay':
        return { ...before, delayMs: before.delayMs + mishap.ms };
      case 'repeat':
        return { ...before, repeat: true };
      case 'cut':
        cut?.();
        return before;
      case 'crash':
        crash?.(mishap.ms);
        return before;
    }
  }
}

function describe(mishap: Mishap): string {
  return 'ms' in mishap ? `${mishap.do} ${Math.round(mishap.ms)} ms` : mishap.do;
}
