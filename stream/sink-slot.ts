/**
 * One sink slot from takeover to hand-over: opens commit log, dead letters and the sink, and runs the loop.
 *
 * L1  It starts only where its position is valid (`./reader-start.ts`); when the position is lost, at the start or
 *     while reading, the slot stops, reports it, and waits for a decision, however long.
 * L2  The token of a range carries the epoch: when the edge's stream was created, and the last decision about it. In
 *     a recreated stream sequences start again, and after a decision they are read again: in neither case may a batch
 *     look like an earlier one.
 */
import { mr } from '../model/errors.ts';
import { commitsEdge, edgeStream, shardSubjects, slotTokens, writerName } from '../model/names.ts';
import { edgeOf, type Plan, type SinkStage } from '../model/plan.ts';
import type { Clock } from './clock.ts';
import type { CommitEntry } from './commit-entry.ts';
import { CommitLog } from './commit-log.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { frameCap } from './frame-size.ts';
import { awaitDecision, readDecision, storedQuestion, takeBack, type TakenDecision } from './decisions.ts';
import { openEdge, pipelineText, type EdgeOpening } from './edge-opening.ts';
import { isFence } from './fence.ts';
import { checkOf } from './frame.ts';
import { FrameChain } from './frame-chain.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { asSinkError } from './outside-errors.ts';
import { otherThanTaken, PositionLost } from './position-lost.ts';
import { ReaderChain } from './reader-chain.ts';
import { endsBefore, entryAfter, epochOf, readTails, startOf } from './reader-start.ts';
import type { Registry } from './registry.ts';
import { ShardReader } from './shard-reader.ts';
import { SinkLoop } from './sink-loop.ts';
import type { RowBufferPort, SinkProgram, SinkSlotPort } from './sink-port.ts';
import { deadLetterRoom } from './slot-rooms.ts';
import { waitingAs, type SlotEnd, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { StageViews } from './stage-views.ts';
import { untilAnswered } from './until-answered.ts';
import { untilOpen } from './until-open.ts';

export interface SinkSlotOptions<Rows extends RowBufferPort> {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: SinkStage;
  readonly slot: number;
  /** What the stage does with records under one plan. */
  readonly programOf: (stage: SinkStage) => SinkProgram;
  /** Opens the sink; throws MillraceError, and is then called again after a backoff. */
  readonly openSlot: () => Promise<SinkSlotPort<Rows>>;
  /** The text of a dead letter without what nobody may read. */
  readonly hide?: (text: string) => string;
  /** Called with the loop while it runs, for the code that reports its backlog. */
  readonly onLoop: (loop: { readonly backlog: number } | undefined) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export async function runSinkSlot<Rows extends RowBufferPort>(options: SinkSlotOptions<Rows>): Promise<SlotEnd> {
  try {
    return await work(options);
  } catch (error) {
    if (isFence(error)) return 'fenced';
    throw error;
  }
}

async function work<Rows extends RowBufferPort>(options: SinkSlotOptions<Rows>): Promise<SlotEnd> {
  let lost: PositionLost | undefined;
  for (;;) {
    try {
      return await run(options, await begin(options, lost));
    } catch (error) {
      if (!(error instanceof PositionLost)) throw error;
      lost = error;
    }
  }
}

interface Beginning {
  readonly log: CommitLog;
  readonly chain: FrameChain;
}

/** L1. `met`: what stopped the previous run. */
async function begin<Rows extends RowBufferPort>(
  options: SinkSlotOptions<Rows>,
  met: PositionLost | undefined,
): Promise<Beginning> {
  const { streams, plan, stage, slot, observer, signals } = options;
  const { pid } = plan.pipeline;
  const edge = stage.reads;
  const { shards } = edgeOf(plan, edge);
  const asking = { ...options, onWaiting: waitingAs(observer, 'reader') };
  const opening = {
    ...asking,
    pipeline: plan.pipeline,
    edge,
    who: `Slot ${slot} of ${stage.name}`,
    belongs: ({ readers }: Registry) => readers.includes(stage.name),
  };
  const asker = { streams, pid, scope: edge, who: slotTokens(stage.name, slot) };
  for (let lost = met; ; lost = undefined) {
    const before = await openEdge(opening, signals.stop);
    const log = await CommitLog.open(
      { ...asking, pid, stage: stage.name, slot, onWaiting: waitingAs(observer, 'commits') },
      signals.stop,
    );
    const asked = await untilAnswered(edgeStream(pid, commitsEdge), () => storedQuestion(asker), asking, signals.stop);
    const readAll = () => readTails(streams, { pid, edge, shard: slot, shards }, log.last, before);
    const tails = await untilAnswered(edgeStream(pid, edge), readAll, asking, signals.stop);
    // Read again: a source's departure is recorded before its frames are removed, so a reader that misses them finds
    // the record.
    const start = startOf(log.last, await openEdge(opening, signals.stop), tails);
    if (start.kind === 'ready' && lost === undefined) {
      const chain = new FrameChain(start.chain);
      log.follow(chain);
      if (asked !== undefined) {
        const takenBack = () =>
          untilAnswered(edgeStream(pid, commitsEdge), () => takeBack(asker, asked), asking, signals.stop);
        if (log.committed >= (asked.until ?? 0)) await takenBack();
        else log.whenPast(asked.until ?? 0, takenBack);
      }
      return { log, chain };
    }
    const why = start.kind === 'lost' ? start : lost;
    if (why !== undefined) await decide(options, opening, log, why);
  }
}

/** Waits until a person has decided, and moves the position to where the decision says. */
async function decide<Rows extends RowBufferPort>(
  options: SinkSlotOptions<Rows>,
  opening: EdgeOpening,
  log: CommitLog,
  {
    found,
    loss,
    until,
    stored,
  }: Pick<PositionLost, 'found' | 'loss'> & Partial<Pick<PositionLost, 'until' | 'stored'>>,
): Promise<void> {
  const { stage, slot, observer, signals } = options;
  const { pipeline, streams } = opening;
  const asking = { ...options, onWaiting: waitingAs(observer, 'commits') };
  const ask = (token: string) =>
    observer.waiting(
      'decision',
      mr('MR_POSITION_LOST', {
        who: opening.who,
        position: log.committed,
        stream: edgeStream(pipeline.pid, stage.reads),
        found,
        pipeline: pipelineText(pipeline),
        token,
        accepted: acceptedWith(log.last, stored),
        reread: 'reads all that the stream still holds, and may write records twice',
      }),
    );
  const about = { streams, pid: pipeline.pid, scope: stage.reads };
  const question = { ...about, who: slotTokens(stage.name, slot), loss, after: log.sequence, until };
  const decision =
    (await remade(opening, log, signals.stop)) ?? (await awaitDecision(question, { ...asking, ask }, signals.stop));
  const entry = entryAfter(log.last, await openEdge(opening, signals.stop), decision);
  await log.reset(entry, signals.stop);
  observer.waiting('decision', undefined);
}

function acceptedWith(last: CommitEntry | undefined, stored: number | undefined): string {
  const again = 'what a source that has lost its frames reads again counts as new and is written twice';
  if (last !== undefined && last.kind !== 'commit')
    return `continues after ${last.to}, the end of a batch that was started and may be in the sink: it is not written again, and frames that came in place of lost ones up to there are given up; ${again}`;
  if (stored === undefined) return `continues after that and reads nothing of the stream twice; ${again}`;
  return `continues after that, and writes twice what the stream still holds of what the sink has stored up to ${stored}; ${again}`;
}

/** Only a decision recreates a stream, so a reader whose position is in the previous one need not ask. */
async function remade(opening: EdgeOpening, log: CommitLog, signal: AbortSignal): Promise<TakenDecision | undefined> {
  const { pipeline, edge, streams } = opening;
  const { created } = await openEdge(opening, signal);
  const counted = log.last?.chain?.edge;
  if (counted === undefined || counted === created) return undefined;
  const ask = () => readDecision(streams, pipeline.pid, edge);
  return untilAnswered(edgeStream(pipeline.pid, commitsEdge), ask, opening, signal);
}

async function run<Rows extends RowBufferPort>(
  options: SinkSlotOptions<Rows>,
  { log, chain }: Beginning,
): Promise<SlotEnd> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pid, uid } = plan.pipeline;
  const edge = stage.reads;
  const stream = edgeStream(pid, edge);
  const epoch = epochOf(chain.committed);
  const base = { streams, pid, clock, random };
  const onWaiting = waitingAs(observer, 'reader');

  using room = deadLetterRoom({ streams, plan, clock }, (records) => observer.lettersDropped(records));
  const deadLetters = await DeadLetterWriter.open(
    {
      ...base,
      room,
      writer: writerName(stage.name, slot),
      maxFrameBytes: frameCap(streams),
      hide: options.hide,
      onWaiting: waitingAs(observer, 'deadLetters'),
    },
    signals.stop,
  );
  const sinkSlot = await untilOpen(
    () => options.openSlot(),
    (error) => asSinkError(options.stage.sink, error),
    options,
  );
  if (sinkSlot.target !== undefined) log.writesTo(sinkSlot.target);
  try {
    const loop = new SinkLoop<Rows>({
      streams,
      pipeline: plan.pipeline,
      stage: stage.name,
      sink: stage.sink,
      slot,
      stream,
      batch: stage.batch,
      chain: new ReaderChain({ ...base, edge, chain, onWaiting }),
      views: new StageViews({ ...options, onWaiting: waitingAs(observer, 'plans') }),
      fetchFrame: (sequence) => fetchFrame(stream, sequence, options),
      epoch,
      tokenPrefix: `${uid}:${epoch}`,
      sinkSlot,
      log,
      deadLetters,
      clock,
      random,
      observer,
      signals,
      assertBegun: async (to) => {
        const asking = { ...options, onWaiting: waitingAs(observer, 'frames') };
        const last = await untilAnswered(stream, () => streams.getMessage(stream, { seq: to }), asking, signals.stop);
        assertIsBegun(last, options, log, to);
      },
      read: (firstSequence, begunTo) =>
        new ShardReader({
          streams,
          stream,
          subjects: shardSubjects(pid, edge, slot),
          firstSequence,
          clock,
          random,
          onWaiting,
          check: async (after, taken) => {
            await checkStream(streams, stream, chain, after);
            if (taken !== undefined) await checkTaken(streams, stream, after, taken);
            if (begunTo === undefined || after >= begunTo) return;
            assertIsBegun(await streams.getMessage(stream, { seq: begunTo }), options, log, begunTo);
          },
        }),
    });
    options.onLoop(loop);
    return await loop.run();
  } finally {
    options.onLoop(undefined);
    await sinkSlot.close();
  }
}

