/**
 * The writing half of a source slot: frames to the edge, acknowledgements to the source.
 *
 * E1  One frame is in flight; `ready` waits for it, while the loop fills the next one.
 * G1  The source is acknowledged only when the frame that covers the position is stored (I1).
 * E7  While the edge is full, the source is told to refuse input. A source that can give up what it has handed over
 *     does so instead of waiting; the outlet then probes for room, and notifies the source when there is some.
 */
import { assertNever, type MillraceError } from '../model/errors.ts';
import { backoffMs, fullBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import type { EdgeWriter } from './edge-writer.ts';
import type { Room } from './fenced-subject.ts';
import type { FrameBuilder } from './frame-builder.ts';
import type { Once, Position } from './record-batch.ts';
import type { SlotObserver, SlotSignals } from './slot-observer.ts';
import type { SourceReaderPort } from './source-port.ts';
import type { Sweeper } from './sweep.ts';

export interface OutletOptions {
  readonly writer: EdgeWriter;
  readonly reader: SourceReaderPort;
  readonly sweeper: Sweeper;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
  readonly room: Pick<Room, 'make'>;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface OutgoingFrame {
  readonly frame: Buffer;
  /** Undefined: nothing was read yet. */
  readonly position: Position | undefined;
  readonly records: number;
  readonly once?: Once | undefined;
  /** Receives the frame's memory for reuse. */
  readonly builder: FrameBuilder;
}

export class IngestOutlet {
  readonly #options: OutletOptions;
  readonly #giveUp = new AbortController();
  readonly #signal: AbortSignal;
  #inFlight: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #isFull = false;
  readonly #onStop = () => this.#giveUpIfFull();
  /** Called when {@link ready} would throw: the loop may be waiting for a source that returns nothing more. */
  onFailed: (() => void) | undefined;
  /** Called when the source has given up all that it has handed over: the content of open frames must not be stored. */
  onRefused: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #isClosed = false;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signals.abort, this.#giveUp.signal]);
    // A frame that finds no room was never acknowledged: when the pod stops, its records are left to the next owner.
    options.signals.stop.addEventListener('abort', this.#onStop, { once: true });
  }

  /** Resolves when nothing is in flight. Throws the error of the last frame. */
  async ready(): Promise<void> {
    await this.#inFlight;
    if (this.#failure !== undefined) throw this.#failure;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Sends a frame; the caller has awaited {@link ready}. */
  send(outgoing: OutgoingFrame): void {
    this.#inFlight = this.#store(outgoing).catch((error: unknown) => {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Nothing more is to be sent: {@link ready} throws this from now on. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.onFailed?.();
  }

  /** For the writer's `onWaiting`. */
  waiting(reason: MillraceError | undefined): void {
    const { observer, reader, sweeper } = this.#options;
    const full = reason?.code === 'MR_EDGE_FULL' || reason?.code === 'MR_STORE_FULL';
    observer.waiting('edge', reason);
    if (full !== this.#isFull) reader.setBlocked?.(full);
    this.#isFull = full;
    if (full) sweeper.now();
    this.#giveUpIfFull();
  }

  async #store({ frame, position, records, once, builder }: OutgoingFrame): Promise<void> {
    const { writer, reader, observer, sweeper } = this.#options;
    const appended = await writer.append(frame, this.#signal, {
      once,
      mayGiveUp: () => records > 0 && this.#refuse(),
    });
    switch (appended.outcome) {
      case 'full':
        this.waiting(appended.reason);
        this.#lookForRoom(appended.bytes, 0);
        return;
      case 'duplicate':
        if (position !== undefined) reader.duplicate?.(position, appended.note);
        break;
      case 'keysFull':
        observer.keyRefused();
        if (position !== undefined) reader.keysFull?.(position, appended.most);
        break;
      case 'stored':
        if (appended.clean) builder.recycle(frame);
        observer.frame(frame.length);
        observer.handedOn(records);
        if (position !== undefined) observer.position(position);
        break;
      default:
        assertNever(appended);
    }
    if (position !== undefined) reader.acknowledge(position);
    sweeper.wrote(writer.sequence);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelLook?.();
    // A slot whose loop fails opens another outlet under the same signals.
    this.#options.signals.stop.removeEventListener('abort', this.#onStop);
  }

  #refuse(): boolean {
    if (this.#options.reader.refuse?.() !== true) return false;
    this.onRefused?.();
    return true;
  }

  #lookForRoom(bytes: number, attempt: number): void {
    const { clock, random, room } = this.#options;
    if (this.#isClosed) return;
    this.#cancelLook?.();
    this.#cancelLook = clock.after(backoffMs(fullBackoff, attempt, random), () => {
      void room.make(bytes).then((reason) => {
        // A frame that was sent meanwhile reports by itself what it waits for.
        if (this.#isClosed) return;
        if (this.#isFull && reason !== undefined) this.#lookForRoom(bytes, attempt + 1);
        else this.waiting(undefined);
      });
    });
  }

  #giveUpIfFull(): void {
    if (this.#isFull && this.#options.signals.stop.aborted) this.#giveUp.abort(this.#options.signals.stop.reason);
  }
}
