/**
 * Whether a writer's last frame is still there, asked each time that nats-server is back.
 *
 * A server that lost power may have lost frames that it had acknowledged, and no reader had taken. Who writes finds that
 * out (E4); who has nothing new to write would never, and what the lost frames held would be read again only then (I8).
 * So the slot ends as if another owner had come, and begins again from the frame that is there now.
 */
import { mr, type MillraceError } from '../model/errors.ts';
import type { EdgeWriter } from './edge-writer.ts';
import { checkOf } from './frame.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

type Watched = Pick<EdgeWriter, 'stream' | 'subject' | 'sequence' | 'check'>;

export class TailWatch {
  readonly #asking: Asking;
  readonly #writer: Watched;
  readonly #stop: AbortSignal;
  readonly #end: () => void;
  #gone: MillraceError | undefined;
  #onGone: ((error: MillraceError) => void) | undefined;

  constructor(asking: Omit<Asking, 'onWaiting'>, writer: Watched, stop: AbortSignal) {
    // It is not what the slot waits for.
    this.#asking = { ...asking, onWaiting: () => undefined };
    this.#writer = writer;
    this.#stop = stop;
    // Whoever stops has no more to look for, and what else keeps the look from its end keeps the next frame, too, which says so.
    this.#end = asking.streams.link.onReconnect(() => void this.#look().catch(() => undefined));
  }

  /** Called with MR_OWNERSHIP_LOST, also when it was found before. */
  set onGone(told: (error: MillraceError) => void) {
    this.#onGone = told;
    if (this.#gone !== undefined) told(this.#gone);
  }

  close(): void {
    this.#end();
    this.#onGone = undefined;
  }

  async #look(): Promise<void> {
    const { stream, subject, sequence, check } = this.#writer;
    const ask = () => this.#asking.streams.getMessage(stream, { last_by_subj: subject });
    const last = await untilAnswered(stream, ask, this.#asking, this.#stop);
    // A later one is its own, on its way before it was asked for, or another owner's: the next frame tells.
    if (sequence === 0 || (last !== null && last.seq > sequence)) return;
    if (last?.seq === sequence && checkOf(last.data) === check) return;
    this.#gone = mr('MR_OWNERSHIP_LOST', { writer: subject, expected: sequence });
    this.#onGone?.(this.#gone);
  }
}
