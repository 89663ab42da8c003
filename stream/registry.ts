/**
 * The registered readers and writers of an edge (E10). The lifecycle writes the registry; pods and sweepers read it.
 *
 * E10 A reader is registered from before its pods start until it is removed on purpose: a sweeper waits for the
 *     registered readers and for nobody else. A source is registered once each of its slots has a first frame.
 * G1  An operation never overwrites what a later one has written.
 */
import { z } from 'zod';
import { mr } from '../model/errors.ts';
import { registrySubject } from '../model/names.ts';
import { changeRecord, readRecord } from './commit-record.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { keptSchema } from './kept-position.ts';

const count = z.number().int().nonnegative();

const registrySchema = z.object({
  /** Creation time of the edge's stream, as the lifecycle knows it. */
  created: z.string(),
  /** Sequence of the operation that wrote this. */
  opSeq: count,
  /** Reading stages. */
  readers: z.array(z.string()),
  /**
   * `leaving`: none of its slots may start any more. `ends`: of each slot sequence and checksum of the last frame, which keeps
   * those that had started from appending, as long as it is there.
   */
  sources: z.record(
    z.string(),
    z.object({ slots: count, leaving: z.boolean(), ends: z.array(z.tuple([count, count])).optional() }),
  ),
  /** Sources that have left: the sequence up to which their frames were read. Their subjects are empty. */
  gone: z.record(z.string(), count),
  /** The positions of sources that have left and have not come back. */
  kept: z.record(z.string(), keptSchema).default({}),
});

export type Registry = z.infer<typeof registrySchema>;

export function readRegistry(streams: JetStreamPort, pid: string, edge: string): Promise<Registry | undefined> {
  return readRecord(streams, pid, registrySubject(pid, edge), registrySchema);
}

export async function changeRegistry(
  streams: JetStreamPort,
  { pid, edge, opSeq }: { readonly pid: string; readonly edge: string; readonly opSeq: number },
  change: (now: Registry | undefined) => Omit<Registry, 'opSeq'>,
): Promise<Registry> {
  const subject = registrySubject(pid, edge);
  const changed = await changeRecord(streams, pid, subject, registrySchema, (now) => {
    assertNotLater(subject, now, opSeq);
    return { ...change(now), opSeq };
  });
  if (changed === undefined) throw new TypeError('a registry is never left out');
  return changed;
}

/** The same, for an edge that must have a registry: readers are registered first. */
export function changeRegistered(
  streams: JetStreamPort,
  place: Parameters<typeof changeRegistry>[1],
  change: (now: Registry) => Omit<Registry, 'opSeq'>,
): Promise<Registry> {
  return changeRegistry(streams, place, (now) => {
    if (now === undefined) throw new TypeError('readers are registered before writers');
    return change(now);
  });
}

/** G1, for refusals: an operation must not judge what a later one has made. */
export async function assertLatest(
  streams: JetStreamPort,
  { pid, edges, opSeq }: { readonly pid: string; readonly edges: readonly string[]; readonly opSeq: number },
): Promise<void> {
  for (const edge of edges) assertNotLater(registrySubject(pid, edge), await readRegistry(streams, pid, edge), opSeq);
}

function assertNotLater(object: string, now: Registry | undefined, opSeq: number): void {
  if (now !== undefined && now.opSeq > opSeq) throw mr('MR_OPERATION_FENCED', { object, seq: opSeq, newer: now.opSeq });
}
