/**
 * The chain of a reader at work: a {@link FrameChain} that also knows which writers have left on purpose (E10). Their
 * chains start again when they come back.
 */
import { commitsEdge, edgeStream, frameSubject } from '../model/names.ts';
import type { Frame } from './frame-reader.ts';
import type { ChainBreak, FrameChain } from './frame-chain.ts';
import { PositionLost } from './position-lost.ts';
import { readRegistry } from './registry.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface ReaderChainOptions extends Asking {
  readonly pid: string;
  readonly edge: string;
  readonly shard: number;
  readonly chain: FrameChain;
}

export class ReaderChain {
  readonly #options: ReaderChainOptions;

  constructor(options: ReaderChainOptions) {
    this.#options = options;
  }

  /** Takes the frame. Throws {@link PositionLost} when it does not follow (I6). */
  async follow(writer: string, sequence: number, frame: Frame, signal: AbortSignal): Promise<void> {
    const { chain } = this.#options;
    const broken = chain.follow(writer, sequence, frame);
    if (broken === undefined) return;
    // It had left, and all that it had written was read: its frames went, or those that were to go are followed.
    const isNoLoss =
      (await this.hasLeft(writer, Math.max(broken.taken, broken.named), signal)) ||
      (await this.#wasSwept(writer, broken, signal));
    if (isNoLoss) return chain.begin(writer, sequence, frame);
    const named = broken.named === 0 ? 'starts a new chain' : `follows frame ${broken.named}`;
    const taken = broken.taken === 0 ? 'of which none was seen' : `of which frame ${broken.taken} was taken last`;
    throw new PositionLost(`frame ${sequence} of ${writer}, ${taken}, ${named}`, {
      until: sequence,
      frame: [sequence, broken.check],
    });
  }

  /**
   * A reader that was placed back meets the frames that are left: others may have swept what it had taken before. Seed
   * 13018953. In a stream that went back and grew again there are frames of the writer before this one.
   */
  async #wasSwept(writer: string, { sequence, named }: ChainBreak, signal: AbortSignal): Promise<boolean> {
    const { chain, streams, pid, edge, shard } = this.#options;
    // One that names none begins anew, and was not swept up to there.
    if (named === 0 || named > (chain.committed.tookTo ?? 0)) return false;
    const [stream, subject] = [edgeStream(pid, edge), frameSubject(pid, edge, shard, writer)];
    const first = () => streams.getMessage(stream, { seq: 1, next_by_subj: subject });
    return (await untilAnswered(stream, first, this.#options, signal))?.seq === sequence;
  }

  /** Whether the writer's source was taken off after it had written the frame `taken`. */
  async hasLeft(writer: string, taken: number, signal: AbortSignal): Promise<boolean> {
    const { streams, pid, edge } = this.#options;
    const ask = () => readRegistry(streams, pid, edge);
    const registry = await untilAnswered(edgeStream(pid, commitsEdge), ask, this.#options, signal);
    return (registry?.gone[sourceOf(writer)] ?? 0) >= taken;
  }
}

/** `orders-3` is slot 3 of source `orders`. */
export function sourceOf(writer: string): string {
  return writer.slice(0, writer.lastIndexOf('-'));
}
