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
  isOutdated,
  readDecision,
  storedQuestion,
  takeBack,
  type Asker,
  type Question,
  type StoredQuestion,
  type TakenDecision,
} from './decisions.ts';
import { openEdge, pipelineText, type EdgeOpening, type EdgeView } from './edge-opening.ts';
import { checkOf } from './frame.ts';
import { FrameChain, type Accepted, type Heads } from './frame-chain.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommit } from './last-commit.ts';
import { PositionLost } from './position-lost.ts';
import { entryAfter, firstAnew, headsAt, positionAfter, readTails, startOf, tailsUpTo } from './reader-start.ts';
import type { Registry } from './registry.ts';
import { waitingAs, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { untilAnswered } from './until-answered.ts';

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
   * On what a place in the edge rests, as it is now; nothing has been decided about the edge. Throws {@link PositionLost} when the
   * edge is no longer the one to which the log's position belongs.
   */
  readonly headsAt: (position: number) => Promise<Heads>;
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
  for (;;) {
    const before = await openEdge(opening, signals.stop);
    const onWaiting = waitingAs(observer, 'commits');
    const log = await CommitLog.open({ ...start, onWaiting, pid, stage: stage.name, slot }, signals.stop);
    // Y2.
    const lost = met?.after === log.sequence ? met.loss : undefined;
    const asked = await askCommits(start, pid, () => storedQuestion(asker), signals.stop);
    const shard = { pid, edge: edgeOf(plan, edge), shard: slot };
    const ofFrames = <T>(read: () => Promise<T>) => untilAnswered(edgeStream(pid, edge), read, ofEdge, signals.stop);
    const headsIn: HeadsIn = (view, position, givenUp) =>
      ofFrames(() => headsAt(streams, shard, log.last, view, position, givenUp));
    const reads: Reads = {
      headsIn,
      anewIn: (view) => ofFrames(() => firstAnew(streams, shard, log.last, view)),
      // Where the stream is another one the decision has made it so.
      isOutdated: async ({ created, lastSequence }, decision) =>
        decision !== undefined &&
        log.last?.chain?.edge === created &&
        (await ofFrames(() => isOutdated(streams, edgeStream(pid, edge), lastSequence, decision))),
    };
    // D6 of `./decisions.ts`.
    const decided = await askCommits(start, pid, () => answerTo(asker, asked, log.sequence), signals.stop);
    const outdated = await reads.isOutdated(before, decided);
    if (decided !== undefined && !outdated) {
      await placeBy(decided, start, opening, log, reads, { frame: asked?.frame, had: lost?.had });
      continue;
    }
    const tails = await ofFrames(() => readTails(streams, shard, log.last, before));
    // Read again: a source's departure is recorded before its frames are removed, so a reader that misses them finds
    // the record.
    const verdict = startOf(log.last, await openEdge(opening, signals.stop), tails);
    if (verdict.kind === 'ready' && lost === undefined) {
      const chain = new FrameChain(verdict.chain);
      log.follow(chain);
      const isOfSink = asked?.isOfSink === true;
      if (asked !== undefined && !isOfSink) await takeBackWhenOver(start, log, asker, asked);
      const onSinkInOrder = async () => {
        if (isOfSink) await askCommits(start, pid, () => takeBack(asker, asked), signals.stop);
      };
      const headsNow = async (position: number) => {
        const view = await openEdge(opening, signals.stop);
        // What it had taken others may have swept since: that is not missed.
        const heads = await headsIn(view, position, log.committed);
        // Heads first: if the edge goes back after this look, the next frames do not follow them.
        const taken = await ofFrames(() => tailsUpTo(streams, shard, log.last, view, log.committed));
        const now = startOf(log.last, await openEdge(opening, signals.stop), taken);
        if (now.kind === 'lost') throw new PositionLost(now.found, now);
        return heads;
      };
      return { log, chain, headsAt: headsNow, onSinkInOrder };
    }
    // What the start finds is over when the next one does not find it, so that has no `until`.
    const question: Found | undefined = verdict.kind === 'lost' ? verdict : lost;
    if (question === undefined) continue;
    const { found, loss, until, frame, isOfSink } = question;
    const lostNow = {
      asker,
      found,
      loss,
      until,
      frame,
      isOfSink,
      stored: lost?.stored,
      had: lost?.had,
      outdated: decided?.number,
    };
    await awaitAndPlace(start, opening, log, reads, lostNow);
  }
}

