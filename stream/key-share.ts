/**
 * How many keys an edge keeps at a time (E11): one for each KiB of its `maxBytes`. A key takes about half a KiB, so
 * keys never take more than half of an edge, and frames find room however many requests carry keys.
 *
 * Q1  At the limit no new key is stored, and no old one is dropped before it expires. The stream counts subjects, and a
 *     slot's own subject is one too. So there may be one more key for each slot and one for each slot that has written
 *     nothing yet; and while a pod does not know an added source, it counts each slot of that source as a key, and it
 *     still leaves room for each slot of a removed source.
 * Q2  Half of the room that the server reported last, divided by the slots, is used before asking again. So the
 *     server is asked seldom while there is much room, and for every key while there is hardly any.
 * Q3  A share is no longer valid once others may have used the room: every message that the stream has stored since may
 *     be a key. A slot learns of them with each of its own frames, so it is at most one key late.
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
  /** Slots that write to the edge: each slot, and each key, has one subject. */
  readonly #writers: number;
  /** Keys that this slot may store before it asks the server again. */
  #left = 0;
  /** Q3: from this stream sequence on, the room may be used up. */
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

  /** Q3: the stream has reached this sequence. */
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
