/** D5 of `./decisions.ts`: who asks has claimed the commit log. */
import { askCommits, type CommitsAsker } from './ask-commits.ts';
import type { CommitLog } from './commit-log.ts';
import { openQuestions, storedQuestion, type Asker, type StoredQuestion } from './decisions.ts';
import type { SlotSignals } from './slot-observer.ts';

/**
 * Claims the log, unless a stored question of the slot is about its last entry: then this was done, and another claim would make
 * that question look like an old one. A former owner that commits its batch meanwhile would do so as well. Throws
 * MR_OWNERSHIP_LOST when it already has.
 */
export async function claimToAsk(
  asker: Asker,
  log: Pick<CommitLog, 'claim' | 'sequence'>,
  asking: CommitsAsker,
  signals: SlotSignals,
): Promise<void> {
  const isAbout = (asked: Pick<StoredQuestion, 'after'> | undefined) => asked?.after === log.sequence;
  // Its own is read from the leader; those of a replica that lags cost a claim too many.
  const isAsked = async () => isAbout(await storedQuestion(asker)) || (await ofSlot(asker)).some(isAbout);
  if (!(await askCommits(asking, asker.pid, isAsked, signals.stop))) await log.claim(signals.abort);
}

/** About its edge and its sink. */
async function ofSlot({ streams, pid, who }: Asker) {
  return (await openQuestions(streams, pid, '*'))
    .filter((question) => question.who.join('.') === who)
    .map(({ read }) => read());
}
