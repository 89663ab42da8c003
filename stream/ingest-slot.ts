/**
 * One source slot from takeover to hand-over: opens the edge's tail, the dead letters and the source, and runs the loop.
 */
import { MillraceError } from '../model/errors.ts';
import { writerName } from '../model/names.ts';
import type { IngestorStage, Plan } from '../model/plan.ts';
import type { Clock } from './clock.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { openEdge } from './edge-opening.ts';
import { EdgeWriter, type EdgeWriterOptions } from './edge-writer.ts';
import { IngestLoop } from './ingest-loop.ts';
import { IngestOutlet } from './ingest-outlet.ts';
import { frameCap } from './frame-size.ts';
import { KeyShare } from './key-share.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSourceError } from './outside-errors.ts';
import { PlanWatch } from './plan-watch.ts';
import type { Position } from './record-batch.ts';
import { waitingAs, type SlotEnd, type SlotObserver, type SlotSignals } from './slot-observer.ts';
import { SourceLoss } from './source-loss.ts';
import type { SourceLossPort, SourceReaderPort } from './source-port.ts';
import { deadLetterRoom, edgeRoom } from './slot-rooms.ts';
import { Sweeper } from './sweep.ts';
import type { Asking } from './until-answered.ts';
import { untilOpen } from './until-open.ts';
import { checkTail } from './writer-tail.ts';

export interface IngestSlotOptions {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: IngestorStage;
  readonly slot: number;
  /** Opens the source after `position`; throws MillraceError. Called again after a backoff when it does. */
  readonly openReader: (position: Position | undefined, losses: SourceLossPort) => Promise<SourceReaderPort>;
  /** Told while the reader is open: who wants its lag. */
  readonly onReader: (reader: SourceReaderPort | undefined) => void;
  readonly onSweepFailure: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export async function runIngestSlot(options: IngestSlotOptions): Promise<SlotEnd> {
  try {
    return await work(options);
  } catch (error) {
    if (error instanceof MillraceError && error.handling === 'fence') return 'fenced';
    throw error;
  }
}

async function work(options: IngestSlotOptions): Promise<SlotEnd> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pid } = plan.pipeline;
  const writer = writerName(stage.source, slot);
  const capBytes = frameCap(streams);
  const base = { streams, pid, clock, random };
  // The writer comes before who sweeps behind it, and before the outlet that it tells what it waits for.
  const behind: { sweeper?: Sweeper; outlet?: IngestOutlet } = {};
  const onWaiting = (reason: MillraceError | undefined) =>
    behind.outlet ? behind.outlet.waiting(reason) : observer.waiting('edge', reason);

  const roomOf = { streams, plan, clock, onFailure: options.onSweepFailure };
  using room = edgeRoom(roomOf, stage.writes, async () => behind.sweeper?.done());
  using deadRoom = deadLetterRoom(roomOf, (records) => observer.lettersDropped(records));

  const keys = new KeyShare({ streams, clock, random, onWaiting }, plan, stage.writes);
  const { tail, shard, created } = await openTail(options, writer, { room, keys, onWaiting });
  const deadLetters = await DeadLetterWriter.open(
    {
      ...base,
      writer,
      room: deadRoom,
      maxFrameBytes: capBytes,
      onWaiting: waitingAs(observer, 'deadLetters'),
    },
    signals.stop,
  );
  const target = { pid, edge: stage.writes, subject: tail.subject, writer, shard, created };
  const sweeper = (behind.sweeper = new Sweeper(streams, target, clock, options.onSweepFailure));
  sweeper.wrote(tail.sequence);
  if (tail.openedAt !== undefined) observer.position(tail.openedAt);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => sweeper.close());
  const plans = await PlanWatch.start({ streams, plan, source: stage.source, clock, random, onWaiting }, signals.stop);
  stack.defer(() => plans.close());
  const naming = new PlanNaming(tail, plans, sweeper, clock, signals.stop);
  const losses = new SourceLoss({
    ...{ streams, clock, random, pipeline: plan.pipeline, stage: stage.name, source: stage.source, slot },
    onWaiting: waitingAs(observer, 'commits'),
    stop: signals.stop,
  });
  const reader = await untilOpen(
    () => options.openReader(tail.openedAt, losses),
    (error) => asSourceError(stage.source, error),
    options,
  );
  stack.defer(() => reader.close());
  options.onReader(reader);
  stack.defer(() => options.onReader(undefined));
  await naming.end();
  const outside = { room, clock, random, observer, signals };
  const outlet = (behind.outlet = new IngestOutlet({ ...outside, writer: tail, reader, sweeper }));
  stack.defer(() => outlet.close());
  return await new IngestLoop({
    stage: stage.name,
    source: stage.source,
    slot,
    frame: stage.frame,
    capBytes,
    reader,
    onRead: () => losses.goesOn(),
    outlet,
    deadLetters,
    writer: tail,
    plans,
    openedAt: tail.openedAt,
    clock,
    random,
    observer,
    signals,
  }).run();
}

/** The last frame of the slot's subject, when the slot may begin and the frame is the one that should be there. */
async function openTail(
  options: IngestSlotOptions,
  writer: string,
  of: Pick<EdgeWriterOptions, 'room' | 'keys'> & Pick<Asking, 'onWaiting'>,
): Promise<{ readonly tail: EdgeWriter; readonly shard: number; readonly created: string }> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pipeline } = plan;
  const shards = plan.edges.find((edge) => edge.name === stage.writes)?.shards ?? 1;
  const shard = slot % shards;
  const base = { streams, pipeline, edge: stage.writes, clock, random };
  const view = await openEdge(
    {
      ...base,
      who: `Writer ${writer}`,
      belongs: ({ sources }) => sources[stage.source]?.leaving === false,
      onWaiting: of.onWaiting,
    },
    signals.stop,
  );
  const tail = await EdgeWriter.open({ ...base, ...of, pid: pipeline.pid, shard, writer }, signals.stop);
  await checkTail({ ...base, shard, view, onWaiting: waitingAs(observer, 'decision') }, tail, signals.stop);
  return { tail, shard, created: view.created };
}

/** While the source is not open, and the loop not at work, a plan that comes into force is named all the same (E9). */
class PlanNaming {
  readonly #plans: PlanWatch;
  readonly #name: () => Promise<void>;
  #named: Promise<void>;

  constructor(tail: EdgeWriter, plans: PlanWatch, sweeper: Sweeper, clock: Clock, stop: AbortSignal) {
    this.#plans = plans;
    this.#name = async () => {
      if (plans.generation <= tail.plan) return;
      await tail.name(plans.generation, tail.openedAt, clock.now(), stop);
      // What came before it may go now; in a full edge this writer could not append otherwise.
      sweeper.wrote(tail.sequence);
    };
    this.#named = this.#name();
    // Awaited at the end; until then a failure means that another owner is at work.
    this.#named.catch(() => undefined);
    plans.onChange = () => {
      this.#named = this.#named.then(this.#name);
      this.#named.catch(() => undefined);
    };
  }

  /** Resolves when nothing is in flight. Throws what naming failed with. */
  async end(): Promise<void> {
    this.#plans.onChange = undefined;
    await this.#named;
  }
}
