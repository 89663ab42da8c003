/**
 * Whether this controller can hear the pods. Silence means something only to who was listening.
 *
 *   catchingUp  it listens, but not yet for as long as a pod may be silent; or it has lost NATS a moment ago
 *   steady      it has listened for so long: a pod that it did not hear has not reported
 *   deaf        it has not been connected to NATS for so long that what it heard is worth nothing
 */
export type Hearing = 'catchingUp' | 'steady' | 'deaf';

export class Ear {
  readonly #now: () => number;
  readonly #patienceMs: number;
  readonly #lostMs: number;
  #isConnected = false;
  #wasConnected = false;
  #since: number;

  /**
   * `patienceMs`: how long a pod may be silent. `lostMs`: how long NATS may be away, which is found out by fifteen seconds of
   * silence where it hangs: together less than a report is worth.
   */
  constructor(now: () => number, patienceMs: number, lostMs = 10_000) {
    this.#lostMs = lostMs;
    this.#now = now;
    this.#patienceMs = patienceMs;
    this.#since = now();
  }

  /** Called as often as one likes. A connection that is lost and found between two calls is told by `wasLost`. */
  note(isConnected: boolean, wasLost = false): void {
    if (isConnected === this.#isConnected && !wasLost) return;
    this.#isConnected = isConnected;
    this.#wasConnected ||= isConnected;
    this.#since = this.#now();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** NATS was there, and is not. */
  get isCutOff(): boolean {
    return this.#wasConnected && !this.#isConnected;
  }

  get hearing(): Hearing {
    if (this.#now() < this.#settledAt) return 'catchingUp';
    return this.#isConnected ? 'steady' : 'deaf';
  }

  /** When `hearing` changes by itself; undefined: only by `note`. */
  get changesAt(): number | undefined {
    return this.#now() < this.#settledAt ? this.#settledAt : undefined;
  }

  get #settledAt(): number {
    return this.#since + (this.isCutOff ? this.#lostMs : this.#patienceMs);
  }
}
