/**
 * Intents and commits of one sink slot. Entries and their labels: `./commit-entry.ts`.
 *
 * E4 holds here too: a sink pod that lost its slot can neither write an intent nor commit one.
 */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import { decodeCommitEntry, positionOf, type CommitEntry } from './commit-entry.ts';
import { FencedSubject, type FencedOptions } from './fenced-subject.ts';
import type { FrameChain, Heads } from './frame-chain.ts';
import { isSameTarget } from './target-name.ts';

export interface CommitLogOptions extends Omit<FencedOptions, 'stream' | 'subject'> {
  readonly pid: string;
  readonly stage: string;
  readonly slot: number;
}

export class CommitLog {
  readonly #fenced: FencedSubject;
  #last: CommitEntry | undefined;
  #chain: FrameChain | undefined;
  /** C7: what every entry says from now on. */
  #targets: Pick<CommitEntry, 'target' | 'left'> = {};
  #past: { readonly position: number; readonly then: (signal: AbortSignal) => Promise<void> } | undefined;

  private constructor(fenced: FencedSubject, last: CommitEntry | undefined) {
    this.#fenced = fenced;
    this.#last = last;
    if (last !== undefined) this.#targets = targetsOf(last);
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

  /**
   * Stores the last entry once more: from then on a former owner can append nothing, and {@link sequence} is of this owner.
   * Throws MR_OWNERSHIP_LOST. There is nothing to claim before the first entry.
   */
  async claim(signal: AbortSignal): Promise<void> {
    if (this.#last !== undefined) await this.#fenced.append(Buffer.from(JSON.stringify(this.#last)), signal);
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

  /** Called once, when the sink is open: from now on every entry names where it writes (C7). */
  writesTo(target: string): void {
    const before = this.#last;
    if (before === undefined) this.#targets = { target };
    else if (before.target !== undefined && isSameTarget(before.target, target))
      this.#targets = { ...this.#targets, target };
    else this.#targets = { target, ...leftBy(before, target) };
  }

  /** Called once, with the first commit that reaches `position`, and the signal of that append. */
  whenPast(position: number, then: (signal: AbortSignal) => Promise<void>): void {
    this.#past = { position, then };
  }

  /**
   * Commits `to` because of a decision. `heads`: on what that place rests; undefined: it is where the reader is. A sink
   * that keeps the position itself, and has stored up to `had`, has yet to follow.
   */
  async place(to: number, heads: Heads | undefined, had: number | undefined, signal: AbortSignal): Promise<void> {
    const chain = heads === undefined ? this.#chain?.committed : this.#chain?.restart(heads, this.committed);
    const entry: CommitEntry = { kind: 'commit', to, set: true, had, chain };
    await this.#store(entry, signal);
  }

  async append(bare: CommitEntry, signal: AbortSignal): Promise<void> {
    const chain = bare.kind === 'commit' ? this.#chain?.commit(bare.to) : this.#chain?.committed;
    const entry = chain === undefined ? bare : { ...bare, chain };
    await this.#store(entry, signal);
    if (this.#past !== undefined && this.committed >= this.#past.position) {
      const { then } = this.#past;
      this.#past = undefined;
      await then(signal);
    }
  }

  /** An entry that names a target itself is of a batch that was started there. */
  async #store(bare: CommitEntry, signal: AbortSignal): Promise<void> {
    const entry = { ...this.#targets, ...bare };
    await this.#fenced.append(Buffer.from(JSON.stringify(entry)), signal);
    this.#last = entry;
  }
}

/** Enough for whoever moves a sink to and fro. */
const mostLeft = 8;

function targetsOf({ target, left }: CommitEntry): Pick<CommitEntry, 'target' | 'left'> {
  return { ...(target === undefined ? {} : { target }), ...(left === undefined ? {} : { left }) };
}

function leftBy(before: CommitEntry, target: string): Pick<CommitEntry, 'left'> {
  const last = before.target === undefined ? [] : [[before.target, positionOf(before)] as const];
  const isOver = (name: string) => isSameTarget(name, target) || name === before.target;
  const left = [...Object.entries(before.left ?? {}).filter(([name]) => !isOver(name)), ...last].slice(-mostLeft);
  return left.length === 0 ? {} : { left: Object.fromEntries(left) };
}
