/** What may be swept while readers join; on a real nats-server. */
import { deepEqual, equal } from 'node:assert/strict';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, ingest } from './support/stages.ts';

const late = 'sink-late';
const slot = 1;

describe('sweepAll', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });

  /** One frame a record, until the first sink has this many. */
  async function pour(plan: Plan, table: MemoryTable, upTo: number): Promise<void> {
    const sink = drain(streams, plan, table, { stage: 'sink-warehouse', slot });
    const available = () => upTo;
    const writer = ingest(streams, plan, (from) => new NumberSource(from, { batch: 1, available }), slot);
    await eventually(() => table.rows.length === upTo);
    await writer.stop();
    const isWarehouse = { stage: (name: string) => name === 'sink-warehouse' };
    await eventually(async () => (await isDrained(streams, plan, isWarehouse)).drained);
    await sink.stop();
  }

  // Two shards, so that there is something between the requests of one and of the other.
  for (const before of ['registry', 'commits'] as const)
    it(`W7: removes nothing that a reader needs which joins while it is frozen before the ${before}`, async () => {
      const frame = { maxRecords: 1, maxBytes: 4_096, lingerMs: 1 };
      const sinks = ['warehouse', 'late'];
      const second = numbered(testPlan({ shards: 2, sourceSlots: 2, edgeBytes: 10_000_000, sinks, frame }), 2);
      const first = numbered({ ...second, stages: second.stages.filter(({ name }) => name !== late) }, 1);
      const table = new MemoryTable();
      await makePipelineStreams(streams, first);
      await takeEffect(act(1), first);
      await pour(first, table, 5);
      let asked = 0;
      const frozenBefore = async (which: typeof before) => {
        if (which !== before || ++asked !== (before === 'commits' ? 2 : 1)) return;
        await takeEffect(act(2), second);
        await pour(second, table, 15);
      };
      const frozen = Object.create(streams, {
        getMessage: {
          value: async (...query: Parameters<Streams['getMessage']>) => {
            await frozenBefore('registry');
            return streams.getMessage(...query);
          },
        },
        lastOfEach: {
          value: async (...query: Parameters<Streams['lastOfEach']>) => {
            await frozenBefore('commits');
            return streams.lastOfEach(...query);
          },
        },
      }) as Streams;
      await sweepAll(frozen, first.pipeline.pid, first.edges[0]!);
      equal(asked > 0, true);
      const rows = new MemoryTable();
      const sink = drain(streams, second, rows, { stage: late, slot });
      try {
        await eventually(() => rows.rows.length === 10);
      } finally {
        await sink.stop();
      }
      deepEqual(
        rows.rows.map(({ value }) => value['n']),
        Array.from({ length: 10 }, (_, n) => 5 + n),
      );
    });
});

function numbered(plan: Plan, generation: number): Plan {
  return { ...plan, pipeline: { ...plan.pipeline, generation } };
}