/** Checks that the stream is the one in which the slot counts, and at least as long as the slot has read. */
async function checkStream(streams: JetStreamPort, stream: string, chain: FrameChain, after: number): Promise<void> {
  const { created, state } = await streams.streamInfo(stream);
  if (created !== chain.committed.edge) throw new PositionLost(`this stream was made at ${created}`);
  if (state.last_seq < after) throw new PositionLost(`the stream ends at ${state.last_seq}`, { loss: endsBefore });
}

/** No frame of that number: it was committed and swept. */
async function checkTaken(streams: JetStreamPort, stream: string, sequence: number, taken: number): Promise<void> {
  const found = await streams.getMessage(stream, { seq: sequence });
  if (found !== null && checkOf(found.data) !== taken) throw otherThanTaken(sequence);
}

/**
 * A batch that was begun keeps its frames (E10), so when its last one is not there any more, or its number is that of a
 * frame of another shard now, it will never come: nobody may wait for it.
 */
function assertIsBegun<Rows extends RowBufferPort>(
  last: StoredMessage | null,
  { plan, stage, slot }: SinkSlotOptions<Rows>,
  log: CommitLog,
  to: number,
): void {
  const { pid } = plan.pipeline;
  if (last?.subject.startsWith(shardSubjects(pid, stage.reads, slot).slice(0, -1)) === true) return;
  const stored = log.last?.kind === 'commit' ? to : undefined;
  throw new PositionLost(`frame ${to}, the last of a batch that was started, is gone`, { until: to, stored });
}

/** Reads from the stream's leader; waits for nats-server. */
async function fetchFrame<Rows extends RowBufferPort>(
  stream: string,
  sequence: number,
  options: SinkSlotOptions<Rows>,
): Promise<Uint8Array> {
  const { streams, observer, signals } = options;
  const asking = { ...options, onWaiting: waitingAs(observer, 'frames') };
  const found = await untilAnswered(stream, () => streams.getMessage(stream, { seq: sequence }), asking, signals.abort);
  if (found === null) throw new PositionLost(`frame ${sequence} is gone before it was committed`, { until: sequence });
  return found.data;
}
