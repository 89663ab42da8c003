/**
 * Small JSON records in the stream of the commits, one per subject: how the lifecycle informs the pods.
 *
 * M1  Records are read from the leader: a process that was notified of a change sees that change.
 * M2  A change is based on what was read; if another writer was faster, it is computed again from the newer record.
 */
import type { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { commitsEdge, edgeStream } from '../model/names.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';

export async function readRecord<S extends z.ZodType>(
  streams: JetStreamPort,
  pid: string,
  subject: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  return (await readStored(streams, pid, subject, schema)).value;
}

/** `change` maps the current record to the new one; undefined keeps it. Returns the record as it is afterwards. */
export async function changeRecord<S extends z.ZodType>(
  streams: JetStreamPort,
  pid: string,
  subject: string,
  schema: S,
  change: (now: z.output<S> | undefined) => z.output<S> | undefined,
): Promise<z.output<S> | undefined> {
  for (;;) {
    const { value, sequence } = await readStored(streams, pid, subject, schema);
    const wanted = change(value);
    if (wanted === undefined) return value;
    try {
      await streams.publish(subject, JSON.stringify(wanted), { expectLast: sequence });
      return wanted;
    } catch (error) {
      if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    }
  }
}

/** Sequence 0: there is no record. */
export async function readStored<S extends z.ZodType>(
  streams: JetStreamPort,
  pid: string,
  subject: string,
  schema: S,
): Promise<{ readonly value: z.output<S> | undefined; readonly sequence: number }> {
  const stream = edgeStream(pid, commitsEdge);
  const stored = await streams.getMessage(stream, { last_by_subj: subject });
  if (stored === null) return { value: undefined, sequence: 0 };
  return { value: decodeRecord(stored.data, schema, stream, stored.seq), sequence: stored.seq };
}

export function decodeRecord<S extends z.ZodType>(
  data: Uint8Array,
  schema: S,
  stream: string,
  sequence: number,
): z.output<S> {
  try {
    return schema.parse(JSON.parse(Buffer.from(data).toString('utf8')));
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { stream, sequence, problem: problemOf(error) }, { cause: error });
  }
}
