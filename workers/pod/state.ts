/**
 * What this pod knows about itself, folded from what its slots say: the content of reports, /positions and metrics.
 *
 * I14  One slot that is disconnected or waits makes the pod disconnected or waiting: it never says more than all of its
 *      slots can say.
 */
import type { MillraceError } from '../../model/errors.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import type { SlotObserver, WaitsFor } from '../../stream/slot-observer.ts';
import type { PodMetrics } from './metrics.ts';

export interface PodIdentity {
  readonly pid: string;
  readonly stage: string;
  readonly kind: 'ingestor' | 'sink';
  readonly pod: string;
  readonly generation: number;
  /** `source orders`, `sink warehouse`: what the pod connects to. */
  readonly outside: string;
  /** `orders-edge`: the edge that it writes or reads. */
  readonly edge: string;
}

interface SlotState {
  position: Position;
  connection: 'Connecting' | 'Connected' | MillraceError;
  readonly waits: Map<WaitsFor, MillraceError>;
  failure: MillraceError | undefined;
  lag: () => number | undefined;
}

/** A pod that handed records on within this time is flowing. */
const flowingMs = 5_000;

export class PodState {
  readonly #identity: PodIdentity;
  readonly #metrics: PodMetrics;
  readonly #now: () => number;
  readonly #onChange: () => void;
  readonly #slots = new Map<number, SlotState>();
  #own: 'Connecting' | 'Connected' | MillraceError = 'Connecting';
  #started = false;
  #since: { readonly state: string; readonly at: number };
  #lastRecordAt = -Infinity;
  #recordsIn = 0;
  #recordsOut = 0;
  #deadLetters = 0;

  constructor(identity: PodIdentity, metrics: PodMetrics, now: () => number, onChange: () => void) {
    this.#identity = identity;
    this.#metrics = metrics;
    this.#now = now;
    this.#onChange = onChange;
    this.#since = { state: 'Connecting', at: now() };
  }

  /** nats-server is reached and the stage is at work. */
  started(): void {
    this.#started = true;
    this.#onChange();
  }

  /** The pod's own connection, which its slots share. */
  connection(error: MillraceError | undefined): void {
    this.#own = error ?? 'Connected';
    this.#changed();
  }

  own(slot: number): void {
    this.#slots.set(slot, {
      position: null,
      connection: this.#own === 'Connected' ? 'Connected' : 'Connecting',
      waits: new Map(),
      failure: undefined,
      lag: () => undefined,
    });
    this.#metrics.slotOwned.set({ slot }, 1);
    this.#changed();
  }

  disown(slot: number): void {
    this.#slots.delete(slot);
    this.#metrics.slotOwned.set({ slot }, 0);
    this.#changed();
  }

  /** The slot's loop ended with an error; undefined when it begins again. */
  failed(slot: number, error: MillraceError | undefined): void {
    this.#with(slot, (state) => (state.failure = error));
  }

  lagOf(slot: number, lag: () => number | undefined): void {
    const state = this.#slots.get(slot);
    if (state !== undefined) state.lag = lag;
  }

  observer(slot: number): SlotObserver {
    const metrics = this.#metrics;
    return {
      connection: (error) => this.#with(slot, (state) => (state.connection = error ?? 'Connected')),
      waiting: (on, reason) =>
        this.#with(slot, (state) => (reason === undefined ? state.waits.delete(on) : state.waits.set(on, reason))),
      took: (records, bytes) => {
        this.#recordsIn += records;
        metrics.recordsIn.inc(records);
        metrics.bytesIn.inc(bytes);
      },
      handedOn: (records) => {
        if (records > 0) this.#lastRecordAt = this.#now();
        this.#recordsOut += records;
        metrics.recordsOut.inc(records);
      },
      dropped: (records) => metrics.recordsDropped.inc(records),
      deadLettered: (records) => {
        this.#deadLetters += records;
        metrics.deadLetters.inc(records);
        this.#onChange();
      },
      frame: (bytes) => {
        metrics.frames.inc();
        metrics.frameBytes.inc(bytes);
      },
      batch: (rows, ms) => {
        metrics.batchRows.inc(rows);
        metrics.batchSeconds.observe(ms / 1_000);
      },
      position: (position) => {
        const state = this.#slots.get(slot);
        if (state !== undefined) state.position = position;
      },
    };
  }

  positions(): PodReport['slots'] {
    return [...this.#slots].map(([slot, state]) => {
      const lag = state.lag();
      return { slot, position: plainJson(state.position), ...(lag === undefined ? {} : { lag }) };
    });
  }

  report(): PodReport {
    const { pid, stage, kind, pod, generation } = this.#identity;
    const slots = this.positions();
    const lags = slots.map((slot) => slot.lag);
    const lag = lags.every((one) => one !== undefined) ? lags.reduce((sum, one) => sum + one, 0) : undefined;
    if (lag !== undefined) this.#metrics.lag.set(lag);
    return {
      pid,
      stage,
      kind,
      pod,
      generation,
      at: this.#now(),
      connection: this.#connection(),
      flow: this.#flow(),
      recordsIn: this.#recordsIn,
      recordsOut: this.#recordsOut,
      deadLetters: this.#deadLetters,
      ...(lag === undefined ? {} : { lag }),
      slots,
    };
  }

  #connection(): PodReport['connection'] {
    const connections = [this.#own, ...[...this.#slots.values()].map((slot) => slot.connection)];
    const error = connections.find((one) => typeof one !== 'string');
    if (error !== undefined)
      return { state: 'Disconnected', code: error.code, message: error.sentence, since: this.#since.at };
    return {
      state: connections.every((one) => one === 'Connected') ? 'Connected' : 'Connecting',
      since: this.#since.at,
    };
  }

  #flow(): PodReport['flow'] {
    if (!this.#started) return { state: 'Starting' };
    const { outside } = this.#identity;
    for (const slot of this.#slots.values()) {
      const wait = [...slot.waits][0];
      if (wait !== undefined) return waiting(this.#nameOf(wait[0]), wait[1]);
      if (typeof slot.connection !== 'string') return waiting(outside, slot.connection);
      if (slot.failure !== undefined) return waiting('stream', slot.failure);
    }
    if (typeof this.#own !== 'string') return waiting(outside, this.#own);
    return { state: this.#now() - this.#lastRecordAt < flowingMs ? 'Flowing' : 'Idle' };
  }

  #nameOf(on: WaitsFor): string {
    return {
      edge: `edge ${this.#identity.edge}`,
      sink: this.#identity.outside,
      deadLetters: 'dead letters',
      stream: 'nats',
    }[on];
  }

  #with(slot: number, change: (state: SlotState) => void): void {
    const state = this.#slots.get(slot);
    if (state === undefined) return;
    change(state);
    this.#changed();
  }

  #changed(): void {
    const { state } = this.#connection();
    if (state !== this.#since.state) this.#since = { state, at: this.#now() };
    this.#metrics.connected.set(state === 'Connected' ? 1 : 0);
    this.#metrics.waiting.reset();
    for (const slot of this.#slots.values()) for (const on of slot.waits.keys()) this.#metrics.waiting.set({ on }, 1);
    this.#onChange();
  }
}

function waiting(on: string, error: MillraceError): PodReport['flow'] {
  return { state: 'Waiting', waitingOn: on, code: error.code, message: error.sentence };
}

/** The schema's JSON is not readonly; positions are. */
function plainJson(position: Position): PodReport['slots'][number]['position'] {
  return structuredClone(position) as PodReport['slots'][number]['position'];
}
