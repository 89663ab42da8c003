/**
 * Intents and commits of one sink slot. Entries and their labels: `./commit-entry.ts`.
 *
 * E4 holds here too: a sink pod that lost its slot can neither write an intent nor commit one.
 */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import { decodeCommitEntry, positionOf, type CommitEntry } from './commit-entry.ts';
import { FencedSubject, type FencedOptions } from './fenced-subject.ts';
import type { FrameChain } from './frame-chain.ts';

export interface CommitLogOptions extends Omit<FencedOptions, 'stream' | 'subject'> {
  readonly pid: string;
  readonly stage: string;
  readonly slot: number;
}

export class CommitLog {
  readonly #fenced: FencedSubject;
  #last: CommitEntry | undefined;
  #chain: FrameChain | undefined;
  #past: { readonly position: number; readonly then: () => Promise<void> } | undefined;

  private constructor(fenced: FencedSubject, last: CommitEntry | undefined) {
    this.#fenced = fenced;
    this.#last = last;
  }

  static async open(options: CommitLogOptions, signal: AbortSignal): Promise<CommitLog> {
    const stream = edgeStream(options.pid, commitsEdge);
    const subject = commitSubject(options.pid, options.stage, options.slot);
    const { subject: fenced, tail } = await FencedSubject.open({ ...options, stream, subject }, signal);
    const last =
      tail.data === undefined ? undefined : decodeCommitEntry(tail.data, { stream, sequence: tail.sequence });
    return new CommitLog(fenced, last);
  }

  get last(): CommitEntry | undefined {
    return this.#last;
  }

  /** The stream sequence up to which everything is committed; 0 before the first commit. */
  get committed(): number {
    return this.#last === undefined ? 0 : positionOf(this.#last);
  }

  /** Of the last entry, in the stream of the commits. */
  get sequence(): number {
    return this.#fenced.sequence;
  }

  /** Moves the position, and replaces the chain by the one that belongs to the new position. */
  async reset(entry: CommitEntry, signal: AbortSignal): Promise<void> {
    await this.#store(entry, signal);
    this.#chain = undefined;
  }

  /** From now on every entry records which frames of this chain are committed (C5). */
  follow(chain: FrameChain): void {
    this.#chain = chain;
  }

  /** Called once, with the first commit that reaches `position`. */
  whenPast(position: number, then: () => Promise<void>): void {
    this.#past = { position, then };
  }

  /**
   * Commits `to` because of a decision, without having read up to there: it may be before or after what was taken. A
   * sink that keeps the position itself has yet to follow.
   */
  async place(to: number, signal: AbortSignal): Promise<void> {
    const chain = this.#chain?.restart(to, this.committed);
    const entry: CommitEntry = { kind: 'commit', to, set: true, ...(chain === undefined ? {} : { chain }) };
    await this.#store(entry, signal);
  }

  async append(bare: CommitEntry, signal: AbortSignal): Promise<void> {
    const chain = bare.kind === 'commit' ? this.#chain?.commit(bare.to) : this.#chain?.committed;
    const entry = chain === undefined ? bare : { ...bare, chain };
    await this.#store(entry, signal);
    if (this.#past !== undefined && this.committed >= this.#past.position) {
      const { then } = this.#past;
      this.#past = undefined;
      await then();
    }
  }

  async #store(entry: CommitEntry, signal: AbortSignal): Promise<void> {
    await this.#fenced.append(Buffer.from(JSON.stringify(entry)), signal);
    this.#last = entry;
  }
}
