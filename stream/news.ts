/**
 * Waiting for messages on a JetStream subject without polling: what is published there also reaches core subscribers.
 * Such a message may get lost, so after a reconnect and after a while there may be news as well; the waiting code
 * checks again.
 */
import type { Clock } from '../model/clock.ts';
import type { JetStreamPort } from './jetstream-port.ts';

/** How long a lost message may go unnoticed. */
const againMs = 5_000;

export class News {
  readonly #clock: Clock;
  readonly #ends: (() => void)[];
  #isNew = false;
  #wake: () => void = () => undefined;

  constructor(streams: Pick<JetStreamPort, 'subscribe' | 'link'>, subject: string, clock: Clock) {
    this.#clock = clock;
    const arrived = () => {
      this.#isNew = true;
      this.#wake();
    };
    this.#ends = [streams.subscribe(subject, arrived), streams.link.onReconnect(arrived)];
  }

  /** Resolves when there may be news since the last call. Rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#isNew && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(againMs, done);
        function done() {
          cancel();
          signal.removeEventListener('abort', done);
          resolve();
        }
        signal.addEventListener('abort', done, { once: true });
        this.#wake = done;
      });
    }
    signal.throwIfAborted();
    this.#isNew = false;
  }

  close(): void {
    for (const end of this.#ends) end();
  }
}
