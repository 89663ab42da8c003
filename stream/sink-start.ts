/**
 * Where a sink slot starts to read.
 *
 * Y1  It starts only where its position is valid (`./reader-start.ts`); when the position is lost, at the start or
 *     while reading, the slot stops, reports it, and waits for a decision, however long.
 * Y2  A position that was lost while reading is asked about only while it is the one in the log. A reader that has not
 *     committed may have been passed over frames, which were then swept (U2 of `./pass-over.ts`): it begins again.
 * Y5  A registered reader has an entry, and asks about its newest one. A pod that was frozen while its sink was taken off
 *     and put back once asked why its commits were gone (seed sinks:1457).
 */
import { mr } from '../model/errors.ts';
import { edgeStream, slotTokens } from '../model/names.ts';
import { edgeOf, type Plan, type SinkStage } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { askCommits } from './ask-commits.ts';
import { hadAt, positionOf, type CommitEntry } from './commit-entry.ts';
import { claimToAsk } from './claim.ts';
import { CommitLog } from './commit-log.ts';
import {
  answerTo,
  awaitDecision,
  readDecision,
  storedQuestion,
  takeBack,
  type Asker,
  type Question,
  type StoredQuestion,
  type TakenDecision,
} from './decisions.ts';
import { openEdge, pipelineText, type EdgeOpening, type EdgeView } from './edge-opening.ts';
import { EdgeLooks } from './edge-looks.ts';
import { FrameChain, type Heads } from './frame-chain.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommit } from './last-commit.ts';
import type { PositionLost } from './position-lost.ts';
import { entryAfter, positionAfter } from './reader-start.ts';
import type { Registry } from './registry.ts';
import { waitingAs, type SlotObserver, type SlotSignals } from './slot-observer.ts';

