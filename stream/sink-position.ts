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
 *     What it had lost where it wrote before is settled by no edit: a question about that is asked again, and its answer counts
 *     for the new target, also for one that keeps no position. The question names where the sink stood, because nobody
 *     looks there any more.
 * K10 A decision places the log before the sink follows. What the sink loses in between is a loss like any other: the
 *     entry says what the sink had. Seed 1018910: two failovers three seconds apart, and the second was not noticed. A
 *     batch that was begun, and that the decision passes over, is taken for stored: a sink that lacks it asks.
 * K11 A position that is ahead of the log counts while the edge has not gone back below it. Its token says what it rests on
 *     (`./batch-token.ts`): the frames of a batch, which is finished if they are all there, or else its last frame; or, where a
 *     decision has set it, the last frames of all writers. If they are others, a person is asked (decision 145).
 */
import type { DecisionChoice } from '../model/decision.ts';
import { assertNever, mr, type MillraceError } from '../model/errors.ts';
import { slotTokens } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { askCommits } from './ask-commits.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import { claimToAsk } from './claim.ts';
import type { Clock } from '../model/clock.ts';
import type { CommitEntry, Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import { askFor, storedQuestion, takeBack, type Answer, type StoredQuestion } from './decisions.ts';
import { pipelineText } from './edge-opening.ts';
import { isFence } from './fence.ts';
import type { Heads } from './frame-chain.ts';
import { isConnectionClosed } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import type { PositionedSinkSlot, RowBufferPort, SinkSlotPort, StoredPosition } from './sink-port.ts';
import { waitingAs, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { headsIn, headsText, lastIn, ofEpoch, rangeIn, type NamedRange } from './batch-token.ts';
import { ofTarget, otherTargetOf } from './target-name.ts';
import { untilAnswered } from './until-answered.ts';

export interface PositionCheck<Rows extends RowBufferPort> {
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  readonly stage: string;
  readonly sink: string;
  readonly slot: number;
  readonly sinkSlot: SinkSlotPort<Rows>;
  /** Of the edge. */
  readonly stream: string;
  readonly tokenPrefix: string;
  readonly log: Pick<CommitLog, 'last' | 'committed' | 'sequence' | 'claim' | 'place' | 'append'>;
  /** On what a place in the edge rests. */
  readonly headsAt: (position: number) => Promise<Heads>;
  /** Whether the shard holds all frames of the range, and no others there. */
  readonly holds: (range: NamedRange) => Promise<boolean>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

interface Positioned<Rows extends RowBufferPort> extends PositionCheck<Rows> {
  readonly sinkSlot: PositionedSinkSlot<Rows>;
}

export interface Recovered {
  readonly committed: number;
  /** What the sink has stored; undefined: it keeps no position. */
  readonly has: number | undefined;
  /** The batch to finish first. */
  readonly finish: Intent | Written | undefined;
}

/**
 * Waits for the sink, if it keeps its position, and for a person's decision when one is needed about the sink. Throws
 * {@link PositionLost} when it is the edge that has lost something (K7).
 */
export async function recoverPosition<Rows extends RowBufferPort>(check: PositionCheck<Rows>): Promise<Recovered> {
  const { sinkSlot, observer, clock, random, signals } = check;
  const { streams, pipeline, stage, slot } = check;
  const asker = { streams, pid: pipeline.pid, scope: stage, who: slotTokens(stage, slot) };
  const inCommits = <T>(about: () => Promise<T>) => askCommits(check, pipeline.pid, about, signals.stop);
  const look = (open: number | undefined) =>
    sinkSlot.positionIn === 'sink' ? settle({ ...check, sinkSlot }, open) : settleLogged(check, open);
  for (let attempt = 0; ; attempt++) {
    try {
      const asked = await inCommits(() => storedQuestion(asker));
      const end = await look(openLoss(check, asked));
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

/** K8. Where the sink stood when it was asked about, if what it had lost then is not settled. */
function openLoss<Rows extends RowBufferPort>(
  { log }: Pick<PositionCheck<Rows>, 'log'>,
  asked: StoredQuestion | undefined,
): number | undefined {
  if (asked === undefined) return undefined;
  const { last, sequence } = log;
  // A decision about the edge that was acted upon meanwhile has settled nothing about the sink.
  const isPlaced = last?.kind === 'commit' && last.set === true && (last.chain?.decided ?? 0) > asked.sequence;
  return asked.after === sequence || isPlaced ? asked.behind : undefined;
}

/** Recovered, or what a person has yet to decide. */
async function settle<Rows extends RowBufferPort>(
  check: Positioned<Rows>,
  open: number | undefined,
): Promise<Believed | Asked> {
  const { sinkSlot, signals } = check;
  const stored = await sinkSlot.storedPosition(signals.abort);
  const found = judge(check, stored, await edgeEnd(check), open);
  switch (found.kind) {
    case 'recovered':
      return found;
    case 'placed':
      return follow(check, stored, found.written);
    case 'beyond':
      throw beyond(check, found);
    case 'ahead':
      return (await ahead(check, stored)) ?? settleLost(check, unfounded(stored), stored);
    case 'lost':
      return settleLost(check, found, stored);
    default:
      return assertNever(found);
  }
}

async function settleLost<Rows extends RowBufferPort>(
  check: Positioned<Rows>,
  lost: Lost,
  stored: StoredPosition,
): Promise<Believed | Asked> {
  const choice = await choiceAbout(check, lost);
  if (typeof choice !== 'string') return choice;
  await place(choice, check, lost, stored.position);
  return follow(check, stored);
}

/** K8. The log says where a sink stands that keeps no position. */
async function settleLogged<Rows extends RowBufferPort>(
  check: PositionCheck<Rows>,
  open: number | undefined,
): Promise<Believed | Asked> {
  const { log, sinkSlot } = check;
  if (open !== undefined) {
    const lost = leftBehind(open, log.last && otherTargetOf(log.last, sinkSlot.target), sinkSlot.target);
    const choice = await choiceAbout(check, lost);
    if (typeof choice !== 'string') return choice;
    await place(choice, check, lost, undefined);
  }
  return { kind: 'recovered', committed: log.committed, has: undefined, finish: begunIn(log.last) };
}

function begunIn(last: CommitEntry | undefined): Intent | Written | undefined {
  return last === undefined || last.kind === 'commit' ? undefined : last;
}

type Believed = { readonly kind: 'recovered' } & Recovered;

interface Lost {
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

interface Asked {
  readonly kind: 'asked';
  readonly question: MillraceError;
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
 * What the sink's answer means: the first that fits. Pure. `open`: {@link openLoss}.
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
function judge<Rows extends RowBufferPort>(
  { log, tokenPrefix, sinkSlot }: Pick<Positioned<Rows>, 'log' | 'tokenPrefix' | 'sinkSlot'>,
  stored: StoredPosition,
  lastSequence: number,
  open: number | undefined,
): Believed | Lost | Placed | Ahead | Beyond {
  const { last, committed } = log;
  const { position, token } = stored;
  const { target } = sinkSlot;
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
function leftBehind(open: number, otherTarget: string | undefined, target: string | undefined): Lost {
  const [before, now] = [otherTarget ?? 'its target of before', target ?? 'another'];
  const problem = `that was in ${before}, which had lost the rest, and the spec was edited before that was settled: the sink writes to ${now} now`;
  return { kind: 'lost', position: open, problem, behind: open, isCommitted: true, isOfBefore: true };
}

/** K11. */
function unfounded({ position }: StoredPosition): Lost {
  const problem =
    'it was set to that position by a decision, or by hand, of which the log does not know (nats-server has gone back), and the stream may have other frames up to there by now than those that were passed over then';
  return { kind: 'lost', position, problem, behind: 0, isCommitted: false };
}

function begunAgain(written: Written): Intent {
  return { ...written, kind: 'intent' };
}

/**
 * K11. The log was rolled back, or the sink's word is all there is. Undefined: nothing tells that the edge still has the frames on
 * which the position rests. The loop compares those of a batch before it continues. It is taken for begun, not for written: only the
 * sink still knows which of its rows were refused, and says so when it is repeated.
 */
async function ahead<Rows extends RowBufferPort>(
  check: PositionCheck<Rows>,
  stored: StoredPosition,
): Promise<Believed | undefined> {
  const { log, signals } = check;
  const { committed } = log;
  const { position, token } = stored;
  const range = rangeIn(token);
  const isOfBatch = range?.to === position;
  const isWhole = isOfBatch && (await check.holds(range));
  if (!isWhole && (await isFounded(check, stored))) {
    // A batch that was begun is behind it: nobody would finish that, and a drain would wait for it.
    if (begunIn(log.last) !== undefined) await log.append({ kind: 'commit', to: committed }, signals.abort);
    return { kind: 'recovered', committed: position, has: position, finish: undefined };
  }
  if (!isOfBatch) return undefined;
  const finish: Intent = { kind: 'intent', ...range, after: committed, token, rows: 0 };
  return { kind: 'recovered', committed, has: position, finish };
}

async function isFounded<Rows extends RowBufferPort>(
  { headsAt }: PositionCheck<Rows>,
  { position, token }: StoredPosition,
): Promise<boolean> {
  const [last, set] = [lastIn(token), headsIn(token)];
  if (last === undefined && set === undefined) return false;
  const heads = await headsAt(position);
  return last === undefined
    ? headsText(heads) === set
    : Object.values(heads).some(([sequence, check]) => sequence === position && check === last);
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
  if (sinkSlot.positionIn === 'sink' && sinkSlot.onPositionLost !== 'Stop') return sinkSlot.onPositionLost;
  const answer = await ask(check, lost);
  if (answer.kind === 'decided') return choiceOf[answer.decision.choice];
  const { position: stored, problem } = lost;
  const about = { stored, committed: check.log.committed, problem };
  const { token } = answer;
  const question = mr('MR_SINK_POSITION_LOST', { sink, slot, ...about, pipeline: pipelineText(pipeline), token });
  return { kind: 'asked', question };
}

async function ask<Rows extends RowBufferPort>(check: PositionCheck<Rows>, lost: Lost): Promise<Answer> {
  const { streams, pipeline, stage, slot, log, signals } = check;
  const { position, problem, behind, isCommitted, isOfBefore } = lost;
  const { pid } = pipeline;
  const asker = { streams, pid, scope: stage, who: slotTokens(stage, slot) };
  await claimToAsk(asker, log, check, signals);
  const about = { loss: `${position}: ${problem}`, after: log.sequence, hasClaimed: true };
  const ofBefore = isOfBefore === true ? { ofEntry: { outdated: undefined } } : {};
  const question = { ...asker, ...about, behind: isCommitted ? behind : undefined, ...ofBefore };
  return askCommits(check, pid, () => askFor(question), signals.stop);
}

/**
 * Places the log first, as registration would: from then on the decision is used up, and any later owner lets the sink
 * follow. In the opposite order the decision would also apply to what the sink loses later. `had`: what it has stored.
 */
async function place<Rows extends RowBufferPort>(
  choice: Choice,
  check: PositionCheck<Rows>,
  { behind }: Lost,
  had: number | undefined,
): Promise<void> {
  const { log, signals } = check;
  const to = choice === 'Reread' ? Math.min(behind, log.committed) : log.committed;
  const heads = to === log.committed ? undefined : await check.headsAt(to);
  await log.place(to, heads, had, signals.abort);
}

/**
 * Moves the sink's position to where the log was placed. If that was done before, it is already there, under a token of
 * this epoch. Where only the log is new, the sink's own position counts (K11), unless the edge was not that long when the log
 * was started. `written`: {@link Placed.written}.
 */
async function follow<Rows extends RowBufferPort>(
  check: Positioned<Rows>,
  stored: StoredPosition,
  written?: Written,
): Promise<Believed> {
  const { log, tokenPrefix, signals } = check;
  const { committed, last } = log;
  const { position, token } = stored;
  if (written !== undefined) {
    await move(check, position, written.to, written.token);
    return { kind: 'recovered', committed, has: written.to, finish: written };
  }
  const entry = last?.kind === 'commit' ? last : undefined;
  const isOfEpoch = token.startsWith(`${tokenPrefix}:`);
  const isOwn = isOfEpoch || (entry?.registered === true && isOfIncarnation(check, stored));
  const isInEdge = position <= (entry?.chain?.since ?? Infinity);
  const isFurther = isOwn && isInEdge && position > committed && position !== entry?.had;
  const own = isFurther ? await ahead(check, stored) : undefined;
  if (own?.finish !== undefined) return own;
  const to = own?.committed ?? committed;
  if (own !== undefined && !isOfEpoch) await move(check, position, to, ofEpoch(token, tokenPrefix));
  else if (position !== to || !isOfEpoch) {
    const heads = entry?.chain === undefined ? '' : headsText(entry.chain.writers);
    await move(check, position, to, `${tokenPrefix}:set:${position}-${to}${heads}`);
  }
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

/** By a batch without rows. */
async function move<Rows extends RowBufferPort>(
  { sinkSlot, signals }: Positioned<Rows>,
  after: number,
  to: number,
  token: string,
): Promise<void> {
  const id = { from: to, to, after, token };
  const end = await sinkSlot.write(sinkSlot.newRows(), id, undefined, signals.abort);
  if (end.kind === 'nothing' || end.kind === 'unknown') throw end.error;
}
