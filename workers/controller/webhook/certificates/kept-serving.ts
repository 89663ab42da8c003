/** Looks for a certificate again and again, has what is new served, and says once what keeps it from that. */
import type { Clock } from '../../../../model/clock.ts';
import { mr, problemOf } from '../../../../model/errors.ts';
import type { KeyPair } from '../listener.ts';
import type { SourceParts } from './source.ts';

export interface ServingParts extends SourceParts {
  readonly clock: Pick<Clock, 'sleep'>;
  /** What is to be served; undefined: nothing else than before. What it throws is a problem. */
  readonly look: () => KeyPair | undefined | Promise<KeyPair | undefined>;
  /** Of an error that is no problem: the next look tells. Default: none is. */
  readonly passes?: (error: unknown) => boolean;
  /** Between two looks. `isSettled`: the last one has found a certificate, and no problem. */
  readonly pauseMs: (isSettled: boolean) => number;
}

export class KeptServing {
  readonly #parts: ServingParts;
  #served: KeyPair | undefined;
  #problem: string | undefined;

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  /** Undefined: nothing is wrong. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when the signal is aborted. Rejects only when `onPair` does. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, pauseMs } = this.#parts;
    while (!signal.aborted) {
      const pair = await this.#lookOrSay();
      if (pair !== undefined) await this.#serve(pair);
      await clock.sleep(pauseMs(pair !== undefined && this.#problem === undefined), signal).catch(() => undefined);
    }
  }

  async #lookOrSay(): Promise<KeyPair | undefined> {
    try {
      const pair = await this.#parts.look();
      this.#problem = undefined;
      return pair;
    } catch (error) {
      if (this.#parts.passes?.(error) === true) return undefined;
      const { sentence } = mr('MR_WEBHOOK_CERTIFICATE', { problem: problemOf(error) });
      if (this.#problem !== sentence) this.#parts.onProblem(sentence);
      this.#problem = sentence;
      return undefined;
    }
  }

  async #serve(pair: KeyPair): Promise<void> {
    if (pair.cert === this.#served?.cert && pair.key === this.#served.key) return;
    await this.#parts.onPair(pair);
    this.#served = pair;
  }
}
