/**
 * Whether the streams of pipelines exist. Running pods report a missing stream; a pipeline without pods needs this
 * look.
 *
 * S1  One list of names per sweep, however many pipelines there are. A stream that is not in it, or that was missing
 *     before, is looked up by name before it counts as missing; a limited number per sweep.
 * S2  A finding holds only while the status names the same stream: after a decision has recreated the stream, it is
 *     void.
 * S3  An existing stream may be a different one with the same name. Only a lookup of the stream shows that; a limited
 *     number per sweep.
 * S4  A lookup that fails changes nothing, and concerns its pipeline alone: what is known of it stays, and the next one
 *     is looked up. After a few failures in a row, or without a connection, the rest waits for the next sweep. Only
 *     errors of the table count as such failures: any other error is a defect, and is logged as one.
 * S5  Each pipeline has its turn, however many streams are missing: suspects and the others share a sweep by half if
 *     both need it, and on each side those that were looked at longest ago go first. Failures on one side do not cost
 *     the other its turn.
 */
import type { Logger } from 'pino';
import { isDefect } from '../../activities/failures.ts';
import { problemOf, type MillraceError } from '../../model/errors.ts';
import type { StreamStatus } from '../../model/status.ts';
import { findStream } from '../../stream/find-stream.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { firstLost, lostStream, type LostStream } from '../../stream/lost-stream.ts';
import type { PipelineRecord } from './pipeline-record.ts';

/** What is needed of JetStream. */
export interface LookedAt extends Pick<JetStreamPort, 'streamNames'> {
  readonly link: { readonly connected: boolean };
  readonly streamInfo: (stream: string) => Promise<{ readonly created: string }>;
}

export interface StreamLookParts {
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly streams: () => LookedAt | undefined;
  /** The finding about a pipeline's streams has changed. */
  readonly onNews: (record: PipelineRecord) => void;
}

/** Lookups of single streams per sweep. */
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

  /** Returns the lookups that failed (S4). In sequence: nothing waits for the result. */
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
        // A defect of ours must not look like an answer of NATS, nor keep others from their turn.
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

/** S5. The order of one side: never looked at first, then the one looked at longest ago. */
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
