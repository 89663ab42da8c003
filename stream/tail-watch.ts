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
  readonly #end: () => void;
  readonly #closed = new AbortController();
  readonly #stop: AbortSignal;
  #isLooking = false;
  #isAsked = false;
  #gone: MillraceError | undefined;
  #onGone: ((error: MillraceError) => void) | undefined;

  constructor(asking: Omit<Asking, 'onWaiting'>, writer: Watched, stop: AbortSignal) {
    // It is not what the slot waits for.
    this.#asking = { ...asking, onWaiting: () => undefined };
    this.#writer = writer;
    this.#stop = AbortSignal.any([stop, this.#closed.signal]);
    this.#end = asking.streams.link.onReconnect(() => void this.#lookInTurn());
  }

  /** Called with MR_OWNERSHIP_LOST, also when it was found before. */
  set onGone(told: (error: MillraceError) => void) {
    this.#onGone = told;
    if (this.#gone !== undefined) told(this.#gone);
  }

  close(): void {
    this.#end();
    this.#closed.abort();
    this.#onGone = undefined;
  }

  /** One look at a time, each until it is answered; one more when nats-server came back meanwhile. */
  async #lookInTurn(): Promise<void> {
    this.#isAsked = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      // A look that fails is dropped: either the slot stops, or the same fault meets the next frame, and is reported there.
      await this.#look().catch(() => undefined);
    }
    this.#isLooking = false;
  }

  async #look(): Promise<void> {
    const { stream, subject, sequence, check } = this.#writer;
    if (sequence === 0) return;
    const ask = () => this.#asking.streams.getMessage(stream, { last_by_subj: subject });
    const last = await untilAnswered(stream, ask, this.#asking, this.#stop);
    // A later one is its own, on its way before it was asked for, or another owner's: the next frame tells.
    if (last !== null && last.seq > sequence) return;
    if (last?.seq === sequence && checkOf(last.data) === check) return;
    this.#gone = mr('MR_OWNERSHIP_LOST', { writer: subject, expected: sequence });
    this.#onGone?.(this.#gone);
  }
}
