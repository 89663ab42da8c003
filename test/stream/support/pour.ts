/** Records through an edge and the first of its sinks. */
import type { Plan } from '../../../model/plan.ts';
import type { Streams } from '../../../stream/connection.ts';
import { eventually } from '../../support/eventually.ts';
import { NumberSource, type MemoryTable } from './fakes.ts';
import { drain, ingest } from './stages.ts';

/** Writes under this plan, from where the source stands, until the first sink has so many records. */
export async function pour(streams: Streams, plan: Plan, table: MemoryTable, upTo: number): Promise<void> {
  const sink = drain(streams, plan, table, { stage: 'sink-warehouse' });
  const writer = ingest(streams, plan, (position) => new NumberSource(position, { available: () => upTo }));
  await eventually(() => table.rows.length === upTo);
  await writer.stop();
  await sink.stop();
}
