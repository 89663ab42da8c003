/**
 * How many dead letters a pipeline has, and why: by code, each with the message of the last one. Computed from the
 * first and the last frame of each writer, so counting costs the same however many there are.
 */
import { deadEdge, edgeStream } from '../model/names.ts';
import { droppedOf } from './dead-letter-drop.ts';
import { deadLetterPosition } from './dead-letter-position.ts';
import type { JetStreamPort } from './jetstream-port.ts';

export interface DeadLetterCount {
  /** Dead letters that are stored now. */
  readonly records: number;
  /** Dead letters that were removed to make room for later ones (`./dead-letter-drop.ts`). */
  readonly dropped: number;
  /**
   * All that were ever stored, most frequent first. Frames of 0.1 carry no codes: the sum may be less than `records`.
   */
  readonly byCode: readonly { readonly code: string; readonly records: number; readonly sample: string }[];
}

export const noDeadLetters: DeadLetterCount = { records: 0, dropped: 0, byCode: [] };

export async function countDeadLetters(streams: JetStreamPort, pid: string): Promise<DeadLetterCount> {
  const stream = edgeStream(pid, deadEdge);
  const codes = new Map<string, { records: number; sample: string }>();
  const lasts = await streams.lastOfEach(stream, `mr.${pid}.${deadEdge}.>`);
  let stored = 0;
  for (const last of lasts) {
    const place = { stream, sequence: last.seq };
    const position = deadLetterPosition(last.data, place);
    stored += position.total;
    for (const [code, { records: some, sample }] of Object.entries(position.byCode ?? {})) {
      const known = codes.get(code);
      codes.set(code, { records: (known?.records ?? 0) + some, sample });
    }
  }
  const byCode = [...codes].map(([code, count]) => ({ code, ...count })).sort((a, b) => b.records - a.records);
  const dropped = await droppedOf(streams, stream, lasts);
  return { records: stored - dropped, dropped, byCode };
}
