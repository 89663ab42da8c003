/**
 * One source slot from takeover to hand-over: opens the edge's tail, the dead letters and the source, and runs the loop.
 */
import type { MillraceError } from '../model/errors.ts';
import { commitsEdge, edgeStream, writerName } from '../model/names.ts';
import { edgeOf, type IngestorStage, type Plan } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { openEdge } from './edge-opening.ts';
import { EdgeWriter } from './edge-writer.ts';
import type { Room } from './fenced-subject.ts';
import { isFence } from './fence.ts';
import { IngestLoop } from './ingest-loop.ts';
import { IngestOutlet } from './ingest-outlet.ts';
import { frameCap } from './frame-size.ts';
import { KeyShare } from './key-share.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSourceError } from './outside-errors.ts';
import { PlanNaming } from './plan-naming.ts';
import { PlanWatch } from './plan-watch.ts';
import type { Position } from './record-batch.ts';
import { readRegistry, type Registry } from './registry.ts';
import { waitingAs, type SlotEnd, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { SourceLoss } from './source-loss.ts';
import type { SourceLossPort, SourceReaderPort } from './source-port.ts';
import { deadLetterRoom, edgeRoom } from './slot-rooms.ts';
import { Sweeper } from './sweep.ts';
import { TailWatch } from './tail-watch.ts';
import { untilAnswered, type Asking } from './until-answered.ts';
import { untilOpen } from './until-open.ts';
import { checkTail } from './writer-tail.ts';

export interface IngestSlotOptions {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: IngestorStage;
  readonly slot: number;
  /** Opens the source after `position`; throws MillraceError. Called again after a backoff when it does. */
  readonly openReader: (position: Position | undefined, losses: SourceLossPort) => Promise<SourceReaderPort>;
  /** Called with the reader while it is open, for its lag. */
  readonly onReader: (reader: SourceReaderPort | undefined) => void;
  readonly onSweepFailure: (error: unknown) => void;
  /** Removes secrets from the text of a dead letter. */
  readonly hide?: (text: string) => string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export async function runIngestSlot(options: IngestSlotOptions): Promise<SlotEnd> {
  try {
    return await work(options);
  } catch (error) {
    if (isFence(error)) return 'fenced';
    throw error;
  }
}

async function work(options: IngestSlotOptions): Promise<SlotEnd> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const feedback = new WriterFeedback(observer);
  const roomOf = { streams, plan, clock, onFailure: options.onSweepFailure };
  using room = edgeRoom(roomOf, stage.writes, () => feedback.sweep());
  using deadRoom = deadLetterRoom(roomOf, (records) => observer.lettersDropped(records));
  await using stack = new AsyncDisposableStack();
  const onWaiting: Asking['onWaiting'] = (reason) => feedback.waiting(reason);

  const place = await openTail(options, room, onWaiting, stack);
  const { tail, watch } = place;
  const deadLetters = await openDeadLetters(options, deadRoom);
  const sweeper = stack.adopt(sweeperBehind(options, place), (each) => each.close());
  feedback.sweeper = sweeper;
  if (tail.openedAt !== undefined) observer.position(tail.openedAt);
  const plans = stack.adopt(
    await PlanWatch.start({ streams, plan, source: stage.source, clock, random, onWaiting }, signals.stop),
    (each) => each.close(),
  );
  const naming = new PlanNaming({ writer: tail, plans, sweeper, clock, stop: signals.stop });
  const losses = lossesOf(options);
  const reader = stack.adopt(await openSource(options, tail, losses), (each) => each.close());
  options.onReader(reader);
  stack.defer(() => options.onReader(undefined));
  await naming.end();
  const outlet = stack.adopt(
    new IngestOutlet({ room, clock, random, observer, signals, writer: tail, reader, sweeper }),
    (each) => each.close(),
  );
  feedback.outlet = outlet;
  watch.onGone = (error) => outlet.fail(error);
  return await new IngestLoop({
    ...{ stage: stage.name, source: stage.source, slot, frame: stage.frame, capBytes: frameCap(streams) },
    ...{ reader, onRead: () => losses.goesOn(), outlet, deadLetters, writer: tail, plans, openedAt: tail.openedAt },
    ...{ clock, random, observer, signals },
  }).run();
}

/** What a writer needs besides its subject: the sweeper behind it, and the outlet that reports what it waits for. */
class WriterFeedback {
  readonly #observer: SlotObserver;
  sweeper: Sweeper | undefined;
  outlet: IngestOutlet | undefined;

  constructor(observer: SlotObserver) {
    this.#observer = observer;
  }

  /** Resolves when everything that may be removed has been removed. */
  async sweep(): Promise<void> {
    await this.sweeper?.done();
  }

  waiting(reason: MillraceError | undefined): void {
    if (this.outlet === undefined) this.#observer.waiting('edge', reason);
    else this.outlet.waiting(reason);
  }
}

interface WriterTail {
  readonly tail: EdgeWriter;
  readonly watch: TailWatch;
  readonly shard: number;
  /** Of the stream. */
  readonly created: string;
}

/** The last frame of the slot's subject, when the slot may begin and the frame is the one that should be there. */
async function openTail(
  options: IngestSlotOptions,
  room: Room,
  onWaiting: Asking['onWaiting'],
  stack: AsyncDisposableStack,
): Promise<WriterTail> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pipeline } = plan;
  const writer = writerName(stage.source, slot);
  const shard = slot % edgeOf(plan, stage.writes).shards;
  const asking = { streams, clock, random, onWaiting };
  const keys = new KeyShare(asking, plan, stage.writes);
  const base = { streams, pipeline, edge: stage.writes, clock, random };
  // A pod of before, whose source has come back with fewer slots, has nothing to ask about the others (seed 21005013).
  const belongs = ({ sources: { [stage.source]: source } }: Registry) =>
    source?.leaving === false && slot < source.slots;
  const stillBelongs = async () => {
    const look = () => readRegistry(streams, pipeline.pid, stage.writes);
    const registry = await untilAnswered(edgeStream(pipeline.pid, commitsEdge), look, asking, signals.stop);
    return registry !== undefined && belongs(registry);
  };
  for (;;) {
    const view = await openEdge({ ...base, who: `Writer ${writer}`, belongs, onWaiting }, signals.stop);
    const tail = await EdgeWriter.open(
      { ...base, room, keys, onWaiting, pid: pipeline.pid, shard, writer },
      signals.stop,
    );
    // Read again for E4: a source is marked as leaving before its subjects get their last frames. A slot that still belongs
    // after it read the tail has therefore not taken such a last frame for its own, and will not append behind it.
    if (!(await stillBelongs())) continue;
    // Before a person is asked: the answer may take long.
    const watch = stack.adopt(new TailWatch({ streams, clock, random }, tail, signals.stop), (each) => each.close());
    await checkTail({ ...base, shard, view, onWaiting: waitingAs(observer, 'decision') }, tail, signals.stop);
    // Meanwhile it may have left. Of a writer whose frames are all gone no last frame is left that would stop it.
    if (await stillBelongs()) return { tail, watch, shard, created: view.created };
  }
}

