/**
 * While Temporal is unreachable, the pipelines that have something to report wait together; one probe a second asks for
 * it, and all continue when it answers. With a back-off per key, each would wait for minutes after an outage of
 * minutes, and ten thousand keys would keep asking.
 */
import { MillraceError } from '../../model/errors.ts';

export class EngineGate {
  readonly #waiting = new Set<string>();
  #outage: MillraceError | undefined;

  /** Calls `ask`, unless Temporal is known to be unreachable: then it throws the last error again. */
  async pass<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#outage !== undefined) throw this.#outage;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MR_ENGINE_UNAVAILABLE') this.#outage = error;
      throw error;
    }
  }

  /** Adds a key that {@link probe} will return when Temporal answers. */
  wait(key: string): void {
    this.#waiting.add(key);
  }

  get isShut(): boolean {
    return this.#outage !== undefined;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks whether Temporal is back; returns the keys that waited if it is, else none. */
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
