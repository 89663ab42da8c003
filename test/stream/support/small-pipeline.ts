/** A pipeline of one source, an edge of one shard and a sink in memory, each record in a frame of its own; and who decides about it. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { askedBy } from '../../../activities/streams/open-questions.ts';
import { parseDecision } from '../../../model/decision.ts';
import { commitsEdge, commitSubject, edgeStream, questionSubject } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import type { StreamStatus } from '../../../model/status.ts';
import { carryOut, streamsFound } from '../../../stream/carry-out.ts';
import { decodeCommitEntry } from '../../../stream/commit-entry.ts';
import type { Streams } from '../../../stream/connection.ts';
import { openQuestions } from '../../../stream/decisions.ts';
import { isDrained } from '../../../stream/drained.ts';
import { ensurePipelineStreams } from '../../../stream/streams.ts';
import { eventually } from '../../support/eventually.ts';
import { storeOf, withDisk } from './disk.ts';
import { MemoryTable, NumberSource } from './fakes.ts';
import { testPlan, withTestServer } from './server.ts';
import { drain, eagerClock, ingest, type DrainOptions, type RunningSlot } from './stages.ts';

export type PositionIn = 'commitLog' | 'sink';

export interface SmallDrain extends DrainOptions {
  readonly port?: Streams;
  readonly plan?: Plan;
}

export class SmallPipeline {
  readonly streams: Streams;
  readonly plan: Plan;
  readonly table = new MemoryTable();
  #known: readonly StreamStatus[];

  private constructor(streams: Streams, plan: Plan, known: readonly StreamStatus[]) {
    this.streams = streams;
    this.plan = plan;
    this.#known = known;
  }

  /** Every writer has a first frame: those of two are 1 and 2. */
  static async make(streams: Streams, sourceSlots = 1): Promise<SmallPipeline> {
    const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
    const batch = { maxRecords: 1_000, maxBytes: 1_000_000, maxDelayMs: 100 };
    const plan = testPlan({ shards: 1, sourceSlots, frame, batch });
    await ensurePipelineStreams(streams, plan);
    return new SmallPipeline(streams, plan, await streamsFound(streams, plan));
  }

  get pid(): string {
    return this.plan.pipeline.pid;
  }

  /** The stream of its edge. */
  get main(): string {
    return edgeStream(this.pid, 'main');
  }

  /** On the server's disk. */
  get store(): string {
    return storeOf(this.main);
  }

  /** What the sink has. */
  get numbers(): readonly number[] {
    return this.table.rows.map(({ value }) => z.number().parse(value['n']));
  }

  /** Of the edge. */
  async end(): Promise<number> {
    return (await this.streams.streamInfo(this.main)).state.last_seq;
  }

  async removeFrame(sequence: number): Promise<void> {
    await this.streams.jsm.streams.deleteMessage(this.main, sequence);
  }

  /** Record i is `from` + i. */
  ingest(total: number, slot = 0, from = 1_000 * slot): RunningSlot {
    const record = (n: number) => ({ value: JSON.stringify({ n: n + from }), offset: BigInt(n) });
    return ingest(
      this.streams,
      this.plan,
      (position) => new NumberSource(position, { batch: 1, available: () => total, record }),
      slot,
    );
  }

  /** As {@link ingest}, until the edge ends there. */
  async write(total: number, until: number, slot?: number, from?: number): Promise<RunningSlot> {
    const writer = this.ingest(total, slot, from);
    await eventually(async () => (await this.end()) >= until);
    await writer.stop();
    return writer;
  }

  drain(positionIn: PositionIn, { port, plan, ...options }: SmallDrain = {}): RunningSlot {
    return drain(port ?? this.streams, plan ?? this.plan, this.table, { positionIn, ...options });
  }

  /** The source has so many records, and the sink takes what it lacks of them. */
  async fill(total: number, positionIn: PositionIn): Promise<void> {
    const writer = this.ingest(total);
    await this.take(total - this.numbers.length, positionIn);
    await writer.stop();
  }

  /** The sink takes so many more records, which is all that the edge has. */
  async take(more: number, positionIn: PositionIn): Promise<void> {
    const total = this.numbers.length + more;
    const sink = this.drain(positionIn);
    await eventually(async () => this.numbers.length === total && (await this.isDry()));
    await sink.stop();
  }

  /** A batch is begun with all that the edge holds; its pod dies before the sink has any of it. */
  async begin(positionIn: PositionIn): Promise<void> {
    const pod = this.drain(positionIn, {
      wrap: (slot) => {
        const write: typeof slot.write = (rows, id, ...more) =>
          id.token.includes(':set:') ? slot.write(rows, id, ...more) : new Promise(() => undefined);
        return { ...slot, write };
      },
    });
    await eventually(async () => (await this.lastEntry()).kind === 'intent');
    pod.abort();
  }

  /** A pod that dies once the sink has stored what it writes next. */
  doomed(): { readonly pod: RunningSlot; readonly died: Promise<void> } {
    const stored = new Promise<void>((resolve) => {
      this.table.afterWrite = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const pod = this.drain('sink');
    const died = stored.then(() => {
      pod.abort();
      this.table.afterWrite = undefined;
    });
    return { pod, died };
  }

  /** A copy of the sink that gets nothing from now on; the sink fails over to it when this is called. */
  replica(): () => void {
    const { position, positionToken, rows } = this.table;
    const { length } = rows;
    return () => {
      this.table.rows.length = length;
      Object.assign(this.table, { position, positionToken });
    };
  }

  async lastEntry() {
    const subject = commitSubject(this.pid, 'sink-warehouse', 0);
    const last = await this.streams.getMessage(edgeStream(this.pid, commitsEdge), { last_by_subj: subject });
    assert.ok(last);
    return decodeCommitEntry(last.data, { stream: commitsEdge, sequence: last.seq });
  }

  async isDry(): Promise<boolean> {
    return (await isDrained(this.streams, this.plan)).drained;
  }

  async decide(text: string): Promise<void> {
    const decision = parseDecision(text);
    assert.ok(decision);
    const act = { streams: this.streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test' };
    this.#known = await carryOut({ ...act, known: this.#known }, this.plan, decision);
  }

  /** Scopes of the questions that are stored. */
  async questions(): Promise<readonly string[]> {
    return (await openQuestions(this.streams, this.pid, '*')).map(({ scope }) => scope);
  }

  /** Their sequences in the commits stream. */
  async storedQuestions(): Promise<readonly number[]> {
    const { pid } = this.plan.pipeline;
    return (await this.streams.lastOfEach(edgeStream(pid, commitsEdge), questionSubject(pid, '*', '>'))).map(
      ({ seq }) => seq,
    );
  }

  /** Whether a drain waits for a decision. */
  async isAskedFor(): Promise<boolean> {
    return (await askedBy(this.streams, this.plan, () => true))?.code === 'MR_DRAIN_ASKS';
  }
}

/** For a `describe`, which calls this: one for each test, given to `use`, on one server. */
export function withSmallPipeline(use: (pipeline: SmallPipeline) => void): void {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });
  beforeEach(async () => use(await SmallPipeline.make(streams)));
}

/** The same, on a server for each test whose disk can be put back. */
export function withPipelineOnDisk(use: (pipeline: SmallPipeline) => void, sourceSlots?: number) {
  let streams: Streams;
  const disk = withDisk((connected) => {
    streams = connected;
  });
  beforeEach(async () => use(await SmallPipeline.make(streams, sourceSlots)));
  return disk;
}

/** How often the slot has asked about its edge. */
export function questionsOf({ witness }: RunningSlot): number {
  return witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST').length;
}

export async function asked(slot: RunningSlot): Promise<void> {
  await eventually(() => questionsOf(slot) > 0);
}

export function asksAboutSink({ witness }: RunningSlot): boolean {
  return witness.connections.at(-1) === 'MR_SINK_POSITION_LOST';
}

/** `from` to `to` - 1. */
export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
