/** Owners of a slot, each at work on a batch as in the loop, over a commit log that outlives them. */
import { equal, match, ok } from 'node:assert/strict';
import type { SinkSlot } from '../../../connectors/connector.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';
import { SinkWrite } from '../../../stream/sink-write.ts';
import { batchOfRows, Witness } from '../../stream/support/fakes.ts';
import type { MemoryLog } from '../../stream/support/memory-log.ts';
import { eagerClock } from '../../stream/support/stages.ts';
import { batch, meta } from '../sink-context.ts';

/** The numbers of the records that are refused, or the error for which it waits. */
type End = number[] | MillraceError;

export function owner(slot: SinkSlot, log: MemoryLog, records: readonly RecordObject[], to = 1) {
  const stop = new AbortController();
  const abort = new AbortController();
  const witness = new Witness();
  const begun = log.last?.kind === 'intent' ? log.last : undefined;
  const { from, to: last, after, token } = begun ?? batch(to - 1, to);
  const made = batchOfRecords(slot, records);
  const writing = new SinkWrite(
    {
      sink: 'warehouse',
      sinkSlot: slot,
      log,
      clock: eagerClock,
      random: () => 0.5,
      observer: witness,
      signals: { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal },
    },
    made,
    { from, to: last, after, token },
    begun,
  );
  const done = new Promise<End>((resolve, reject) => {
    witness.connection = (error) => {
      if (error === undefined) return;
      stop.abort(error);
      resolve(error);
    };
    writing.run().then((refused) => resolve(refused.map(({ row }) => made.recordOf(row))), reject);
  });
  return { done, abort: () => abort.abort(new Error('killed')) };
}

export const written = (...of: Parameters<typeof owner>) => owner(...of).done;

/** Records that the table has no place for are no rows. */
function batchOfRecords(slot: SinkSlot, records: readonly RecordObject[]) {
  const rows = slot.newRows();
  const failed: number[] = [];
  records.forEach((record, n) => {
    try {
      rows.add(record, meta);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      failed.push(n);
    }
  });
  return batchOfRows(rows, failed);
}

export function waitsFor(code: string, text: RegExp) {
  return (end: End) => {
    ok(end instanceof MillraceError, `it did not wait, but refused ${String(end)}`);
    equal(end.code, code);
    match(end.sentence, text);
  };
}
