/** D5 of `./decisions.ts`: who asks has claimed the commit log. */
import { askCommits, type CommitsAsker } from './ask-commits.ts';
import type { CommitLog } from './commit-log.ts';
import { storedQuestion, type Asker } from './decisions.ts';
import type { SlotSignals } from './slot-observer.ts';

/**
 * Claims the log, unless the stored question is about its last entry: then this was done. A former owner that commits its batch
 * meanwhile would make an open question look like an old one. Throws MR_OWNERSHIP_LOST when it already has.
 */
export async function claimToAsk(
  asker: Asker,
  log: Pick<CommitLog, 'claim' | 'sequence'>,
  asking: CommitsAsker,
  signals: SlotSignals,
): Promise<void> {
  const asked = await askCommits(asking, asker.pid, () => storedQuestion(asker), signals.stop);
  if (asked?.after !== log.sequence) await log.claim(signals.abort);
}
