/**
 * Where a sink that keeps its own position left off, checked against the commit log.
 *
 * K6  The sink's position is trusted when it belongs to this edge stream (its token says so) and is not behind the
 *     log. If it is behind, the sink has lost rows that were committed (a failover to a replica that lagged, a
 *     restored backup), and frames that the log calls committed may have been swept. So the slot does not continue by
 *     itself, unless the spec says so in advance. It waits for a decision about its stage (`./decisions.ts`), and
 *     checks again each time, so that a person may repair the position in the sink instead.
 * K7  A position of this stream that is beyond its end is a loss of the edge, not of the sink: frames that the sink has
 *     stored are gone, and a source that still has their records writes them again, as new ones. So the decision is
 *     one about the edge (MR_POSITION_LOST), which says what is then written twice. The question is over
 *     as well when the sink is found in order: a person has put it back instead.
 * K8  After an edit that moves the sink elsewhere, what was committed is where it wrote before. A target that has no
 *     position yet, or all that it had when the sink left it, has lost nothing, and follows the log without a question.
 *     One that has another position may be a replica that lagged, under a new address: that is asked about.
 * K10 A decision places the log before the sink follows. What the sink loses in between is a loss like any other: the
 *     entry says what the sink had. Seed 1018910: two failovers three seconds apart, and the second was not noticed. A
 *     batch that was begun, and that the decision passes over, is taken for stored: a sink that lacks it asks.
 */
