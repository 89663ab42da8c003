/**
 * What the stream itself costs per record, without source, steps or sink: `node bench/micro/stream.ts [bytes] [records]`.
 *
 * CPU is that of this process (user and system); wall time includes a real nats-server on the same machine, which syncs
 * every frame to disk.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../local/parts/nats.ts';
import { freePort } from '../../local/ports.ts';
import type { Plan } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import { connectStreams, type Streams } from '../../stream/connection.ts';
import { FrameBuilder } from '../../stream/frame-builder.ts';
import { decodeFrame } from '../../stream/frame-reader.ts';
import { runIngestSlot } from '../../stream/ingest-slot.ts';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import type { RowBufferPort, SinkProgram, SinkSlotPort } from '../../stream/sink-port.ts';
import { runSinkSlot } from '../../stream/sink-slot.ts';
import type { SlotObserver } from '../../stream/slot-observer.ts';
import type { SourceReaderPort } from '../../stream/source-port.ts';
import { committedOf, ensurePipelineStreams } from '../../stream/streams.ts';

const recordBytes = Number(process.argv[2] ?? 200);
const records = Number(process.argv[3] ?? 2_000_000);
const batchRecords = 4_000;
const print = (line: string) => process.stdout.write(`${line}\n`);

const observer: SlotObserver = {
  connection: () => undefined,
  waiting: () => undefined,
  took: () => undefined,
  handedOn: () => undefined,
  keyRefused: () => undefined,
  dropped: () => undefined,
  deadLettered: () => undefined,
  lettersDropped: () => undefined,
  frame: () => undefined,
  batch: () => undefined,
  position: () => undefined,
};

class CountingRows implements RowBufferPort {
  rows = 0;
  bytes = 0;
  add(): void {
    this.rows++;
    this.bytes += recordBytes;
  }
  clear(): void {
    this.rows = this.bytes = 0;
  }
}

const empty = {};

const batch = bigBatch();
await codecAlone();
const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const nats = await startNats({ dir, port: await freePort(), monitorPort: await freePort() });
const streams = await connectStreams({ url: nats.url, name: 'bench' });
try {
  const plan = planOf(2 * records * (recordBytes + 40));
  await ensurePipelineStreams(streams, plan);
  await measured('ingest loop (frame + publish)', records, () => ingest(streams, plan));
  await measured('sink loop (read + commit, no decode)', records, () => drain(streams, plan));
} finally {
  await streams.nc.close();
  await nats.stop();
  await rm(dir, { recursive: true, force: true });
}

async function codecAlone(): Promise<void> {
  const builder = new FrameBuilder({ maxRecords: 1_000, maxBytes: 256 * 1024, capBytes: 2 ** 20 });
  const rounds = Math.ceil(records / batchRecords);
  const frames: Buffer[] = [];
  const build = (keep: boolean) => {
    for (let next = 0; next < batch.count;) {
      next = builder.append(batch, next, 1);
      const frame = builder.finish({ 0: next }, 1);
      if (keep) frames.push(Buffer.from(frame));
      builder.recycle(frame);
    }
  };
  build(true);
  await measured('frame builder', rounds * batchRecords, async () => {
    for (let round = 0; round < rounds; round++) build(false);
    await Promise.resolve();
  });
  await measured('frame reader', rounds * batchRecords, async () => {
    for (let round = 0; round < rounds; round++)
      for (const frame of frames) decodeFrame(frame, { stream: 'bench', sequence: 1 });
    await Promise.resolve();
  });
}

async function ingest(over: Streams, plan: Plan): Promise<void> {
  const stage = plan.stages.find((one) => one.kind === 'ingestor');
  if (stage?.kind !== 'ingestor') throw new TypeError('an ingestor');
  const never = new AbortController().signal;
  await runIngestSlot({
    streams: over,
    plan,
    stage,
    slot: 0,
    clock: systemClock,
    random: Math.random,
    observer,
    signals: { stop: never, abort: never },
    openReader: () => Promise.resolve(reader()),
    onReader: () => undefined,
    onSweepFailure: () => undefined,
  });
}

async function drain(over: Streams, plan: Plan): Promise<void> {
  const stage = plan.stages.find((one) => one.kind === 'sink');
  if (stage?.kind !== 'sink') throw new TypeError('a sink');
  const stop = new AbortController();
  const program: SinkProgram = { run: () => empty };
  let written = 0;
  const sinkSlot: SinkSlotPort<CountingRows> = {
    positionIn: 'commitLog',
    mark: () => Promise.resolve(null),
    mayRepeat: () => Promise.resolve({ kind: 'repeat' }),
    newRows: () => new CountingRows(),
    write: (rows) => {
      written += rows.rows;
      if (written >= records) stop.abort(new Error('done'));
      return Promise.resolve({ kind: 'stored', refused: [] });
    },
    close: () => Promise.resolve(),
  };
  await runSinkSlot({
    streams: over,
    plan,
    stage,
    slot: 0,
    programOf: () => program,
    clock: systemClock,
    random: Math.random,
    observer,
    signals: { stop: stop.signal, abort: new AbortController().signal },
    openSlot: () => Promise.resolve(sinkSlot),
    onLoop: () => undefined,
  });
  if (written !== records || (await committedOf(over, plan.pipeline.pid, stage.name, 0)) === 0)
    throw new Error(`${written} rows`);
}

function reader(): SourceReaderPort {
  let left = records;
  return {
    read: () => {
      if (left <= 0) return Promise.resolve(undefined);
      left -= batchRecords;
      return Promise.resolve(batch);
    },
    acknowledge: () => undefined,
    lag: () => left,
    close: () => Promise.resolve(),
  };
}

function bigBatch(): RecordBatch {
  // Values with a gap between them, as Kafka's record framing leaves one.
  const stride = recordBytes + 12;
  const bytes = Buffer.alloc(stride * batchRecords, '{"id":12345,"name":"someone"}');
  const starts = Int32Array.from({ length: batchRecords }, (_, index) => index * stride);
  return {
    bytes,
    count: batchRecords,
    valueStart: starts,
    valueEnd: starts.map((start) => start + recordBytes),
    keyStart: new Int32Array(batchRecords),
    keyEnd: new Int32Array(batchRecords).fill(-1),
    timestamps: new Float64Array(batchRecords).fill(1_700_000_000_000),
    offsets: BigInt64Array.from({ length: batchRecords }, (_, index) => BigInt(index)),
    partition: 0,
    positionAfter: (index): Position => ({ 0: index }),
    position: { 0: batchRecords },
  };
}

function planOf(maxBytes: number): Plan {
  const base = {
    workload: 'bench',
    connector: 'bench',
    config: {},
    slots: 1,
    replicas: 1,
    resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
  };
  return {
    planVersion: 1,
    pipeline: { name: 'bench', namespace: 'bench', uid: 'bench', pid: 'bench-000000', generation: 1 },
    workloadNamespace: 'bench',
    isolation: 'Shared',
    desiredState: 'Running',
    deletionPolicy: 'Drain',
    edges: [{ name: 'main', shards: 1, maxBytes }],
    stages: [
      {
        ...base,
        kind: 'ingestor',
        name: 'ingestor-a',
        source: 'a',
        writes: 'main',
        frame: { maxRecords: 1_000, maxBytes: 256 * 1024, lingerMs: 10 },
      },
      {
        ...base,
        kind: 'sink',
        name: 'sink-b',
        sink: 'b',
        reads: 'main',
        sources: { a: { topic: null, schema: null } },
        steps: [],
        ownsStepFailures: true,
        route: { unless: [], when: null },
        batch: { maxRecords: 50_000, maxBytes: 16 * 2 ** 20, maxDelayMs: 1_000 },
      },
    ],
    deadLetters: { maxBytes: 2 ** 20, whenFull: 'Block' },
    credentials: [],
  };
}

async function measured(what: string, count: number, run: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run();
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round(count / wallMs);
  print(
    `${what.padEnd(38)} ${((user + system) / count).toFixed(3)} µs CPU/record   ${String(rate).padStart(5)} k records/s`,
  );
}