function openDeadLetters(options: IngestSlotOptions, room: Room): Promise<DeadLetterWriter> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  return DeadLetterWriter.open(
    {
      ...{ streams, pid: plan.pipeline.pid, clock, random, room },
      writer: writerName(stage.source, slot),
      maxFrameBytes: frameCap(streams),
      hide: options.hide,
      onWaiting: waitingAs(observer, 'deadLetters'),
    },
    signals.stop,
  );
}

function sweeperBehind(options: IngestSlotOptions, { tail, shard, created }: WriterTail): Sweeper {
  const { streams, plan, stage, slot, clock, onSweepFailure } = options;
  const writer = writerName(stage.source, slot);
  const target = { pid: plan.pipeline.pid, edge: stage.writes, subject: tail.subject, writer, shard, created };
  const sweeper = new Sweeper(streams, target, clock, onSweepFailure);
  sweeper.wrote(tail.sequence);
  return sweeper;
}

function lossesOf({ streams, plan, stage, slot, clock, random, observer, signals }: IngestSlotOptions): SourceLoss {
  return new SourceLoss({
    ...{ streams, clock, random, pipeline: plan.pipeline, stage: stage.name, source: stage.source, slot },
    onWaiting: waitingAs(observer, 'commits'),
    stop: signals.stop,
  });
}

/** Tries until the source opens or the slot must stop. */
function openSource(options: IngestSlotOptions, tail: EdgeWriter, losses: SourceLoss): Promise<SourceReaderPort> {
  return untilOpen(
    () => options.openReader(tail.openedAt, losses),
    (error) => asSourceError(options.stage.source, error),
    options,
  );
}