import type { DecisionChoice } from '../model/decision.ts';
import { assertNever, mr, type MillraceError } from '../model/errors.ts';
import { slotTokens } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { askCommits } from './ask-commits.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import { claimToAsk } from './claim.ts';
import type { Clock } from '../model/clock.ts';
import type { Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import { askFor, storedQuestion, takeBack, type Answer } from './decisions.ts';
import { pipelineText } from './edge-opening.ts';
import { isFence } from './fence.ts';
import type { Heads } from './frame-chain.ts';
import { isConnectionClosed } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import type { PositionedSinkSlot, RowBufferPort, StoredPosition } from './sink-port.ts';
import { waitingAs, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { rangeIn } from './batch-token.ts';
import { ofTarget, otherTargetOf } from './target-name.ts';
import { untilAnswered } from './until-answered.ts';

export interface PositionCheck<Rows extends RowBufferPort> {
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  readonly stage: string;
  readonly sink: string;
  readonly slot: number;
  readonly sinkSlot: PositionedSinkSlot<Rows>;
  /** Of the edge. */
  readonly stream: string;
  readonly tokenPrefix: string;
  readonly log: Pick<CommitLog, 'last' | 'committed' | 'sequence' | 'claim' | 'place' | 'append'>;
  /** On what a place in the edge rests. */
  readonly headsAt: (position: number) => Promise<Heads>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export interface Recovered {
  readonly committed: number;
  /** What the sink has stored. */
  readonly has: number;
  /** The batch to finish first. */
  readonly finish: Intent | Written | undefined;
}

/**
 * Waits for the sink, and for a person's decision when one is needed about the sink. Throws {@link PositionLost} when it
 * is the edge that has lost something (K7).
 */
export async function recoverPosition<Rows extends RowBufferPort>(check: PositionCheck<Rows>): Promise<Recovered> {
  const { sinkSlot, observer, clock, random, signals } = check;
  const { streams, pipeline, stage, slot } = check;
  const asker = { streams, pid: pipeline.pid, scope: stage, who: slotTokens(stage, slot) };
  const inCommits = <T>(about: () => Promise<T>) => askCommits(check, pipeline.pid, about, signals.stop);
  for (let attempt = 0; ; attempt++) {
    try {
      const asked = await inCommits(() => storedQuestion(asker));
      const end = await settle(check, judge(check, await sinkSlot.storedPosition(signals.abort), await edgeEnd(check)));
      if (end.kind === 'recovered') {
        if (asked !== undefined) await inCommits(() => takeBack(asker, asked));
        if (attempt > 0) observer.connection(undefined);
        return end;
      }
      observer.connection(end.question);
    } catch (error) {
      signals.stop.throwIfAborted();
      signals.abort.throwIfAborted();
      // From the log, not the sink: another owner has taken over, or the connection to NATS is closed.
      if (isFence(error) || isConnectionClosed(error)) throw error;
      if (error instanceof PositionLost) {
        // The sink has answered: it is not what is waited for from here on.
        if (attempt > 0) observer.connection(undefined);
        throw error;
      }
      observer.connection(asSinkError(check.sink, error));
    }
    await clock.sleep(backoffMs(outsideBackoff, attempt, random), AbortSignal.any([signals.stop, signals.abort]));
  }
}

/** Recovered, or what a person has yet to decide. */
async function settle<Rows extends RowBufferPort>(
  check: PositionCheck<Rows>,
  found: Believed | Lost | Placed | Beyond,
): Promise<Believed | Asked> {
  switch (found.kind) {
    case 'recovered':
      return found;
    case 'placed':
      return follow(check, found);
    case 'beyond':
      throw beyond(check, found);
    case 'lost': {
      const choice = await choiceAbout(check, found);
      return typeof choice === 'string' ? actOn(choice, check, found) : choice;
    }
    default:
      return assertNever(found);
  }
}

type Believed = { readonly kind: 'recovered' } & Recovered;

interface Lost {
  readonly kind: 'lost';
  readonly stored: StoredPosition;
  readonly isOfOtherStream: boolean;
  /** Where the sink wrote before its target was edited. */
  readonly otherTarget: string | undefined;
  /** A batch was started, and may be stored in the other target. */
  readonly isOpen: boolean;
}

interface Asked {
  readonly kind: 'asked';
  readonly question: MillraceError;
}

/** The log was placed by registration or by a decision, or the sink was moved elsewhere, and it has yet to follow. */
interface Placed {
  readonly kind: 'placed';
  readonly stored: StoredPosition;
  /** Certainly stored where the sink wrote before (K8). */
  readonly written?: Written;
}

/** K7. */
interface Beyond {
  readonly kind: 'beyond';
  readonly position: number;
  /** The log has that batch, too. */
  readonly isLogged: boolean;
  /** Of the edge. */
  readonly lastSequence: number;
}

/** Without the end of the stream in the loss, because that moves while others write. */
function beyond<Rows extends RowBufferPort>(
  { sink }: PositionCheck<Rows>,
  { position, isLogged, lastSequence }: Beyond,
): PositionLost {
  const has = `sink "${sink}" has stored it up to ${position}`;
  const stored = isLogged ? undefined : position;
  return new PositionLost(`${has}, and it ends at ${lastSequence}`, {
    loss: has,
    stored,
    isOfSink: true,
    had: position,
  });
}

/**
 * What the sink's answer means: the first that fits. Pure.
 *
 *   the log was set, and the sink has yet to follow:   placed; lost if it has less than it had then (K10)
 *   it is beyond the end of the edge:                  beyond (K7)
 *   it writes elsewhere now, and lacks only what was
 *   committed before that:                             placed (K8)
 *   it is just before or at the end of the begun
 *   batch, or not behind the log:                      recovered
 *   else:                                              lost (K6)
 */
function judge<Rows extends RowBufferPort>(
  { log, tokenPrefix, sinkSlot }: Pick<PositionCheck<Rows>, 'log' | 'tokenPrefix' | 'sinkSlot'>,
  stored: StoredPosition,
  lastSequence: number,
): Believed | Lost | Placed | Beyond {
  const { last, committed } = log;
  const { position, token } = stored;
  const otherTarget = last === undefined ? undefined : otherTargetOf(last, sinkSlot.target);
  if (last?.kind === 'commit' && last.set === true) {
    const hasFollowed = position === committed && token.startsWith(`${tokenPrefix}:set:`);
    const isBack = last.had !== undefined && position < last.had && otherTarget === undefined && !hasFollowed;
    if (!isBack) return { kind: 'placed', stored };
    const isOfOtherStream = token !== '' && !isOfIncarnation({ tokenPrefix }, stored);
    return { kind: 'lost', stored, isOfOtherStream, otherTarget, isOpen: false };
  }
  const begun = last === undefined || last.kind === 'commit' ? undefined : last;
  const isOfEpoch = token.startsWith(`${tokenPrefix}:`);
  const isBeyond = position > lastSequence;
  if (isOfEpoch && isBeyond) return { kind: 'beyond', position, isLogged: begun?.to === position, lastSequence };
  const isOfOtherStream = isBeyond || (token !== '' && !isOfEpoch);
  const leftAt = sinkSlot.target === undefined ? undefined : ofTarget(last?.left ?? {}, sinkSlot.target);
  if (last !== undefined && last.kind !== 'intent' && otherTarget !== undefined) {
    const hasAll = isOfEpoch && position >= last.to;
    const isKnown = token === '' || (leftAt !== undefined && position >= leftAt);
    if (isKnown && !hasAll) return { kind: 'placed', stored, ...(last.kind === 'written' ? { written: last } : {}) };
  }
  if (!isOfOtherStream) {
    // The batch with the intent may or may not be in the sink; repeating it is safe either way and yields its
    // refusals again.
    if (begun !== undefined && (position === begun.after || position === begun.to)) {
      const isRolledBack = begun.kind === 'written' && position !== begun.to;
      // It has lost only this batch. Begun once more it is asked about where its frames are gone: an entry that nobody finishes
      // holds up a drain for good (seed asked:11609).
      if (isRolledBack) return { kind: 'recovered', committed, has: position, finish: begunAgain(begun) };
      // A position of this pipeline that is just before the batch is the one on which it was started, whatever its
      // address is, unless the sink left it there for another target.
      const isElsewhere = otherTarget !== undefined && (token === '' || leftAt === begun.after);
      if (!isElsewhere) return { kind: 'recovered', committed, has: position, finish: begun };
    } else if (stored.position >= committed) {
      return ahead(stored, committed);
    }
  }
  return { kind: 'lost', stored, isOfOtherStream, otherTarget, isOpen: begun?.kind === 'intent' };
}

function begunAgain(written: Written): Intent {
  return { ...written, kind: 'intent' };
}

/**
 * The log was rolled back, or the sink's word is all there is. Whether the edge was rolled back too, and now holds
 * other frames, shows in the frames of the sink's last batch: the loop compares them before it continues. It is taken
 * for begun, not for written: only the sink still knows which of its rows were refused, and says so when it is repeated.
 */
function ahead({ position, token }: StoredPosition, committed: number): Believed {
  const range = rangeIn(token);
  if (position === committed || range?.to !== position) {
    return { kind: 'recovered', committed: position, has: position, finish: undefined };
  }
  const finish: Intent = { kind: 'intent', ...range, after: committed, token, rows: 0 };
  return { kind: 'recovered', committed, has: position, finish };
}

async function edgeEnd<Rows extends RowBufferPort>(check: PositionCheck<Rows>): Promise<number> {
  const { streams, stream, observer, signals } = check;
  const asking = { ...check, onWaiting: waitingAs(observer, 'reader') };
  return untilAnswered(stream, async () => (await streams.streamInfo(stream)).state.last_seq, asking, signals.stop);
}

type Choice = Exclude<PositionedSinkSlot['onPositionLost'], 'Stop'>;

const choiceOf: Readonly<Record<DecisionChoice, Choice>> = { 'accept-loss': 'Continue', reread: 'Reread' };

/** What the spec decides in advance, or a person has decided; otherwise the question for that person. */
async function choiceAbout<Rows extends RowBufferPort>(
  check: PositionCheck<Rows>,
  lost: Lost,
): Promise<Choice | Asked> {
  const { sink, slot, pipeline, sinkSlot } = check;
  if (sinkSlot.onPositionLost !== 'Stop') return sinkSlot.onPositionLost;
  const problem = problemWith(lost, sinkSlot.target ?? '');
  const answer = await ask(check, `${lost.stored.position}: ${problem}`);
  if (answer.kind === 'decided') return choiceOf[answer.decision.choice];
  const about = { stored: lost.stored.position, committed: check.log.committed, problem };
  const { token } = answer;
  const question = mr('MR_SINK_POSITION_LOST', { sink, slot, ...about, pipeline: pipelineText(pipeline), token });
  return { kind: 'asked', question };
}

function problemWith({ isOfOtherStream, otherTarget, isOpen }: Lost, target: string): string {
  if (isOfOtherStream) {
    return 'that position belongs to another incarnation of the stream (deleted and recreated, rolled back, or of another pipeline), or is from before a decision about it';
  }
  if (otherTarget === undefined)
    return 'the sink was rolled back and has lost what it had committed in between, or never got a batch that a decision passed over';
  const moved = `and the sink writes to ${target} now`;
  if (isOpen) return `the spec was edited while a batch was open, which may be stored in ${otherTarget}, ${moved}`;
  return `what came in between was committed in ${otherTarget}, ${moved}, which has an older position that this sink did not leave there (a copy or replica that lacks the rest)`;
}

async function ask<Rows extends RowBufferPort>(check: PositionCheck<Rows>, loss: string): Promise<Answer> {
  const { streams, pipeline, stage, slot, log, signals } = check;
  const { pid } = pipeline;
  const asker = { streams, pid, scope: stage, who: slotTokens(stage, slot) };
  await claimToAsk(asker, log, check, signals);
  const question = { ...asker, loss, after: log.sequence, hasClaimed: true };
  return askCommits(check, pid, () => askFor(question), signals.stop);
}

/**
 * Places the log first, as registration would: from then on the decision is used up, and any later owner lets the sink
 * follow. In the opposite order the decision would also apply to what the sink loses later.
 */
async function actOn<Rows extends RowBufferPort>(
  choice: Choice,
  check: PositionCheck<Rows>,
  { stored, isOfOtherStream }: Lost,
): Promise<Believed> {
  const { log, signals } = check;
  // Positions of another stream, or of before a decision, cannot be compared: then all is read that is there.
  const behind = isOfOtherStream ? 0 : Math.min(stored.position, log.committed);
  const to = choice === 'Reread' ? behind : log.committed;
  const heads = to === log.committed ? undefined : await check.headsAt(to);
  await log.place(to, heads, stored.position, signals.abort);
  return follow(check, { stored });
}

/**
 * Moves the sink's position to where the log was placed. If that was done before, it is already there, under a token of
 * this epoch. Where only the log is new, the sink's own position counts, unless the edge was not that long when the log
 * was started.
 */
async function follow<Rows extends RowBufferPort>(
  check: PositionCheck<Rows>,
  { stored, written }: Pick<Placed, 'stored' | 'written'>,
): Promise<Believed> {
  const { log, tokenPrefix, signals } = check;
  const { committed, last } = log;
  if (written !== undefined) {
    await move(check, stored.position, written.to);
    return { kind: 'recovered', committed, has: written.to, finish: written };
  }
  const isOfEpoch = stored.token.startsWith(`${tokenPrefix}:`);
  const isOwn = isOfEpoch || (last?.kind === 'commit' && last.registered === true && isOfIncarnation(check, stored));
  const isBelieved = isOwn && stored.position >= committed && stored.position <= (last?.chain?.since ?? Infinity);
  const to = isBelieved ? stored.position : committed;
  if (!isBelieved || !isOfEpoch) await move(check, stored.position, to);
  // The sink has followed: if it is rolled back after this, that is a loss. What the log says is what was read of the edge,
  // also where the sink has more: the chain is followed through the frames that are skipped.
  await log.append({ kind: 'commit', to: committed }, signals.abort);
  return { kind: 'recovered', committed: to, has: to, finish: undefined };
}

/** Whether it is valid in the existing stream of the edge, whatever was decided since. */
function isOfIncarnation<Rows extends RowBufferPort>(
  { tokenPrefix }: Pick<PositionCheck<Rows>, 'tokenPrefix'>,
  { token }: StoredPosition,
): boolean {
  const life = tokenPrefix.split('.')[0] ?? '';
  return token.startsWith(`${life}:`) || token.startsWith(`${life}.`);
}

/** A batch without rows, whose token says that the position was set. */
async function move<Rows extends RowBufferPort>(check: PositionCheck<Rows>, after: number, to: number): Promise<void> {
  const { sinkSlot, tokenPrefix, signals } = check;
  const id = { from: to, to, after, token: `${tokenPrefix}:set:${after}-${to}` };
  const end = await sinkSlot.write(sinkSlot.newRows(), id, undefined, signals.abort);
  if (end.kind === 'nothing' || end.kind === 'unknown') throw end.error;
}
