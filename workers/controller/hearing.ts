/**
 * Whether this controller receives the reports of pods. Silence means something only if it was listening.
 *
 *   catchingUp  it has listened for less time than a pod may be silent, or has lost NATS a moment ago
 *   steady      it has listened long enough: a pod without a report did not send one
 *   deaf        it has been without NATS for so long that earlier reports no longer count
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
   * `patienceMs`: how long a pod may be silent. `lostMs`: how long NATS may be unreachable. A NATS that hangs is
   * noticed after 15 s; that and `lostMs` together are shorter than the life of a report.
   */
  constructor(now: () => number, patienceMs: number, lostMs = 10_000) {
    this.#lostMs = lostMs;
    this.#now = now;
    this.#patienceMs = patienceMs;
    this.#since = now();
  }

  /** May be called at any rate. `wasLost`: the connection was lost and restored since the last call. */
  note(isConnected: boolean, wasLost = false): void {
    if (isConnected === this.#isConnected && !wasLost) return;
    this.#isConnected = isConnected;
    this.#wasConnected ||= isConnected;
    this.#since = this.#now();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** NATS was connected, and no longer is. */
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
