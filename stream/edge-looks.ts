/**
 * What a sink slot reads of its edge to know whether its position is valid, and where it goes on after a decision. All of it is
 * read from the leader, and waits for nats-server.
 */
import { edgeStream } from '../model/names.ts';
import type { Edge } from '../model/plan.ts';
import type { CommitLog } from './commit-log.ts';
import { isOutdated, type TakenDecision } from './decisions.ts';
import type { EdgeView } from './edge-opening.ts';
import { checkOf } from './frame.ts';
import type { Accepted, Heads } from './frame-chain.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { PositionLost } from './position-lost.ts';
import { firstAnew, headsAt, readTails, startOf, tailsUpTo, type Start } from './reader-start.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface EdgeLooksOptions extends Asking {
  readonly streams: JetStreamPort;
  readonly pid: string;
  readonly edge: Edge;
  readonly shard: number;
  readonly log: Pick<CommitLog, 'last' | 'committed'>;
  /** Waits until there is an edge, and the slot is registered. */
  readonly open: () => Promise<EdgeView>;
  readonly signal: AbortSignal;
}

export class EdgeLooks {
  readonly #options: EdgeLooksOptions;
  readonly #stream: string;

  constructor(options: EdgeLooksOptions) {
    this.#options = options;
    this.#stream = edgeStream(options.pid, options.edge.name);
  }

  /** Whether reading may go on after the log's position; what is wrong with frames after it the reader meets. */
  async verdict(view: EdgeView): Promise<Start> {
    const { streams, log } = this.#options;
    const start = await this.#startFrom(() => readTails(streams, this.#options, log.last, view));
    // A1 of `./reader-start.ts`.
    if (start.kind === 'lost' || log.last?.chain !== undefined) return start;
    return { kind: 'ready', chain: { ...start.chain, writers: await this.headsAt(view, log.committed) } };
  }

  /** Throws {@link PositionLost} where the verdict is that. */
  async assertPosition(): Promise<void> {
    assertReady(await this.verdict(await this.#options.open()));
  }

  /** Whether the edge is the one that was read, for who will not meet the frames after the position in their turn. */
  async asTaken(): Promise<Start> {
    const { streams, log, open } = this.#options;
    const view = await open();
    return this.#startFrom(() => tailsUpTo(streams, this.#options, log.last, view, log.committed));
  }

  /**
   * On what a place rests where the reader goes back because of its sink. Throws {@link PositionLost} when the edge is no longer
   * the one that was read.
   */
  async headsBehind(position: number): Promise<Heads> {
    const { log, open } = this.#options;
    // What it had taken others may have swept since: that is not missed.
    const taken = Math.max(log.committed, log.last?.chain?.tookTo ?? 0);
    const heads = await this.headsAt(await open(), position, taken);
    // Heads first: if the edge goes back after this look, the next frames do not follow them.
    assertReady(await this.asTaken());
    return heads;
  }

  headsAt(view: EdgeView, position: number, givenUp?: number): Promise<Heads> {
    const { streams, log } = this.#options;
    return this.#ofFrames(() => headsAt(streams, this.#options, log.last, view, position, givenUp));
  }

  /** {@link firstAnew} */
  firstAnew(view: EdgeView): Promise<number> {
    const { streams, log } = this.#options;
    return this.#ofFrames(() => firstAnew(streams, this.#options, log.last, view));
  }

  /** D6 of `./decisions.ts`. Where the stream is another one, the decision has made it so. */
  async isOutdated({ created, lastSequence }: EdgeView, decision: TakenDecision): Promise<boolean> {
    const { streams, log, pid, edge } = this.#options;
    if (log.last?.chain?.edge !== created) return false;
    return this.#ofFrames(() => isOutdated(streams, { pid, edge: edge.name }, lastSequence, decision));
  }

  /** Whether there is none under its number, or another one. */
  async isGone([seq, check]: Accepted): Promise<boolean> {
    const there = await this.#ofFrames(() => this.#options.streams.getMessage(this.#stream, { seq }));
    return there === null || checkOf(there.data) !== check;
  }

  async #startFrom(read: () => ReturnType<typeof readTails>): Promise<Start> {
    const tails = await this.#ofFrames(read);
    // Opened again: a source's departure is recorded before its frames are removed, so a reader that misses them finds
    // the record.
    return startOf(this.#options.log.last, await this.#options.open(), tails);
  }

  #ofFrames<T>(read: () => Promise<T>): Promise<T> {
    return untilAnswered(this.#stream, read, this.#options, this.#options.signal);
  }
}

function assertReady(start: Start): void {
  if (start.kind === 'lost') throw new PositionLost(start.found, start);
}
