/**
 * E9 while the source is not open: a plan that comes into force is named in a frame of its own. Otherwise a writer that
 * cannot reach its source would delay every edit of the pipeline.
 */
import type { Clock } from '../model/clock.ts';
import type { EdgeWriter } from './edge-writer.ts';
import type { PlanWatch } from './plan-watch.ts';
import type { Sweeper } from './sweep.ts';

export interface PlanNamingOptions {
  readonly writer: EdgeWriter;
  readonly plans: PlanWatch;
  readonly sweeper: Pick<Sweeper, 'wrote'>;
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

export class PlanNaming {
  readonly #options: PlanNamingOptions;
  #named: Promise<void>;

  /** Starts at once. */
  constructor(options: PlanNamingOptions) {
    this.#options = options;
    this.#named = this.#name();
    // Awaited in the end; a failure before that means that another owner is active.
    this.#named.catch(() => undefined);
    options.plans.onChange = () => {
      this.#named = this.#named.then(() => this.#name());
      this.#named.catch(() => undefined);
    };
  }

  /** Resolves when no append is in flight. Throws the error of a failed append. */
  async end(): Promise<void> {
    this.#options.plans.onChange = undefined;
    await this.#named;
  }

  async #name(): Promise<void> {
    const { writer, plans, sweeper, clock, stop } = this.#options;
    if (plans.generation <= writer.plan) return;
    await writer.name(plans.generation, writer.openedAt, clock.now(), stop);
    // Frames before this one may be removed now; in a full edge the append could otherwise never succeed.
    sweeper.wrote(writer.sequence);
  }
}