export interface SinkStart {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: SinkStage;
  readonly slot: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export interface Beginning {
  readonly log: CommitLog;
  readonly chain: FrameChain;
  /**
   * On what a place in the edge rests, as it is now; nothing has been decided about the edge. Throws as `assertPosition` does.
   */
  readonly headsAt: (position: number) => Promise<Heads>;
  /** Throws {@link PositionLost} when the edge is no longer the one to which the log's position belongs. */
  readonly assertPosition: () => Promise<void>;
  /** Called when the sink was found in order: a question about it is taken back. */
  readonly onSinkInOrder: () => Promise<void>;
}

/** What stopped a run, and where its log ended then. */
export interface LostAt {
  readonly loss: PositionLost;
  /** Of the last entry, in the stream of the commits. */
  readonly after: number;
}

/** Y1. `met`: what stopped the previous run. */
export async function beginReading(start: SinkStart, met: LostAt | undefined): Promise<Beginning> {
  const { streams, plan, stage, slot, observer, signals } = start;
  const { pid } = plan.pipeline;
  const edge = stage.reads;
  const ofEdge = { ...start, onWaiting: waitingAs(observer, 'reader') };
  const opening = {
    ...ofEdge,
    pipeline: plan.pipeline,
    edge,
    who: `Slot ${slot} of ${stage.name}`,
    belongs: ({ readers }: Registry) => readers.includes(stage.name),
  };
  const asker = { streams, pid, scope: edge, who: slotTokens(stage.name, slot) };
  const open = () => openEdge(opening, signals.stop);
  for (;;) {
    const before = await open();
    const onWaiting = waitingAs(observer, 'commits');
    const log = await CommitLog.open({ ...start, onWaiting, pid, stage: stage.name, slot }, signals.stop);
    // Y2.
    const lost = met?.after === log.sequence ? met.loss : undefined;
    const asked = await askCommits(start, pid, () => storedQuestion(asker), signals.stop);
    const looks = new EdgeLooks({
      ...ofEdge,
      pid,
      edge: edgeOf(plan, edge),
      shard: slot,
      log,
      open,
      signal: signals.stop,
    });
    const reading = { start, opening, log, looks };
    // D6 of `./decisions.ts`. After that decision, so that an edge that has grown meanwhile is not taken for one that went back.
    const answer = await askCommits(start, pid, () => answerTo(asker, asked, log.sequence), signals.stop);
    const outdated = answer !== undefined && (await looks.isOutdated(await open(), answer)) ? answer.number : undefined;
    if (asked !== undefined && answer !== undefined && outdated === undefined && !asked.isOfSink) {
      const isVoid = asked.isOfPosition && (await looks.asTaken()).kind === 'ready';
      if (!isVoid) {
        await placeBy(answer, reading, { frame: asked.frame, had: lost?.had });
        continue;
      }
    }
    const verdict = await looks.verdict(before);
    if (verdict.kind === 'ready' && lost === undefined) {
      const chain = new FrameChain(verdict.chain);
      log.follow(chain);
      const isOfSink = asked?.isOfSink === true;
      if (asked !== undefined && !isOfSink) await takeBackWhenOver(reading, asker, asked);
      const onSinkInOrder = async () => {
        if (isOfSink) await askCommits(start, pid, () => takeBack(asker, asked), signals.stop);
      };
      const assertPosition = () => looks.assertPosition();
      return { log, chain, headsAt: (position) => looks.headsBehind(position), assertPosition, onSinkInOrder };
    }
    // What the start finds is over when the next one does not find it, so that has no `until`.
    const question: Found | undefined = verdict.kind === 'lost' ? verdict : lost;
    if (question === undefined) continue;
    const { found, loss, until, frame, isOfSink } = question;
    const { stored, had } = lost ?? {};
    const isOfPosition = verdict.kind === 'lost';
    await awaitAndPlace(reading, { asker, found, loss, until, frame, isOfSink, isOfPosition, stored, had, outdated });
  }
}

interface Reading {
  readonly start: SinkStart;
  readonly opening: EdgeOpening;
  readonly log: CommitLog;
  readonly looks: EdgeLooks;
}

/**
 * A question that was met while reading is over when the log is past that place, or when the edge ends before it or holds
 * another frame there: the slot does not meet it any more. Seed asked:2958: a drain waited for ever for the log to pass it.
 */
async function takeBackWhenOver({ start, opening, log, looks }: Reading, asker: Asker, asked: StoredQuestion) {
  const takeItBack = (signal: AbortSignal) => askCommits(start, asker.pid, () => takeBack(asker, asked), signal);
  const { until = 0, frame } = asked;
  const { lastSequence } = await openEdge(opening, start.signals.stop);
  const isOver = log.committed >= until || lastSequence < until || (frame !== undefined && (await looks.isGone(frame)));
  if (isOver) await takeItBack(start.signals.stop);
  else log.whenPast(until, takeItBack);
}

type Found = Pick<PositionLost, 'found' | 'loss'> & Partial<Pick<PositionLost, 'until' | 'frame' | 'isOfSink'>>;

interface Loss
  extends
    Pick<Question, 'loss' | 'until' | 'isOfSink' | 'isOfPosition'>,
    Pick<PositionLost, 'found' | 'frame' | 'stored' | 'had'> {
  readonly asker: Asker;
  /** A decision that answered it, and does no longer. */
  readonly outdated: number | undefined;
}

/** Waits until a person has decided, and moves the position to where the decision says; unless the log has moved (Y5). */
async function awaitAndPlace(reading: Reading, lost: Loss): Promise<void> {
  const { start, opening, log, looks } = reading;
  const { observer, signals } = start;
  const { pipeline, edge, who } = opening;
  const view = await openEdge(opening, signals.stop);
  const newest = await askCommits(
    start,
    pipeline.pid,
    () => lastCommit(start.streams, pipeline.pid, start.stage.name, start.slot),
    signals.stop,
  );
  if ((newest?.seq ?? 0) !== log.sequence) return;
  const anew = await looks.firstAnew(view);
  const ask = (token: string) =>
    observer.waiting(
      'decision',
      mr('MR_POSITION_LOST', {
        who,
        position: log.committed,
        stream: edgeStream(pipeline.pid, edge),
        found: lost.found,
        pipeline: pipelineText(pipeline),
        token,
        accepted: acceptedWith(log.last, view, anew, lost.stored),
        reread: 'reads all that the stream still holds, and may write records twice',
      }),
    );
  const { asker, loss, until, isOfSink, isOfPosition, frame, outdated, had } = lost;
  const made = await remade(start, view, opening, log);
  if (made !== undefined) return placeBy(made, reading, lost);
  await claimToAsk(asker, log, start, signals);
  const about = { loss, after: log.sequence, until, isOfSink, isOfPosition, frame };
  const isRestored = async () => isOfPosition === true && (await looks.asTaken()).kind === 'ready';
  const asking = { ...start, onWaiting: waitingAs(observer, 'commits'), ask, isRestored };
  const answer = await awaitDecision(
    { ...asker, ...about, hasClaimed: true, ofEntry: { outdated } },
    asking,
    signals.stop,
  );
  if (answer !== undefined) return placeBy(answer.decision, reading, { frame: answer.frame, had });
  observer.waiting('decision', undefined);
}

/** `frame` and `had`: of what was asked about. Does nothing where the decision is outdated: the slot asks again. */
async function placeBy(
  decision: TakenDecision,
  { start: { observer, signals }, opening, log, looks }: Reading,
  { frame, had: hadThen }: Pick<PositionLost, 'frame' | 'had'>,
): Promise<void> {
  const view = await openEdge(opening, signals.stop);
  if (await looks.isOutdated(view, decision)) return;
  const to = positionAfter(log.last, view, await looks.firstAnew(view), decision);
  // Heads after the view: no frame up to its end is then missing in them. What is gone since the decision was not decided about.
  const isSameStream = log.last?.chain?.edge === view.created;
  const heads = await looks.headsAt(view, to, isSameStream ? decision.upTo : undefined);
  const entry = entryAfter(to, log.last, view, { decision, heads, frame });
  const had = hadThen ?? hadAt(log.last, entry.to);
  await log.reset({ ...entry, ...(had === undefined ? {} : { had }) }, signals.stop);
  observer.waiting('decision', undefined);
}

/** What follows from `accept-loss`, as far as it is known before it is taken. */
function acceptedWith(last: CommitEntry | undefined, view: EdgeView, anew: number, stored: number | undefined): string {
  const to = positionAfter(last, view, anew, { choice: 'accept-loss', upTo: undefined });
  const isBegun = last !== undefined && last.kind !== 'commit' && to === last.to;
  const twice =
    stored !== undefined && stored > to
      ? `, and writes twice what the stream still holds of what the sink has stored up to ${stored}`
      : isBegun
        ? ''
        : ', and reads nothing of the stream twice';
  return `continues after ${to}, ${placeText(last, to, anew)}${twice}; what a source that has lost its frames reads again counts as new and is written twice`;
}

function placeText(last: CommitEntry | undefined, to: number, anew: number): string {
  if (last === undefined)
    return 'the end of the stream: how far it had come is not known, and what it had not read is given up';
  if (to === anew - 1) {
    return 'what is left of what it had read; what came in place of the rest is read, and given up where that cannot be told';
  }
  if (to === positionOf(last)) return 'what is committed';
  if (last.kind === 'commit' || to < positionOf(last))
    return 'the end of what the stream holds: what came in place of lost frames up to there is given up';
  if (to < last.to) {
    return 'the end of what the stream holds of a batch that was started and may be in the sink: nothing of it is written again';
  }
  return 'the end of a batch that was started and may be in the sink: it is not written again, and frames that came in place of lost ones up to there are given up';
}

/** Only a decision recreates a stream, so a reader whose position is in the previous one need not ask. */
async function remade(
  start: SinkStart,
  { created }: EdgeView,
  { pipeline, edge }: EdgeOpening,
  log: CommitLog,
): Promise<TakenDecision | undefined> {
  const counted = log.last?.chain?.edge;
  if (counted === undefined || counted === created) return undefined;
  const read = () => readDecision(start.streams, pipeline.pid, edge);
  return askCommits(start, pipeline.pid, read, start.signals.stop);
}
