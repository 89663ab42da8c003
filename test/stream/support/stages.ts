/** Slots at work over fakes, with everything a test does not name filled in. */
import type { IngestorStage, Plan, SinkStage } from '../../../model/plan.ts';
import type { Clock } from '../../../model/clock.ts';
import { systemClock } from '../../../stream/clock.ts';
import type { Streams } from '../../../stream/connection.ts';
import { decodeFrame } from '../../../stream/frame-reader.ts';
import { runIngestSlot } from '../../../stream/ingest-slot.ts';
import { runSinkSlot } from '../../../stream/sink-slot.ts';
import type { Position } from '../../../stream/record-batch.ts';
import type { SinkProgram, SinkSlotPort } from '../../../stream/sink-port.ts';
import type { SlotEnd } from '../../../stream/slot-observer.ts';
import type { SourceLossPort, SourceReaderPort } from '../../../stream/source-port.ts';
import { jsonProgram, Witness, type MemoryRows, type MemoryTable } from './fakes.ts';
import { valuesIn } from './frames.ts';

export interface RunningSlot {
  readonly witness: Witness;
  readonly done: Promise<SlotEnd>;
  stop(): Promise<SlotEnd>;
  abort(): void;
}

/** Retries at once, so that a test of a retry takes no time. */
export const eagerClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal) };

/** And what is looked at from time to time is looked at soon. */
export const hastyClock: Clock = { ...eagerClock, after: (ms, then) => eagerClock.after(Math.min(ms, 100), then) };

export function ingest(
  streams: Streams,
  plan: Plan,
  openReader: (position: Position | undefined, losses: SourceLossPort) => SourceReaderPort | Promise<SourceReaderPort>,
  slot = 0,
): RunningSlot {
  return running((witness, signals) =>
    runIngestSlot({
      streams,
      plan,
      stage: ingestorOf(plan),
      slot,
      openReader: async (position, losses) => openReader(position, losses),
      onReader: () => undefined,
      onSweepFailure: () => undefined,
      clock: eagerClock,
      random: () => 0.5,
      observer: witness,
      signals,
    }),
  );
}

export interface DrainOptions {
  readonly slot?: number;
  readonly positionIn?: 'commitLog' | 'sink';
  readonly program?: SinkProgram;
  readonly stage?: string;
  /** Default: {@link eagerClock}. */
  readonly clock?: Clock;
  readonly wrap?: (slot: SinkSlotPort<MemoryRows>) => SinkSlotPort<MemoryRows>;
}

export function drain(streams: Streams, plan: Plan, table: MemoryTable, options: DrainOptions = {}): RunningSlot {
  const slot = table.slot(options.positionIn);
  return running((witness, signals) =>
    runSinkSlot({
      streams,
      plan,
      stage: sinkOf(plan, options.stage),
      slot: options.slot ?? 0,
      programOf: () => options.program ?? jsonProgram,
      openSlot: () => Promise.resolve(options.wrap?.(slot) ?? slot),
      onLoop: () => undefined,
      clock: options.clock ?? eagerClock,
      random: () => 0.5,
      observer: witness,
      signals,
    }),
  );
}

function running(
  start: (witness: Witness, signals: { stop: AbortSignal; abort: AbortSignal }) => Promise<SlotEnd>,
): RunningSlot {
  const witness = new Witness();
  const stop = new AbortController();
  const abort = new AbortController();
  const done = start(witness, { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal });
  done.catch(() => undefined);
  return {
    witness,
    done,
    stop() {
      stop.abort(new Error('test stops'));
      return done.catch((error: unknown) => {
        if (error instanceof Error && error.message === 'test stops') return 'stopped';
        throw error;
      });
    },
    abort() {
      abort.abort(new Error('test aborts'));
    },
  };
}

export function ingestorOf(plan: Plan): IngestorStage {
  const stage = plan.stages.find((one) => one.kind === 'ingestor');
  if (stage === undefined) throw new TypeError('the plan has an ingestor');
  return stage;
}

export function sinkOf(plan: Plan, name?: string): SinkStage {
  const stage = plan.stages.find(
    (one): one is SinkStage => one.kind === 'sink' && (name === undefined || one.name === name),
  );
  if (stage === undefined) throw new TypeError('the plan has a sink');
  return stage;
}

/** Every frame that the edge holds, oldest first, but those with which writers were registered. */
export async function edgeFrames(streams: Streams, plan: Plan, edge = 'main') {
  const stream = `mr-${plan.pipeline.pid}-${edge}`;
  const frames = [];
  for (let next = 1; ;) {
    const message = await streams.jsm.direct.getMessage(stream, {
      seq: next,
      next_by_subj: `mr.${plan.pipeline.pid}.${edge}.>`,
    });
    if (message === null) return frames;
    const frame = decodeFrame(message.data, { stream, sequence: message.seq });
    if (frame.position !== undefined) {
      frames.push({ sequence: message.seq, subject: message.subject, frame, values: valuesIn(frame) });
    }
    next = message.seq + 1;
  }
}
