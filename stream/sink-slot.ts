/**
 * One sink slot from takeover to hand-over: finds where to read (`./sink-start.ts`), opens dead letters and the sink, and
 * runs the loop. A position that is lost while reading is asked about like one that is lost at the start.
 *
 * Y3  The token of a range carries the epoch: when the edge's stream was created, and the last decision about it. In
 *     a recreated stream sequences start again, and after a decision they are read again: in neither case may a batch
 *     look like an earlier one.
 */
import { edgeStream, shardSubjects, writerName } from '../model/names.ts';
import { edgeOf, type Edge, type SinkStage } from '../model/plan.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { isOtherOwner } from './fence.ts';
import { frameCap } from './frame-size.ts';
import { asSinkError } from './outside-errors.ts';
import { PositionLost } from './position-lost.ts';
import { ReaderChain } from './reader-chain.ts';
import { epochOf } from './reader-start.ts';
import { ShardChecks } from './shard-checks.ts';
import { ShardReader } from './shard-reader.ts';
import { SinkLoop } from './sink-loop.ts';
import type { RowBufferPort, SinkProgram, SinkSlotPort } from './sink-port.ts';
import { beginReading, type Beginning, type LostAt, type SinkStart } from './sink-start.ts';
import { deadLetterRoom } from './slot-rooms.ts';
import { waitingAs, type SlotEnd } from './slot-observer.ts';
import { StageViews } from './stage-views.ts';
import { untilAnswered, type Asking } from './until-answered.ts';
import { untilOpen } from './until-open.ts';

export interface SinkSlotOptions<Rows extends RowBufferPort> extends SinkStart {
  /** What the stage does with records under one plan. */
  readonly programOf: (stage: SinkStage) => SinkProgram;
  /** Opens the sink; throws MillraceError, and is then called again after a backoff. */
  readonly openSlot: () => Promise<SinkSlotPort<Rows>>;
  /** The text of a dead letter without what nobody may read. */
  readonly hide?: (text: string) => string;
  /** Called with the loop while it runs, for the code that reports its backlog. */
  readonly onLoop: (loop: { readonly backlog: number } | undefined) => void;
}

/** A fence of the sink (its table is another one) is thrown: the next run puts it right, or `./slot-runner.ts` tells it. */
export async function runSinkSlot<Rows extends RowBufferPort>(options: SinkSlotOptions<Rows>): Promise<SlotEnd> {
  try {
    return await work(options);
  } catch (error) {
    if (isOtherOwner(error)) return 'fenced';
    throw error;
  }
}

async function work<Rows extends RowBufferPort>(options: SinkSlotOptions<Rows>): Promise<SlotEnd> {
  let lost: LostAt | undefined;
  for (;;) {
    const beginning = await beginReading(options, lost);
    try {
      return await run(options, beginning);
    } catch (error) {
      if (!(error instanceof PositionLost)) throw error;
      lost = { loss: error, after: beginning.log.sequence };
    }
  }
}

async function run<Rows extends RowBufferPort>(
  options: SinkSlotOptions<Rows>,
  { log, chain, headsAt, assertPosition, onSinkInOrder }: Beginning,
): Promise<SlotEnd> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pid, uid } = plan.pipeline;
  const edge = stage.reads;
  const stream = edgeStream(pid, edge);
  const epoch = epochOf(chain.committed);
  const base = { streams, pid, clock, random };
  const onWaiting = waitingAs(observer, 'reader');
  const checks = new ShardChecks({ streams, pid, edge, slot, stream, chain, log });

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
    const readerChain = new ReaderChain({ ...base, edge, chain, onWaiting });
    const loop = new SinkLoop<Rows>({
      streams,
      pipeline: plan.pipeline,
      stage: stage.name,
      sink: stage.sink,
      slot,
      stream,
      batch: { ...stage.batch, maxHeldBytes: heldShare(edgeOf(plan, edge)) },
      chain: readerChain,
      views: new StageViews({ ...options, onWaiting: waitingAs(observer, 'plans') }),
      fetchFrame: (sequence, writer) => fetchFrame(options, readerChain, { stream, sequence, writer }),
      hide: options.hide,
      epoch,
      tokenPrefix: `${uid}:${epoch}`,
      sinkSlot,
      log,
      deadLetters,
      clock,
      random,
      observer,
      signals,
      headsAt,
      onSinkInOrder,
      holds: (range) => untilAnswered(stream, () => checks.holds(range), ofFrames(options), signals.stop),
      assertBegun: (to) => untilAnswered(stream, () => checks.begun(to), ofFrames(options), signals.stop),
      read: (firstSequence, begunTo) =>
        new ShardReader({
          streams,
          stream,
          subjects: shardSubjects(pid, edge, slot),
          firstSequence,
          clock,
          random,
          onWaiting,
          check: async ({ after, taken, isFirst }) => {
            await checks.stream(after);
            const isValid = taken === undefined ? isFirst : await checks.isTakenThere(after, taken);
            // A slot that had taken nothing connected late, to an edge that had gone back and grown again: it waited behind it.
            if (!isValid) await assertPosition();
            if (begunTo !== undefined && after < begunTo) await checks.begun(begunTo);
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

/** A quarter of what one shard may hold: writers fill the rest while a batch is written. */
function heldShare({ maxBytes, shards }: Edge): number {
  return maxBytes / shards / 4;
}

/**
 * Reads from the stream's leader; waits for nats-server. Undefined: the source was given up between the look for batches and
 * the first intent of this one (seed 14016073: a person was asked about its frame).
 */
async function fetchFrame(
  start: SinkStart,
  chain: ReaderChain,
  { stream, sequence, writer }: { readonly stream: string; readonly sequence: number; readonly writer: string },
): Promise<Uint8Array | undefined> {
  const { abort } = start.signals;
  const read = () => start.streams.getMessage(stream, { seq: sequence });
  const found = await untilAnswered(stream, read, ofFrames(start), abort);
  if (found !== null) return found.data;
  if (await chain.hasLeft(writer, sequence, abort)) return undefined;
  throw new PositionLost(`frame ${sequence} is gone before it was committed`, { until: sequence });
}

function ofFrames(start: SinkStart): Asking {
  return { ...start, onWaiting: waitingAs(start.observer, 'frames') };
}
