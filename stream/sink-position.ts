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
 *     decision has set it, the last frames of all writers. If they are others, a person is asked (decision 147).
 */
import type { DecisionChoice } from '../model/decision.ts';
import { assertNever, mr, type MillraceError } from '../model/errors.ts';
import { slotTokens } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { askCommits } from './ask-commits.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import { claimToAsk } from './claim.ts';
import type { Clock } from '../model/clock.ts';
import type { Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import { askFor, storedQuestion, takeBack, type Answer, type StoredQuestion } from './decisions.ts';
import { pipelineText } from './edge-opening.ts';
import { isFence } from './fence.ts';
import { isConnectionClosed } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import type { PositionedSinkSlot, RowBufferPort, SinkSlotPort, StoredPosition } from './sink-port.ts';
import { waitingAs, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { headsText, ofEpoch } from './batch-token.ts';
import { ahead, type AheadCheck } from './sink-ahead.ts';
import {
  begunIn,
  isOfIncarnation,
  judge,
  leftBehind,
  unfounded,
  type Believed,
  type Beyond,
  type Lost,
  type Recovered,
} from './sink-verdict.ts';
import { otherTargetOf } from './target-name.ts';
import { untilAnswered } from './until-answered.ts';

export interface PositionCheck<Rows extends RowBufferPort> extends AheadCheck {
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
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

interface Positioned<Rows extends RowBufferPort> extends PositionCheck<Rows> {
  readonly sinkSlot: PositionedSinkSlot<Rows>;
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
  const { target } = sinkSlot;
  const found = judge({ ...check, target }, stored, await edgeEnd(check), open);
  switch (found.kind) {
    case 'recovered':
      return found;
    case 'placed':
      return follow(check, stored, found.written);
    case 'beyond':
      throw beyond(check, found);
    case 'ahead':
      return (await ahead(check, stored, signals.abort)) ?? settleLost(check, unfounded(stored), stored);
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

interface Asked {
  readonly kind: 'asked';
  readonly question: MillraceError;
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
 * was started. `written`: as {@link judge} found it.
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
  const own = isFurther ? await ahead(check, stored, signals.abort) : undefined;
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
