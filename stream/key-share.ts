/**
 * How many keys an edge keeps at a time (E11): one for each KiB that the spec allows it. A key takes about half of that, so
 * keys never take more than half of an edge, and whatever is sent with keys, frames find their room as if there were none.
 *
 * Q1  When there are as many, no other is stored, and none is forgotten for it before its time. Slots count for themselves:
 *     there may be one more for each slot, and one for each that has written nothing yet; and as long as a pod does not
 *     know a source that was added, it takes each slot of that for a key, and leaves room for each slot of one that was
 *     taken off.
 * Q2  What the server said last is used by half, shared between all slots, before it is asked again; so it is asked seldom
 *     while there is much room, and for every key while there is hardly any.
 * Q3  A share that was taken early is worth nothing once others may have used the room: every message that the stream has
 *     taken since may be a key. A slot knows of them with each frame of its own, so it is at most one key late.
 */
import { edgeStream } from '../model/names.ts';
import { ingestorsOf, type Plan } from '../model/plan.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export const bytesPerKey = 1_024;

export type KeyAnswer = { readonly hasRoom: true } | { readonly hasRoom: false; readonly most: number };

export class KeyShare {
  readonly #asking: Asking;
  readonly #stream: string;
  readonly #most: number;
  /** Slots that write to the edge: each has one subject, and so has each key. */
  readonly #writers: number;
  /** Keys that this slot may store before it asks again. */
  #left = 0;
  /** Q3: sequence of the stream from which on its room may be used up. */
  #staleFrom = 0;
  #sequence = 0;

  constructor(asking: Asking, plan: Plan, edge: string) {
    this.#asking = asking;
    this.#stream = edgeStream(plan.pipeline.pid, edge);
    const planned = plan.edges.find(({ name }) => name === edge);
    this.#most = Math.max(1, Math.floor((planned?.maxBytes ?? 0) / bytesPerKey));
    const stages = planned === undefined ? [] : ingestorsOf(plan, planned);
    this.#writers = stages.reduce((sum, { slots }) => sum + slots, 0);
  }

  /** Takes room for one key. Waits for nats-server; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<KeyAnswer> {
    if (this.#left === 0 || this.#sequence >= this.#staleFrom) this.#left = await this.#ask(signal);
    if (this.#left === 0) return { hasRoom: false, most: this.#most };
    this.#left--;
    return { hasRoom: true };
  }

  /** Q3: the stream has come to this sequence. */
  passed(sequence: number): void {
    this.#sequence = sequence;
  }

  async #ask(signal: AbortSignal): Promise<number> {
    const { streams } = this.#asking;
    const look = () => streams.streamInfo(this.#stream);
    const { state } = await untilAnswered(this.#stream, look, this.#asking, signal);
    const free = this.#most - Math.max(0, (state.num_subjects ?? 0) - this.#writers);
    this.#sequence = state.last_seq;
    this.#staleFrom = state.last_seq + free;
    return free <= 0 ? 0 : Math.max(1, Math.floor(free / (2 * this.#writers)));
  }
}
