/**
 * A system outside, as a client meets it: it answers late, refuses, is silent, does what was asked and does not say so,
 * does it after the client has given up.
 */
import type { Faults } from '../kernel/faults.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Random } from '../kernel/random.ts';
import type { World } from '../kernel/world.ts';

export type RemoteState =
  | 'up'
  /** Connections are refused at once. */
  | 'refusing'
  /** Requests go nowhere. */
  | 'silent'
  /** Requests are carried out, and nobody hears of it. */
  | 'mute';

export class RemoteFailure extends Error {
  /** Nothing of it was done, nor will be. */
  readonly isCertain: boolean;

  constructor(message: string, isCertain: boolean) {
    super(message);
    this.isCertain = isCertain;
  }
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export class Remote {
  readonly name: string;
  readonly world: World;
  readonly faults: Faults;
  readonly random: Random;
  state: RemoteState = 'up';

  constructor(name: string, world: World, faults: Faults) {
    this.name = name;
    this.world = world;
    this.faults = faults;
    this.random = world.random.fork(`remote ${name}`);
  }

  /**
   * `effect` runs where the system is, whether or not the caller still waits; it is told when nobody does (dead, frozen,
   * given up, or answered already: a repetition). It may be held for `delayMs` more.
   */
  call<T>(
    machine: Machine,
    call: string,
    effect: (isLate: boolean) => T,
    { timeoutMs, signal }: CallOptions,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!machine.alive) return;
      if (signal?.aborted === true) return reject(reasonOf(signal));
      let isOpen = true;
      const settle = (act: () => void) => {
        if (!isOpen) return;
        isOpen = false;
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = () => settle(() => reject(reasonOf(signal)));
      const cancelTimer = machine.after(timeoutMs, () =>
        settle(() => reject(new RemoteFailure(`${this.name} timed out`, false))),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      const place = { machine };
      const sent = this.faults.pass(call, 'sent', place);
      if (sent.drop || isDead(machine)) return;
      if (this.state === 'refusing') {
        machine.after(this.#ms(), () =>
          settle(() => reject(new RemoteFailure(`${this.name} refuses connections`, true))),
        );
        return;
      }
      this.world.inside(sent.delayMs + this.#ms(), () => {
        const arrived = this.faults.pass(call, 'arrived', place);
        if (arrived.drop || this.state === 'silent' || this.state === 'refusing') return;
        this.world.inside(arrived.delayMs + this.#ms(), () => {
          if (this.state === 'refusing') return;
          const isLate = !isOpen || !machine.alive || machine.frozen;
          const made = outcomeOf(() => effect(isLate));
          const done = this.faults.pass(call, 'done', place);
          if (done.repeat) this.world.inside(this.random.between(1, 5_000), () => void outcomeOf(() => effect(true)));
          if (done.drop || this.state === 'mute') return;
          machine.after(done.delayMs + this.#ms(), () => {
            const answered = this.faults.pass(call, 'answered', place);
            if (answered.drop || isDead(machine)) return;
            const end = () => settle(() => ('error' in made ? reject(made.error) : resolve(made.value)));
            if (answered.delayMs > 0 || machine.frozen) machine.after(answered.delayMs, end);
            else end();
          });
        });
      });
    });
  }

  #ms(): number {
    const draw = this.random.next();
    return draw < 0.9 ? 0.1 + draw * 2 : draw < 0.99 ? draw * 20 : draw * 200;
  }
}

function outcomeOf<T>(effect: () => T): { readonly value: T } | { readonly error: Error } {
  try {
    return { value: effect() };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function isDead(machine: Machine): boolean {
  return !machine.alive;
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}
