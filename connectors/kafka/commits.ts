/**
 * Commits what is stored to a group without members, so that the usual tools show how far the pipeline is.
 *
 * G1  For display only: Millrace never reads it, and no failure here stops a record.
 * G2  At most one commit a second, retried until it is accepted, and one when the source closes.
 */
import type { Logger } from 'pino';
import type { WallClock } from '../../model/clock.ts';
import type { Cluster } from './cluster.ts';
import { parseFailure, type KafkaFailureContext } from './failures.ts';
import { advance } from './position.ts';

const everyMs = 1_000;
/** The same failure is logged again after this time. */
const repeatWarningMs = 60_000;
/** How long closing waits for the last commit. */
const lastCommitMs = 2_000;

export interface CommitOptions {
  readonly cluster: Cluster;
  readonly group: string;
  readonly topic: string;
  readonly clock: WallClock;
  readonly log: Logger;
  readonly failure: KafkaFailureContext;
}

export class GroupCommits {
  readonly #options: CommitOptions;
  readonly #noted = new Map<number, number>();
  readonly #ended = new AbortController();
  #isDirty = false;
  #isScheduled = false;
  #committing: Promise<void> = Promise.resolve();
  #warnedAt = -Infinity;
  #warnedOf = '';

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  note(offsets: ReadonlyMap<number, number>): void {
    advance(this.#noted, offsets);
    this.#isDirty = true;
    this.#schedule();
  }

  /** Commits now what was noted. Waits no longer than {@link lastCommitMs}. */
  async flush(): Promise<void> {
    const enough = new AbortController();
    const late = this.#options.clock.sleep(lastCommitMs, enough.signal).catch(() => undefined);
    await Promise.race([this.#commit(), late]);
    enough.abort();
    await late;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.flush();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#ended.signal.aborted) return;
    this.#isScheduled = true;
    void this.#commitLater();
  }

  async #commitLater(): Promise<void> {
    try {
      await this.#options.clock.sleep(everyMs, this.#ended.signal);
    } catch {
      return; // closing commits
    } finally {
      this.#isScheduled = false;
    }
    await this.#commit();
  }

  #commit(): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitOnce());
    return this.#committing;
  }

  async #commitOnce(): Promise<void> {
    if (!this.#isDirty) return;
    const { cluster, group, topic } = this.#options;
    this.#isDirty = false;
    try {
      await cluster.commitOffsets(group, topic, new Map(this.#noted));
    } catch (error) {
      this.#isDirty = true;
      this.#warn(error);
      this.#schedule();
    }
  }

  #warn(error: unknown): void {
    const { clock, log, group, failure } = this.#options;
    const { code, message } = parseFailure(error, failure);
    if (message === this.#warnedOf && clock.now() - this.#warnedAt < repeatWarningMs) return;
    this.#warnedOf = message;
    this.#warnedAt = clock.now();
    log.warn({ code, group }, `offsets are not shown to the tools of Kafka for now: ${message}`);
  }
}
