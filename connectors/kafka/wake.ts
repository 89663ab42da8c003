/** Waits for "something changed". A change that happens while nothing waits is kept for the next wait. */
export class Wake {
  #changed = false;
  #resolve: (() => void) | undefined;

  notify(): void {
    this.#changed = true;
    this.#resolve?.();
  }

  /** Resolves at the next change; rejects with the signal's reason. One caller at a time. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true, signal: this.#listening.signal });
      });
      this.#listening.abort();
      this.#listening = new AbortController();
      this.#resolve = undefined;
    }
    this.#changed = false;
    signal.throwIfAborted();
  }

  /** Removes the listener from the caller's signal, which outlives many waits. */
  #listening = new AbortController();
}

/** The promise, or the signal's reason if that comes first. The work behind the promise continues. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const done = new AbortController();
  try {
    return await new Promise<T>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(asError(signal.reason)), { once: true, signal: done.signal });
      promise.then(resolve, reject);
    });
  } finally {
    done.abort();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
