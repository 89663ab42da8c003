/**
 * A process of ours, as the outside sees one: it has a clock, it can be killed, stopped and slowed.
 *
 * M1  Everything that its code waits for comes as an event of this machine. So a kill between two events is a kill at an
 *     await: nothing of it runs again, and what it had asked of others may still happen.
 * M2  Frozen, its events wait while time goes on; thawed, they come all at once, timers and answers in either order.
 */
import type { Clock } from '../../../model/clock.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

interface Held {
  readonly act: () => void;
  readonly cancelled: boolean;
}

export class Machine {
  readonly name: string;
  readonly world: World;
  readonly random: Random;
  readonly clock: Clock;
  alive = true;
  frozen = false;
  /** It has been asked to end, and knows. */
  stopping = false;
  /** Up to so much is added to each of its events. */
  slowMs = 0;
  readonly #held: Held[] = [];
  readonly #onDeath: (() => void)[] = [];

  constructor(name: string, world: World, skewMs = 0) {
    this.name = name;
    this.world = world;
    this.random = world.random.fork(`machine ${name}`);
    this.clock = clockOf(this, skewMs);
  }

  /** An event of this machine. */
  after(ms: number, act: () => void): () => void {
    return this.world.after(ms + (this.slowMs > 0 ? this.random.next() * this.slowMs : 0), act, this);
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#held.length = 0;
    for (const act of this.#onDeath.splice(0)) act();
  }

  /** At once when it is dead already: code that was killed in the middle of a step runs to its next await. */
  onDeath(act: () => void): void {
    if (this.alive) this.#onDeath.push(act);
    else act();
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    const held = this.#held.splice(0);
    // Which of them a process sees first when it wakes is the kernel's choice.
    const order = this.random.chance(0.5) ? held : this.random.shuffled(held);
    order.forEach((event, index) =>
      this.after(index * 0.001, () => {
        if (!event.cancelled) event.act();
      }),
    );
  }

  hold(event: Held): void {
    this.#held.push(event);
  }
}

function clockOf(machine: Machine, skewMs: number): Clock {
  const { world } = machine;
  const bootedAt = world.now;
  return {
    now: () => Math.floor(world.now + skewMs),
    monotonic: () => world.now - bootedAt,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(reasonOf(signal));
        const onAbort = () => {
          cancel();
          reject(reasonOf(signal));
        };
        const cancel = machine.after(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
    after: (ms, act) => machine.after(ms, act),
    turn: () => new Promise((resolve) => void machine.after(0, resolve)),
  };
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}
