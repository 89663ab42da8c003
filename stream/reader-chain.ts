/**
 * The chain of a reader at work: a {@link FrameChain} that also knows which writers have left on purpose (E10). Their
 * chains start again when they come back.
 */
import { commitsEdge, edgeStream } from '../model/names.ts';
import type { Frame } from './frame-reader.ts';
import type { ChainBreak, FrameChain } from './frame-chain.ts';
import { PositionLost } from './position-lost.ts';
import { readRegistry } from './registry.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface ReaderChainOptions extends Asking {
  readonly pid: string;
  readonly edge: string;
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
    if (await this.hasLeft(writer, Math.max(broken.taken, broken.named), signal))
      return chain.begin(writer, sequence, frame);
    throw new PositionLost(`frame ${sequence} of ${writer}, ${takenText(broken)}, ${namedText(broken)}`, {
      until: sequence,
      frame: [sequence, broken.check, broken.taken],
    });
  }

  /** Whether the writer's source was taken off after it had written the frame `taken`. */
  async hasLeft(writer: string, taken: number, signal: AbortSignal): Promise<boolean> {
    const { streams, pid, edge } = this.#options;
    const ask = () => readRegistry(streams, pid, edge);
    const registry = await untilAnswered(edgeStream(pid, commitsEdge), ask, this.#options, signal);
    return (registry?.gone[sourceOf(writer)] ?? 0) >= taken;
  }
}

function takenText({ taken }: ChainBreak): string {
  return taken === 0 ? 'of which none was seen' : `of which frame ${taken} was taken last`;
}

function namedText({ taken, named }: ChainBreak): string {
  if (named === 0) return 'starts a new chain';
  return named === taken ? `follows another frame ${named} than the one that was taken` : `follows frame ${named}`;
}

/** `orders-3` is slot 3 of source `orders`. */
export function sourceOf(writer: string): string {
  return writer.slice(0, writer.lastIndexOf('-'));
}
