/**
 * Temporal when it is away: pipelines that have something to tell wait together, one question a second asks for it, and all
 * go on when it answers. A key of its own back-off would wait for minutes after an outage of minutes, and ten thousand keys
 * would ask on and on.
 */
import { MillraceError } from '../../model/errors.ts';

export class EngineGate {
  readonly #waiting = new Set<string>();
  #outage: MillraceError | undefined;

  /** Does `ask`, unless Temporal is known to be away: then it throws what it was answered last. */
  async pass<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#outage !== undefined) throw this.#outage;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MR_ENGINE_UNAVAILABLE') this.#outage = error;
      throw error;
    }
  }

  /** It is told by {@link probe} when it can go on. */
  wait(key: string): void {
    this.#waiting.add(key);
  }

  get isShut(): boolean {
    return this.#outage !== undefined;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks whether Temporal is back; the keys that waited, when it is. */
  async probe(ping: () => Promise<void>): Promise<readonly string[]> {
    if (this.#outage === undefined) return [];
    try {
      await ping();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#outage = error;
      return [];
    }
    this.#outage = undefined;
    const keys = [...this.#waiting];
    this.#waiting.clear();
    return keys;
  }
}
