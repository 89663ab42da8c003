/**
 * One writer's side of an edge shard: frames, one after the other, on one subject.
 *
 * E1–E4, E7, E11 are those of `./fenced-subject.ts`. Here:
 * E2  Every frame carries the input position that it covers.
 * E3  Opening reads the last frame: the writer continues from its position.
 * E9  The plan that a writer names never decreases: {@link EdgeWriter.link} returns at least that of the last frame.
 * E11 A batch that is stored once needs room for its key (`./key-share.ts`). A known key is answered without it.
 * I6  Every frame names its predecessor.
 *
 * The writer never decides when a frame closes: the loop does (`./ingest-loop.ts`).
 */
import { edgeStream, frameSubject, onceSubject } from '../model/names.ts';
import { FencedSubject, type AppendOptions, type Appended, type FencedOptions } from './fenced-subject.ts';
import { emptyFrame } from './frame-builder.ts';
import { decodeFrame, type Frame } from './frame-reader.ts';
import { checkOf, planOf, unlinked, type FrameLink } from './frame.ts';
import type { KeyShare } from './key-share.ts';
import type { Alongside } from './jetstream-port.ts';
import type { Once, Position } from './record-batch.ts';

export interface EdgeWriterOptions extends Omit<FencedOptions, 'stream' | 'subject'> {
  readonly pid: string;
  readonly edge: string;
  readonly shard: number;
  readonly writer: string;
  /** Room for keys of batches that are stored once. Absent: there is no limit. */
  readonly keys?: KeyShare;
}

export type EdgeAppended =
  | Appended
  /** The edge keeps as many keys as it may; nothing was stored, and the tail is unchanged. */
  | { readonly outcome: 'keysFull'; readonly most: number };

export interface EdgeAppendOptions extends Omit<AppendOptions, 'once'> {
  readonly once?: Once | undefined;
}

export class EdgeWriter {
  readonly stream: string;
  readonly subject: string;
  readonly writer: string;
  /** Of the last frame when the writer was opened; undefined when nothing was read yet. */
  readonly openedAt: Position | undefined;
  readonly #options: EdgeWriterOptions;
  readonly #fenced: FencedSubject;
  #link: FrameLink;
  #check: number;

  private constructor(options: EdgeWriterOptions, fenced: FencedSubject, tail: Frame | undefined) {
    this.stream = edgeStream(options.pid, options.edge);
    this.subject = frameSubject(options.pid, options.edge, options.shard, options.writer);
    this.writer = options.writer;
    this.#options = options;
    this.#fenced = fenced;
    this.openedAt = tail?.position;
    this.#link = linkTo(fenced.sequence, tail);
    this.#check = tail?.check ?? 0;
  }

  static async open(options: EdgeWriterOptions, signal: AbortSignal): Promise<EdgeWriter> {
    const stream = edgeStream(options.pid, options.edge);
    const subject = frameSubject(options.pid, options.edge, options.shard, options.writer);
    const { subject: fenced, tail } = await FencedSubject.open({ ...options, stream, subject }, signal);
    const frame = tail.data === undefined ? undefined : decodeFrame(tail.data, { stream, sequence: tail.sequence });
    return new EdgeWriter(options, fenced, frame);
  }

  /** Sequence of the last frame; 0: there is none. */
  get sequence(): number {
    return this.#fenced.sequence;
  }

  /** Checksum of the last frame. */
  get check(): number {
    return this.#check;
  }

  /** Plan that the last frame names; 0: none. */
  get plan(): number {
    return this.#link.plan;
  }

  /** The plan and the predecessor that the next frame names. */
  link(plan: number): FrameLink {
    return { ...this.#link, plan: Math.max(plan, this.#link.plan) };
  }

  async append(frame: Uint8Array, signal: AbortSignal, options: EdgeAppendOptions = {}): Promise<EdgeAppended> {
    const { once, ...rest } = options;
    if (once === undefined) return await this.#append(frame, signal, rest);
    const note = this.#noteOf(once);
    const key = await this.#options.keys?.take(signal);
    if (key?.hasRoom === false)
      return (await this.#fenced.storedBefore(note, signal)) ?? { outcome: 'keysFull', most: key.most };
    return await this.#append(frame, signal, { ...rest, once: note });
  }

  async #append(frame: Uint8Array, signal: AbortSignal, options: AppendOptions): Promise<Appended> {
    const appended = await this.#fenced.append(frame, signal, options);
    if (appended.outcome === 'stored') {
      this.#options.keys?.passed(appended.sequence);
      this.#check = checkOf(frame);
      this.#link = { plan: planOf(frame), predecessor: appended.sequence, predecessorCheck: this.#check };
    }
    return appended;
  }

  #noteOf({ key, note, forSeconds }: Once): Alongside {
    return { subject: onceSubject(this.#options.pid, this.#options.edge, key), data: note, ttlSeconds: forSeconds };
  }

  /** Appends a frame without records, which changes nothing but the plan. */
  async name(plan: number, position: Position | undefined, nowMs: number, signal: AbortSignal): Promise<void> {
    await this.append(emptyFrame(position, nowMs, this.link(plan)), signal);
  }
}

/** After a frame of version 1, which current readers may have missed, a new chain starts. */
export function linkTo(sequence: number, tail: Frame | undefined): FrameLink {
  if (tail?.link === undefined) return unlinked;
  return { plan: tail.link.plan, predecessor: sequence, predecessorCheck: tail.check };
}
