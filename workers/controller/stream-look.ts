/**
 * Whether the streams of pipelines are there. Pods say so while they run; of a pipeline that stands still nobody would.
 *
 * S1  One list of names a sweep, however many pipelines there are. What is not in it is asked for by name before it counts
 *     as gone, and so is what counted as gone before; a bounded number each time.
 * S2  What was found holds only while the status says the same of the stream: one that a decision has made anew is another.
 * S3  A stream that is there may be another one. That is found out by looking at it, a bounded number each time.
 * S4  A question without an answer says nothing.
 * S5  All have their turn, however many are lost: suspects, and all others, share a sweep by half where both need it, and
 *     on each side those come first that were looked at longest ago.
 */
import type { MillraceError } from '../../model/errors.ts';
import type { StreamStatus } from '../../model/status.ts';
import { findStream } from '../../stream/find-stream.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { firstLost, lostStream, type LostStream } from '../../stream/lost-stream.ts';
import type { PipelineRecord } from './pipeline-record.ts';

/** As far as JetStream is asked. */
export interface LookedAt extends Pick<JetStreamPort, 'streamNames'> {
  readonly link: { readonly connected: boolean };
  readonly streamInfo: (stream: string) => Promise<{ readonly created: string }>;
}

export interface StreamLookParts {
  readonly streams: () => LookedAt | undefined;
  /** What is known of the streams of a pipeline has changed. */
  readonly onNews: (record: PipelineRecord) => void;
}

/** Looks at single streams, each sweep. */
const most = 200;

export class StreamLook {
  readonly #parts: StreamLookParts;
  readonly #suspects = new Turns();
  readonly #others = new Turns();

  constructor(parts: StreamLookParts) {
    this.#parts = parts;
  }

  async sweep(records: readonly PipelineRecord[]): Promise<void> {
    const streams = this.#parts.streams();
    if (streams?.link.connected !== true) return;
    const names = new Set(await streams.streamNames('mr.>'));
    const isSuspect = (record: PipelineRecord) =>
      record.lost !== undefined || madeOf(record).some(({ name }) => !names.has(name));
    const living = records.filter(({ seen }) => !seen.deleting);
    const suspects = living.filter((record) => isSuspect(record));
    const others = living.filter((record) => !isSuspect(record));
    const some = this.#suspects.next(suspects, Math.max(most / 2, most - others.length));
    const rest = this.#others.next(others, most - some.length);
    // One after the other: nobody waits for the answer.
    for (const record of [...some, ...rest]) await this.#look(record, streams);
  }

  async #look(record: PipelineRecord, streams: LookedAt): Promise<void> {
    const before = lostOf(record)?.message;
    record.lost = await this.#lostIn(record, streams);
    if (lostOf(record)?.message !== before) this.#parts.onNews(record);
  }

  async #lostIn(record: PipelineRecord, streams: LookedAt): Promise<LostStream | undefined> {
    const found: StreamStatus[] = [];
    for (const { name } of madeOf(record)) {
      const info = await findStream(streams, name);
      if (info !== undefined) found.push({ name, created: info.created });
    }
    return firstLost(record.pid, madeOf(record), found);
  }
}

/** S5. Whose turn it is, among those of one side: who was looked at longest ago, and who never was before all. */
class Turns {
  readonly #lookedAt = new WeakMap<PipelineRecord, number>();
  #looks = 0;

  next(records: readonly PipelineRecord[], count: number): readonly PipelineRecord[] {
    const at = (record: PipelineRecord) => this.#lookedAt.get(record) ?? 0;
    const chosen = [...records].sort((a, b) => at(a) - at(b)).slice(0, count);
    for (const record of chosen) this.#lookedAt.set(record, ++this.#looks);
    return chosen;
  }
}

/** S2. Undefined: nothing is known to be lost. */
export function lostOf(record: PipelineRecord): MillraceError | undefined {
  const { lost, ref, pid } = record;
  if (lost === undefined || !madeOf(record).some((one) => isSame(one, lost))) return undefined;
  return lostStream({ ...ref, pid }, lost);
}

function isSame(a: StreamStatus, b: StreamStatus): boolean {
  return a.name === b.name && a.created === b.created;
}

function madeOf({ seen }: PipelineRecord): readonly StreamStatus[] {
  return seen.status.streams ?? [];
}
