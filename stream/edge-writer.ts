/**
 * One writer's side of an edge shard: frames, one after the other, on one subject.
 *
 * E1–E4, E7 are those of `./fenced-subject.ts`. Here:
 * E2  Every frame carries the input position that it covers.
 * E3  Opening reads the last frame: its position is where the writer goes on.
 *
 * The writer never decides when a frame closes: that is the loop's business (`./ingest-loop.ts`).
 */
import { edgeStream, frameSubject } from '../model/names.ts';
import { FencedSubject, type AppendOptions, type Appended, type FencedOptions } from './fenced-subject.ts';
import { decodeFrame } from './frame-reader.ts';
import type { Position } from './record-batch.ts';

export interface EdgeWriterOptions extends Omit<FencedOptions, 'stream' | 'subject'> {
  readonly pid: string;
  readonly edge: string;
  readonly shard: number;
  readonly writer: string;
}

export class EdgeWriter {
  readonly stream: string;
  readonly subject: string;
  /** Of the last frame when the writer was opened; undefined when there was none. */
  readonly openedAt: Position | undefined;
  readonly #fenced: FencedSubject;

  private constructor(stream: string, subject: string, fenced: FencedSubject, openedAt: Position | undefined) {
    this.stream = stream;
    this.subject = subject;
    this.#fenced = fenced;
    this.openedAt = openedAt;
  }

  static async open(options: EdgeWriterOptions, signal: AbortSignal): Promise<EdgeWriter> {
    const stream = edgeStream(options.pid, options.edge);
    const subject = frameSubject(options.pid, options.edge, options.shard, options.writer);
    const { subject: fenced, tail } = await FencedSubject.open({ ...options, stream, subject }, signal);
    const openedAt =
      tail.data === undefined ? undefined : decodeFrame(tail.data, { stream, sequence: tail.sequence }).position;
    return new EdgeWriter(stream, subject, fenced, openedAt);
  }

  get sequence(): number {
    return this.#fenced.sequence;
  }

  append(frame: Uint8Array, signal: AbortSignal, options?: AppendOptions): Promise<Appended> {
    return this.#fenced.append(frame, signal, options);
  }
}
