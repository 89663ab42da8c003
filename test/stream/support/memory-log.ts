/** A commit log in memory, with a place to stop at before and after each entry. */
import type { CommitEntry } from '../../../stream/commit-entry.ts';

export class MemoryLog {
  last: CommitEntry | undefined;
  /** Kinds, in order; `refused` for an intent with refused rows. */
  readonly entries: string[] = [];
  /** Awaited before and after an entry is stored. */
  step: (when: 'before' | 'after') => Promise<void> = () => Promise.resolve();

  async append(entry: CommitEntry): Promise<void> {
    await this.step('before');
    this.last = entry;
    this.entries.push(entry.kind === 'intent' && entry.refused ? 'refused' : entry.kind);
    await this.step('after');
  }
}
