/**
 * Small JSON records in the stream of the commits, one a subject: what the lifecycle tells the pods.
 *
 * M1  Read from the leader: who has been told that something changed sees the change.
 * M2  A change is made on what was read; when another came first, it is made on that.
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

/** `change` gets what is there, and answers what should be: undefined leaves it. Answers what is there afterwards. */
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

/** Sequence 0: there is none. */
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
