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
  | { readonly do: 'crash'; readonly ms: number }
  /** The only nats-server loses power, and the edge so many frames that were acknowledged and not synced. */
  | { readonly do: 'lose power'; readonly frames: number; readonly ms: number };

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

interface Point {
  count: number;
  readonly traps: Trap[];
}
type Points = Readonly<Record<Phase, Point>>;

export class Faults {
  readonly #world: World;
  readonly #calls = new Map<string, Points>();
  readonly #onMishap: (text: string) => void;
  /** Off: nothing more goes wrong, so that a run may show that it recovers. */
  enabled = true;
  sprung = 0;
  /** Whoever has the servers says how. */
  losePower: (frames: number, ms: number) => void = () => undefined;

  constructor(world: World, traps: readonly Trap[], onMishap: (text: string) => void) {
    this.#world = world;
    this.#onMishap = onMishap;
    for (const trap of traps) this.#pointsOf(trap.call)[trap.phase].traps.push(trap);
  }

  /** Calls that were made, with how often they passed each point: what a run has reached. */
  get passed(): ReadonlyMap<string, number> {
    const all = [...this.#calls].flatMap(([call, points]) =>
      Object.entries(points).map(([phase, { count }]) => [`${call}/${phase}`, count] as const),
    );
    return new Map(all.filter(([, count]) => count > 0));
  }

  pass(call: string, phase: Phase, place: Place): Verdict {
    const point = this.#pointsOf(call)[phase];
    const count = ++point.count;
    if (!this.enabled) return goOn;
    let verdict = goOn;
    for (const trap of point.traps) if (trap.nth === count) verdict = this.#spring(trap, place, verdict);
    return verdict;
  }

  #pointsOf(call: string): Points {
    const known = this.#calls.get(call);
    if (known !== undefined) return known;
    const point = (): Point => ({ count: 0, traps: [] });
    const made = { sent: point(), arrived: point(), done: point(), answered: point() };
    this.#calls.set(call, made);
    return made;
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
      case 'lose power':
        // What passes here has passed: the loss comes between it and whatever follows.
        this.#world.after(0, () => this.losePower(mishap.frames, mishap.ms));
        return before;
    }
  }
}

function describe(mishap: Mishap): string {
  return 'ms' in mishap ? `${mishap.do} ${Math.round(mishap.ms)} ms` : mishap.do;
}