/**
 * A question that was met while reading is over when the log is past that place, or when the edge has gone back before it, or
 * holds another frame there: the slot does not meet it any more. Seed asked:2958: a drain waited for ever for the log to pass it.
 */
async function takeBackWhenOver(start: SinkStart, log: CommitLog, asker: Asker, asked: StoredQuestion): Promise<void> {
  const takeItBack = (signal: AbortSignal) => askCommits(start, asker.pid, () => takeBack(asker, asked), signal);
  const until = asked.until ?? 0;
  if (log.committed >= until || (await isGone(start, asked.frame))) await takeItBack(start.signals.stop);
  else log.whenPast(until, takeItBack);
}

async function isGone(start: SinkStart, frame: Accepted | undefined): Promise<boolean> {
  if (frame === undefined) return false;
  const [seq, check] = frame;
  const stream = edgeStream(start.plan.pipeline.pid, start.stage.reads);
  const asking = { ...start, onWaiting: waitingAs(start.observer, 'reader') };
  const there = await untilAnswered(
    stream,
    () => start.streams.getMessage(stream, { seq }),
    asking,
    start.signals.stop,
  );
  return there === null || checkOf(there.data) !== check;
}

type Found = Pick<PositionLost, 'found' | 'loss'> & Partial<Pick<PositionLost, 'until' | 'frame' | 'isOfSink'>>;

interface Loss
  extends Pick<Question, 'loss' | 'until' | 'isOfSink'>, Pick<PositionLost, 'found' | 'frame' | 'stored' | 'had'> {
  readonly asker: Asker;
  /** A decision that answered it, and does no longer. */
  readonly outdated: number | undefined;
}

/** What a position rests on. */
type HeadsIn = (view: EdgeView, position: number, givenUp?: number) => Promise<Heads>;

/** What is read of the edge for a question and for the place after it. */
interface Reads {
  readonly headsIn: HeadsIn;
  /** {@link firstAnew} */
  readonly anewIn: (view: EdgeView) => Promise<number>;
  /** D6 of `./decisions.ts`. */
  readonly isOutdated: (view: EdgeView, decision: TakenDecision | undefined) => Promise<boolean>;
}

/** Waits until a person has decided, and moves the position to where the decision says; unless the log has moved (Y5). */
async function awaitAndPlace(
  start: SinkStart,
  opening: EdgeOpening,
  log: CommitLog,
  reads: Reads,
  lost: Loss,
): Promise<void> {
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
  const anew = await reads.anewIn(view);
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
  const { asker, loss, until, isOfSink, frame, outdated } = lost;
  const asking = { ...start, onWaiting: waitingAs(observer, 'commits'), ask };
  const awaited = async () => {
    await claimToAsk(asker, log, start, signals);
    const question = {
      ...asker,
      loss,
      after: log.sequence,
      hasClaimed: true,
      ofEdge: { outdated },
      until,
      isOfSink,
      frame,
    };
    return awaitDecision(question, asking, signals.stop);
  };
  const made = await remade(start, view, opening, log);
  const { decision, frame: askedAbout } = made === undefined ? await awaited() : { decision: made, frame };
  await placeBy(decision, start, opening, log, reads, { frame: askedAbout, had: lost.had });
}

/** `frame` and `had`: of what was asked about. Does nothing where the decision is outdated: the slot asks again. */
async function placeBy(
  decision: TakenDecision,
  { observer, signals }: SinkStart,
  opening: EdgeOpening,
  log: CommitLog,
  { headsIn, anewIn, isOutdated: isOutdatedIn }: Reads,
  { frame, had: hadThen }: Pick<PositionLost, 'frame' | 'had'>,
): Promise<void> {
  const view = await openEdge(opening, signals.stop);
  if (await isOutdatedIn(view, decision)) return;
  const to = positionAfter(log.last, view, await anewIn(view), decision);
  // Heads after the view: no frame up to its end is then missing in them. What is gone since the decision was not decided about.
  const isSameStream = log.last?.chain?.edge === view.created;
  const heads = await headsIn(view, to, isSameStream ? decision.upTo : undefined);
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
  if (to === anew - 1) return 'what is left of what it had read; what came in place of the rest is read';
  if (to === positionOf(last)) return 'what is committed';
  if (last.kind === 'commit' || to < positionOf(last)) return 'the end of what the stream holds';
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
