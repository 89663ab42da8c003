/**
 * What a sink slot checks in the stream while it reads: what it has taken is still there, and so is what it waits for.
 * Those without an answer throw {@link PositionLost}.
 */
import { shardSubjects } from '../model/names.ts';
import { checkWith, type NamedRange } from './batch-token.ts';
import type { CommitLog } from './commit-log.ts';
import { checkOf } from './frame.ts';
import type { FrameChain } from './frame-chain.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { otherThanTaken, PositionLost } from './position-lost.ts';
import { endsBefore } from './reader-start.ts';

export interface ShardChecksOptions {
  readonly streams: JetStreamPort;
  readonly pid: string;
  readonly edge: string;
  readonly slot: number;
  /** Of the edge. */
  readonly stream: string;
  readonly chain: FrameChain;
  readonly log: CommitLog;
}

export class ShardChecks {
  readonly #options: ShardChecksOptions;

  constructor(options: ShardChecksOptions) {
    this.#options = options;
  }

  /** The stream is the one in which the slot counts, at least as long as the slot has read. */
  async stream(after: number): Promise<void> {
    const { streams, stream, chain } = this.#options;
    const { created, state } = await streams.streamInfo(stream);
    if (created !== chain.committed.edge) throw new PositionLost(`this stream was made at ${created}`);
    if (state.last_seq < after) throw new PositionLost(`the stream ends at ${state.last_seq}`, { loss: endsBefore });
  }

  /**
   * Whether the frame that was taken is there, as it was; if not, it was committed and swept, or lost: the position tells.
   */
  async isTakenThere(sequence: number, check: number): Promise<boolean> {
    const { streams, stream } = this.#options;
    const found = await streams.getMessage(stream, { seq: sequence });
    if (found !== null && checkOf(found.data) !== check) throw otherThanTaken(sequence);
    return found !== null;
  }

  /** Whether the shard has the frames of this range, all of them and no others. */
  async holds({ from, to, check }: NamedRange): Promise<boolean> {
    const { streams, pid, edge, slot, stream } = this.#options;
    const next = (seq: number) => streams.getMessage(stream, { seq, next_by_subj: shardSubjects(pid, edge, slot) });
    let found = 0;
    for (let frame = await next(from); frame !== null && frame.seq <= to; frame = await next(frame.seq + 1))
      found = checkWith(found, checkOf(frame.data));
    return found === check;
  }

  /**
   * Nothing of a batch that was begun is swept (E6). So when its last frame is not there, or its number now belongs to
   * a frame of another shard, it will not come, and nobody may wait for it.
   */
  async begun(to: number): Promise<void> {
    const { streams, pid, edge, slot, stream, log } = this.#options;
    const last = await streams.getMessage(stream, { seq: to });
    if (last?.subject.startsWith(shardSubjects(pid, edge, slot).slice(0, -1)) === true) return;
    const stored = log.last?.kind === 'commit' ? to : undefined;
    throw new PositionLost(`frame ${to}, the last of a batch that was started, is gone`, { until: to, stored });
  }
}
