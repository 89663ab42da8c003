/** Attempts to store a batch, as the loop makes them, and what they end in. */
import { MillraceError } from '../../../model/errors.ts';
import type { BatchRange, RefusedRow, RowBufferPort, SinkSlotPort, WriteEnd } from '../../../stream/sink-port.ts';
import { meta } from '../../connectors/sink-context.ts';
import type { SimRecord } from './sink-bench.ts';

export const noSignal = new AbortController().signal;

/** What an attempt ends in, in words that do not depend on who answered. */
export type End =
  | { readonly stored: readonly Answer[] }
  | { readonly examined: readonly Answer[]; readonly mayBeStored: boolean }
  | { readonly nothing: string }
  | { readonly unknown: string }
  | { readonly thrown: string };
type Answer = readonly [row: number, code: string];

/** One attempt, as the loop makes it. */
export async function attempt(
  slot: SinkSlotPort,
  records: readonly SimRecord[],
  id: BatchRange,
  refused?: readonly RefusedRow[],
): Promise<End> {
  try {
    return endOf(await slot.write(rowsFor(slot, records), id, refused, noSignal));
  } catch (error) {
    if (error instanceof MillraceError) return { thrown: error.code };
    throw error;
  }
}

/** Attempts until the batch is stored, as the loop makes them: which rows were refused. */
export async function store(
  slot: SinkSlotPort,
  records: readonly SimRecord[],
  id: BatchRange,
): Promise<readonly number[]> {
  let refused: readonly RefusedRow[] | undefined;
  for (;;) {
    const end = await slot.write(rowsFor(slot, records), id, refused, noSignal);
    if (end.kind === 'nothing' || end.kind === 'unknown') throw end.error;
    if (end.kind === 'stored') return [...(refused ?? []), ...end.refused].map(({ row }) => row);
    refused = [...(refused ?? []), ...end.refused];
  }
}

function rowsFor(slot: SinkSlotPort, records: readonly SimRecord[]): RowBufferPort {
  const rows = slot.newRows();
  for (const one of records) rows.add({ ...one }, meta);
  return rows;
}

function endOf(end: WriteEnd): End {
  switch (end.kind) {
    case 'stored':
      return { stored: answersOf(end.refused) };
    case 'examined':
      return { examined: answersOf(end.refused), mayBeStored: end.mayBeStored };
    case 'nothing':
      return { nothing: end.error.code };
    case 'unknown':
      return { unknown: end.error.code };
  }
}

function answersOf(refused: readonly RefusedRow[]): readonly Answer[] {
  return refused.map(({ row, error }) => [row, error.code]);
}
