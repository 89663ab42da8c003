/**
 * One source slot from takeover to hand-over: opens the edge's tail, the dead letters and the source, and runs the loop.
 */
import { MillraceError } from '../model/errors.ts';
import { writerName } from '../model/names.ts';
import type { IngestorStage, Plan } from '../model/plan.ts';
import type { Clock } from './clock.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { EdgeWriter } from './edge-writer.ts';
import { IngestLoop } from './ingest-loop.ts';
import { IngestOutlet } from './ingest-outlet.ts';
import { frameCap } from './frame-size.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { asSourceError } from './outside-errors.ts';
import type { Position } from './record-batch.ts';
import type { SlotEnd, SlotObserver, SlotSignals } from './slot-observer.ts';
import type { SourceReaderPort } from './source-port.ts';
import { deadLetterRoom, edgeRoom } from './slot-rooms.ts';
import { readersOf, Sweeper } from './sweep.ts';
import { untilOpen } from './until-open.ts';

export interface IngestSlotOptions {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly stage: IngestorStage;
  readonly slot: number;
  /** Opens the source after `position`; throws MillraceError. Called again after a backoff when it does. */
  readonly openReader: (position: Position | undefined) => Promise<SourceReaderPort>;
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
  const shards = plan.edges.find((edge) => edge.name === stage.writes)?.shards ?? 1;
  const writer = writerName(stage.source, slot);
  const shard = slot % shards;
  const capBytes = frameCap(streams);
  const base = { streams, pid, clock, random };
  let outlet: IngestOutlet | undefined;
  // The writer comes before who sweeps behind it.
  const behind: { sweeper?: Sweeper } = {};
  const roomOf = { streams, plan, clock, onFailure: options.onSweepFailure };
  using room = edgeRoom(roomOf, stage.writes, async () => behind.sweeper?.done());
  using deadRoom = deadLetterRoom(roomOf, (records) => observer.lettersDropped(records));

  const edge = await EdgeWriter.open(
    {
      ...base,
      edge: stage.writes,
      shard,
      writer,
      room,
      onWaiting: (reason) => (outlet ? outlet.waiting(reason) : observer.waiting('edge', reason)),
    },
    signals.stop,
  );
  const deadLetters = await DeadLetterWriter.open(
    {
      ...base,
      writer,
      room: deadRoom,
      maxFrameBytes: capBytes,
      onWaiting: (reason) => observer.waiting('deadLetters', reason),
    },
    signals.stop,
  );
  const target = { pid, stream: edge.stream, subject: edge.subject, shard, readers: readersOf(plan, stage.writes) };
  const sweeper = (behind.sweeper = new Sweeper(streams, target, clock, options.onSweepFailure));
  if (edge.sequence > 0) sweeper.wrote(edge.sequence);
  if (edge.openedAt !== undefined) observer.position(edge.openedAt);
  const reader = await untilOpen(
    () => options.openReader(edge.openedAt),
    (error) => asSourceError(stage.source, error),
    options,
  );
  options.onReader(reader);
  try {
    outlet = new IngestOutlet({ writer: edge, reader, sweeper, observer, signals });
    return await new IngestLoop({
      stage: stage.name,
      source: stage.source,
      slot,
      frame: stage.frame,
      capBytes,
      reader,
      outlet,
      deadLetters,
      openedAt: edge.openedAt,
      clock,
      random,
      observer,
      signals,
    }).run();
  } finally {
    options.onReader(undefined);
    await sweeper.close();
    await reader.close();
  }
}
