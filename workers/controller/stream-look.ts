/**
 * Whether the streams of pipelines are there. Pods say so while they run; of a pipeline that stands still nobody would.
 *
 * S1  One list of names a sweep, however many pipelines there are. What is not in it is asked for by name before it counts
 *     as gone, and so is what counted as gone before; a bounded number each time.
 * S2  What was found holds only while the status says the same of the stream: one that a decision has made anew is another.
 * S3  A stream that is there may be another one. That is found out by looking at it, a bounded number each time.
 * S4  A question without an answer says nothing, and says it of its pipeline alone: what is known of that one stays, and the
 *     next is asked. Who is asked may be why there is no answer: after a few of those in a row, or without a link, the rest
 *     waits for the next sweep. Only a failure that the table of errors knows is one: anything else is a defect, and is logged
 *     as that.
 * S5  All have their turn, however many are lost: suspects, and all others, share a sweep by half where both need it, and
 *     on each side those come first that were looked at longest ago. One side that is not answered for leaves the other its
 *     turn.
 */
import type { Logger } from 'pino';
import { isDefect } from '../../activities/failures.ts';
import { problemOf, type MillraceError } from '../../model/errors.ts';
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
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly streams: () => LookedAt | undefined;
  /** What is known of the streams of a pipeline has changed. */
  readonly onNews: (record: PipelineRecord) => void;
}

/** Looks at single streams, each sweep. */
const most = 200;
/** S4. */
const mostUnansweredInARow = 3;

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
    const unanswered = [
      ...(await this.#lookAtSide(this.#suspects, some, streams)),
      ...(await this.#lookAtSide(this.#others, rest, streams)),
    ];
    const [first] = unanswered;
    if (first === undefined) return;
    const { pipeline, problem } = first;
    this.#parts.log.warn({ pipelines: unanswered.length, pipeline, problem }, 'streams could not be looked at');
  }

  /** Which did not answer (S4). One after the other: nobody waits for the answer. */
  async #lookAtSide(turns: Turns, records: readonly PipelineRecord[], streams: LookedAt): Promise<Unanswered[]> {
    const unanswered: Unanswered[] = [];
    let inARow = 0;
    for (const record of records) {
      if (inARow === mostUnansweredInARow || !streams.link.connected) break;
      turns.taken(record);
      try {
        await this.#look(record, streams);
        inARow = 0;
      } catch (error) {
        // A defect of ours is no answer of NATS: it must neither look like one, nor keep others from their turn.
        if (isDefect(error)) {
          this.#parts.log.error(
            { pipeline: record.key, err: error },
            'looking at streams failed by a defect of Millrace',
          );
          continue;
        }
        inARow += 1;
        unanswered.push({ pipeline: record.key, problem: problemOf(error) });
      }
    }
    return unanswered;
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
    return [...records].sort((a, b) => at(a) - at(b)).slice(0, count);
  }

  taken(record: PipelineRecord): void {
    this.#lookedAt.set(record, ++this.#looks);
  }
}

interface Unanswered {
  readonly pipeline: string;
  readonly problem: string;
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
