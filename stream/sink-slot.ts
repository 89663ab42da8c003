/**
 * One sink slot from takeover to hand-over: opens commit log, dead letters and the sink, and runs the loop.
 *
 * The token of a range carries when the edge's stream was made: a stream that was deleted and made again counts from 1
 * again, and its first batches must not look like those of before.
 */
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { edgeStream, shardSubjects, writerName } from '../model/names.ts';
import type { Plan, SinkStage } from '../model/plan.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { CommitLog } from './commit-log.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { frameCap } from './frame-size.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSinkError } from './outside-errors.ts';
import { ShardReader } from './shard-reader.ts';
import { SinkLoop } from './sink-loop.ts';
import type { RowBufferPort, SinkProgram, SinkSlotPort } from './sink-port.ts';
import { deadLetterRoom } from './slot-rooms.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';
import { untilOpen } from './until-open.ts';

export interface SinkSlotOptions<Rows extends RowBufferPort> {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: SinkStage;
  readonly slot: number;
  readonly program: SinkProgram;
  /** Opens the sink's side; throws MillraceError. Called again after a backoff when it does. */
  readonly openSlot: () => Promise<SinkSlotPort<Rows>>;
  /** Told while the loop runs: who wants its backlog. */
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
    if (error instanceof MillraceError && error.handling === 'fence') return 'fenced';
    throw error;
  }
}

async function work<Rows extends RowBufferPort>(options: SinkSlotOptions<Rows>): Promise<SlotEnd> {
  const { streams, plan, stage, slot, clock, random, observer, signals } = options;
  const { pid, uid } = plan.pipeline;
  const stream = edgeStream(pid, stage.reads);
  const base = { streams, pid, clock, random };

  const log = await CommitLog.open(
    { ...base, stage: stage.name, slot, onWaiting: (reason) => observer.waiting('commits', reason) },
    signals.stop,
  );
  using room = deadLetterRoom({ streams, plan, clock }, (records) => observer.lettersDropped(records));
  const deadLetters = await DeadLetterWriter.open(
    {
      ...base,
      room,
      writer: writerName(stage.name, slot),
      maxFrameBytes: frameCap(streams),
      onWaiting: (reason) => observer.waiting('deadLetters', reason),
    },
    signals.stop,
  );
  const epoch = await epochOf(stream, options);
  const sinkSlot = await untilOpen(
    () => options.openSlot(),
    (error) => asSinkError(options.stage.sink, error),
    options,
  );
  try {
    const loop = new SinkLoop<Rows>({
      stage: stage.name,
      sink: stage.sink,
      slot,
      stream,
      batch: stage.batch,
      topics: new Map(Object.entries(stage.sources).map(([source, shape]) => [source, shape.topic])),
      program: options.program,
      fetchFrame: (sequence) => fetchFrame(stream, sequence, options),
      tokenPrefix: `${uid}:${epoch}`,
      sinkSlot,
      log,
      deadLetters,
      clock,
      random,
      observer,
      signals,
      read: (firstSequence) =>
        new ShardReader({
          streams,
          stream,
          subjects: shardSubjects(pid, stage.reads, slot),
          firstSequence,
          clock,
          random,
          onWaiting: (reason) => observer.waiting('reader', reason),
        }),
    });
    options.onLoop(loop);
    return await loop.run();
  } finally {
    options.onLoop(undefined);
    await sinkSlot.close();
  }
}

async function epochOf<Rows extends RowBufferPort>(stream: string, options: SinkSlotOptions<Rows>): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const { created } = await options.streams.streamInfo(stream);
      options.observer.waiting('reader', undefined);
      return Date.parse(created).toString(36);
    } catch (error) {
      options.observer.waiting(
        'reader',
        mr('MR_STREAM_UNAVAILABLE', { server: options.streams.server, problem: problemOf(error) }, { cause: error }),
      );
      await options.clock.sleep(backoffMs(natsBackoff, attempt, options.random), options.signals.stop);
    }
  }
}

/** From the stream's leader; waits for nats-server as everything here does. */
async function fetchFrame<Rows extends RowBufferPort>(
  stream: string,
  sequence: number,
  options: SinkSlotOptions<Rows>,
): Promise<Uint8Array> {
  for (let attempt = 0; ; attempt++) {
    const found = await options.streams.getMessage(stream, { seq: sequence }).catch((error: unknown) => {
      options.observer.waiting('frames', unavailable(error, options));
      return undefined;
    });
    if (found === null)
      throw mr('MR_FRAME_CORRUPT', { stream, sequence, problem: 'it is gone before it was committed' });
    if (found !== undefined) {
      if (attempt > 0) options.observer.waiting('frames', undefined);
      return found.data;
    }
    await options.clock.sleep(backoffMs(natsBackoff, attempt, options.random), options.signals.abort);
  }
}

function unavailable<Rows extends RowBufferPort>(error: unknown, { streams }: SinkSlotOptions<Rows>): MillraceError {
  return mr('MR_STREAM_UNAVAILABLE', { server: streams.server, problem: problemOf(error) }, { cause: error });
}
