/**
 * What the position that a sink has means beside the commit log. Pure. K6 to K11: `./sink-position.ts`.
 */
import type { CommitEntry, Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import type { StoredPosition } from './sink-port.ts';
import { ofTarget, otherTargetOf } from './target-name.ts';

export interface Recovered {
  readonly committed: number;
  /** What the sink has stored; undefined: it keeps no position. */
  readonly has: number | undefined;
  /** The batch to finish first. */
  readonly finish: Intent | Written | undefined;
}

export type Believed = { readonly kind: 'recovered' } & Recovered;

export interface Lost {
  readonly kind: 'lost';
  /** Where the sink stands, or stood before its target was edited. */
  readonly position: number;
  readonly problem: string;
  /** Where "reread" goes on; 0: positions of another stream, or of before a decision, cannot be compared, so from the beginning. */
  readonly behind: number;
  /** What it lacks it had committed: that is open wherever the spec moves it (K8). */
  readonly isCommitted: boolean;
  /** It was asked about where the sink wrote before, and that answer counts. */
  readonly isOfBefore?: boolean;
}

/** The log was placed by registration or by a decision, or the sink was moved elsewhere, and it has yet to follow. */
interface Placed {
  readonly kind: 'placed';
  /** Certainly stored where the sink wrote before (K8). */
  readonly written?: Written;
}

/** K11. */
interface Ahead {
  readonly kind: 'ahead';
}

/** K7. */
export interface Beyond {
  readonly kind: 'beyond';
  readonly position: number;
  /** The log has that batch, too. */
  readonly isLogged: boolean;
  /** Of the edge. */
  readonly lastSequence: number;
}

/** Where the position is looked at. */
interface Place {
  readonly log: Pick<CommitLog, 'last' | 'committed'>;
  readonly tokenPrefix: string;
  /** Where the sink writes. */
  readonly target: string | undefined;
}

/**
 * What the sink's answer means: the first that fits. `open` is where the sink stood when it was asked about in another target, if that is not settled (K8).
 *
 *   the log was set, and the sink has yet to follow:   placed; lost if it has less than it had then (K10)
 *   it is beyond the end of the edge:                  beyond (K7)
 *   it writes elsewhere now, and lacks only what was
 *   committed before that:                             placed; lost if what it lacked there is open (K8)
 *   it is just before or at the end of the begun
 *   batch, or where the log is:                        recovered
 *   it is ahead of the log:                            ahead (K11)
 *   else:                                              lost (K6)
 */
export function judge(
  { log, tokenPrefix, target }: Place,
  stored: StoredPosition,
  lastSequence: number,
  open: number | undefined,
): Believed | Lost | Placed | Ahead | Beyond {
  const { last, committed } = log;
  const { position, token } = stored;
  const otherTarget = last && otherTargetOf(last, target);
  const elsewhere = open === undefined || otherTarget === undefined ? undefined : leftBehind(open, otherTarget, target);
  if (last?.kind === 'commit' && last.set === true) {
    const hasFollowed = position === committed && token.startsWith(`${tokenPrefix}:set:`);
    const isBack = last.had !== undefined && position < last.had && otherTarget === undefined && !hasFollowed;
    if (!isBack) return elsewhere ?? { kind: 'placed' };
    const isOfOtherStream = token !== '' && !isOfIncarnation({ tokenPrefix }, stored);
    const problem = isOfOtherStream ? ofOtherStream : wentBack;
    return { kind: 'lost', position, problem, behind: isOfOtherStream ? 0 : position, isCommitted: true };
  }
  const begun = begunIn(last);
  const isOfEpoch = token.startsWith(`${tokenPrefix}:`) || token === begun?.token;
  const isBeyond = position > lastSequence;
  if (isOfEpoch && isBeyond) return { kind: 'beyond', position, isLogged: begun?.to === position, lastSequence };
  const isOfOtherStream = isBeyond || (token !== '' && !isOfEpoch);
  const leftAt = target === undefined ? undefined : ofTarget(last?.left ?? {}, target);
  if (last !== undefined && last.kind !== 'intent' && otherTarget !== undefined) {
    const hasAll = isOfEpoch && position >= last.to;
    const isKnown = token === '' || (leftAt !== undefined && position >= leftAt);
    if (isKnown && !hasAll)
      return elsewhere ?? { kind: 'placed', ...(last.kind === 'written' ? { written: last } : {}) };
  }
  if (!isOfOtherStream) {
    // The batch with the intent may or may not be in the sink; repeating it is safe either way and yields its
    // refusals again.
    const isAtEnd = begun !== undefined && position === begun.to && (begun.kind === 'written' || token === begun.token);
    if (begun !== undefined && (position === begun.after || isAtEnd)) {
      const isRolledBack = begun.kind === 'written' && position !== begun.to;
      // It has lost only this batch. Begun once more it is asked about where its frames are gone: an entry that nobody finishes
      // holds up a drain for good (seed asked:11609).
      if (isRolledBack) return { kind: 'recovered', committed, has: position, finish: begunAgain(begun) };
      // A position of this pipeline that is just before the batch is the one on which it was started, whatever its
      // address is, unless the sink left it there for another target.
      const isElsewhere = otherTarget !== undefined && (token === '' || leftAt === begun.after);
      if (!isElsewhere) return { kind: 'recovered', committed, has: position, finish: begun };
    } else if (position === committed) {
      return { kind: 'recovered', committed, has: position, finish: undefined };
    } else if (position > committed) {
      return { kind: 'ahead' };
    }
  }
  const behind = isOfOtherStream ? 0 : Math.min(position, committed);
  const lost = { kind: 'lost', position, behind } as const;
  if (otherTarget === undefined)
    return { ...lost, problem: isOfOtherStream ? ofOtherStream : wentBack, isCommitted: true };
  const problem = isOfOtherStream ? ofOtherStream : movedTo(otherTarget, target, begun?.kind === 'intent');
  if (open === undefined) return { ...lost, problem, isCommitted: false };
  const alsoThere = `${problem}; before that edit it had gone back to ${open} there`;
  return { ...lost, problem: alsoThere, behind: Math.min(behind, open), isCommitted: true };
}

const ofOtherStream =
  'that position belongs to another incarnation of the stream (deleted and recreated, rolled back, or of another pipeline), or is from before a decision about it';
const wentBack =
  'the sink was rolled back and has lost what it had committed in between, or never got a batch that a decision passed over';

function movedTo(otherTarget: string, target: string | undefined, isOpen: boolean): string {
  const moved = `and the sink writes to ${target} now`;
  if (isOpen) return `the spec was edited while a batch was open, which may be stored in ${otherTarget}, ${moved}`;
  return `what came in between was committed in ${otherTarget}, ${moved}, which has an older position that this sink did not leave there (a copy or replica that lacks the rest)`;
}

/** K8. `open`: where it stood in the other target. */
export function leftBehind(open: number, otherTarget: string | undefined, target: string | undefined): Lost {
  const [before, now] = [otherTarget ?? 'its target of before', target ?? 'another'];
  const problem = `that was in ${before}, which had lost the rest, and the spec was edited before that was settled: the sink writes to ${now} now`;
  return { kind: 'lost', position: open, problem, behind: open, isCommitted: true, isOfBefore: true };
}

/** K11. */
export function unfounded({ position }: StoredPosition): Lost {
  const problem =
    'it was set to that position by a decision, or by hand, of which the log does not know (nats-server has gone back), and the stream may have other frames up to there by now than those that were passed over then';
  return { kind: 'lost', position, problem, behind: 0, isCommitted: false };
}

function begunAgain(written: Written): Intent {
  return { ...written, kind: 'intent' };
}

/** Whether it is valid in the existing stream of the edge, whatever was decided since. */
export function isOfIncarnation(
  { tokenPrefix }: Pick<Place, 'tokenPrefix'>,
  { token }: Pick<StoredPosition, 'token'>,
): boolean {
  const life = tokenPrefix.split('.')[0] ?? '';
  return token.startsWith(`${life}:`) || token.startsWith(`${life}.`);
}

/** The batch that was begun and not committed. */
export function begunIn(last: CommitEntry | undefined): Intent | Written | undefined {
  return last === undefined || last.kind === 'commit' ? undefined : last;
}
