/**
 * How many dead letters a pipeline has, and why: by code, each with what the last one of it said. Read from the last frame
 * of each writer, so counting costs the same however many there are.
 */
import { deadEdge, edgeStream } from '../model/names.ts';
import { deadLetterPosition } from './dead-letter-position.ts';
import type { JetStreamPort } from './jetstream-port.ts';

export interface DeadLetterCount {
  readonly records: number;
  /** The most frequent first. Frames of 0.1 do not say their codes: the sum may be less than `records`. */
  readonly byCode: readonly { readonly code: string; readonly records: number; readonly sample: string }[];
}

export const noDeadLetters: DeadLetterCount = { records: 0, byCode: [] };

export async function countDeadLetters(streams: JetStreamPort, pid: string): Promise<DeadLetterCount> {
  const stream = edgeStream(pid, deadEdge);
  const codes = new Map<string, { records: number; sample: string }>();
  let records = 0;
  for (const last of await streams.lastOfEach(stream, `mr.${pid}.${deadEdge}.>`)) {
    const place = { stream, sequence: last.seq };
    const position = deadLetterPosition(last.data, place);
    records += position.total;
    for (const [code, { records: some, sample }] of Object.entries(position.byCode ?? {})) {
      const known = codes.get(code);
      codes.set(code, { records: (known?.records ?? 0) + some, sample });
    }
  }
  const byCode = [...codes].map(([code, count]) => ({ code, ...count })).sort((a, b) => b.records - a.records);
  return { records, byCode };
}
