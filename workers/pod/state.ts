/**
 * The state of this pod, derived from its slots: the content of reports, /positions and metrics.
 *
 * I14  One slot that is disconnected, waiting or failed makes the pod so: a pod never claims what not all of its slots
 *      can. Of the waits of all slots the one with the highest rank is reported, so that none hides a wait for a
 *      person. `lag` is present only when every slot knows its backlog; without `lag`, idle means nothing.
 * R1   A slot's observer counts only while its run is the present one (`./slot-state.ts`).
 */
import { asksPerson, type MillraceError } from '../../model/errors.ts';
import { rankOfWait, type PodReport, type WaitsFor } from '../../stream/pod-report.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { SlotObserver, Waiter } from '../../stream/slot-observer.ts';
import type { PodMetrics } from './metrics.ts';
import { SlotState, type Connection, type Run } from './slot-state.ts';

export interface PodIdentity {
  readonly pid: string;
  readonly stage: string;
  readonly kind: 'ingestor' | 'sink';
  readonly pod: string;
  readonly generation: number;
  /** Name of the source or sink in the spec. */
  readonly name: string;
  /** The edge that the stage writes or reads. */
  readonly edge: string;
  /** Slots of the whole stage. */
  readonly slots: number;
  /** How long records may be held back on purpose, to fill a batch. */
  readonly patienceMs: number;
}

/** Through this, a run of a slot reports. */
export interface SlotRun {
  readonly observer: SlotObserver;
  /** Sets the function that gives the backlog of the slot. */
  lagIs(lag: () => number | undefined): void;
  /** True: a request to the outside system was sent; false: it was answered or has failed. */
  asking(isAsking: boolean): void;
}

/** Applies a change that a run reports, if it is the present run. */
type Heard = (change: (state: SlotState, run: Run) => void) => void;

/** A pod that passed records on within this time is flowing: one record every few seconds counts. */
const flowingMs = 30_000;

export class PodState {
  readonly #identity: PodIdentity;
  readonly #metrics: PodMetrics;
  readonly #now: () => number;
  readonly #onChange: () => void;
  readonly #slots = new Map<number, SlotState>();
  #own: Connection = 'Connecting';
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

  /** nats-server is connected and the stage has started. */
  started(): void {
    this.#started = true;
    this.#onChange();
  }

  /** Sets the state of the connection that all slots share. */
  connection(error: MillraceError | undefined): void {
    this.#own = error ?? 'Connected';
    this.#changed();
  }

  own(slot: number): void {
    this.#slots.set(slot, new SlotState(this.#own === 'Connected' ? 'Connected' : 'Connecting', this.#now()));
    this.#metrics.slotOwned.set({ slot }, 1);
    this.#changed();
  }

  disown(slot: number): void {
    this.#slots.delete(slot);
    this.#metrics.slotOwned.set({ slot }, 0);
    this.#changed();
  }

  /** R1: starts a run of the slot, whose reports count from now on. `gotOn`: called when records were taken. */
  begin(slot: number, gotOn: () => void = () => undefined): SlotRun {
    const state = this.#slots.get(slot);
    const run = state?.begin();
    const quietly: Heard = (change) => {
      if (state === undefined || run === undefined || this.#slots.get(slot) !== state || state.run !== run) return;
      change(state, run);
    };
    const heard: Heard = (change) => {
      quietly(change);
      this.#changed();
    };
    return {
      observer: this.#observer(heard, quietly, gotOn),
      lagIs: (lag) => quietly((_, current) => (current.lag = lag)),
      asking: (isAsking) => quietly((_, current) => (current.askedAt = isAsking ? this.#now() : undefined)),
    };
  }

  /** The run of a slot ended with an error; the slot is started again later. */
  failed(slot: number, error: MillraceError): void {
    this.#slots.get(slot)?.failed(error);
    this.#changed();
  }

  /** Why a slot takes nothing in, however short; a wait for a person comes first. Undefined: no slot waits. */
  waitsFor(): MillraceError | undefined {
    const reasons = [...this.#slots.values()].flatMap(({ run, failure }) => [
      ...[...run.waits.values()].map(({ reason }) => reason),
      ...(failure === undefined ? [] : [failure]),
    ]);
    return reasons.find(({ code }) => asksPerson(code)) ?? reasons[0];
  }

  positions(): PodReport['slots'] {
    const now = this.#now();
    return [...this.#slots].map(([slot, state]) => {
      const lag = state.lagAt(now);
      return { slot, position: plainJson(state.position), ...(lag === undefined ? {} : { lag }) };
    });
  }

  report(): PodReport {
    const { pid, stage, kind, pod, generation, slots: stageSlots, patienceMs } = this.#identity;
    const now = this.#now();
    const slots = this.positions();
    const lags = slots.map((slot) => slot.lag);
    const lag = lags.every((one) => one !== undefined) ? lags.reduce((sum, one) => sum + one, 0) : undefined;
    if (lag !== undefined) this.#metrics.lag.set(lag);
    const still = [...this.#slots.values()].flatMap((state) => state.stillSince(now, patienceMs) ?? []);
    return {
      pid,
      stage,
      kind,
      pod,
      generation,
      stageSlots,
      connection: this.#connection(now),
      flow: this.#flow(now),
      recordsIn: this.#recordsIn,
      recordsOut: this.#recordsOut,
      deadLetters: this.#deadLetters,
      ...(lag === undefined ? {} : { lag }),
      ...(still.length === 0 ? {} : { stillSince: Math.min(...still) }),
      slots,
      // Last, so that all bytes before it stay equal while nothing changes, and the controller need not parse them
      // again.
      at: now,
    };
  }

  #observer(heard: Heard, quietly: Heard, gotOn: () => void): SlotObserver {
    const metrics = this.#metrics;
    return {
      connection: (error) => heard((_, run) => (run.connection = error ?? 'Connected')),
      waiting: (waiter, reason) => heard((state) => state.waiting(waiter, reason, this.#now())),
      // Counters count the work of all runs.
      took: (records, bytes) => {
        this.#recordsIn += records;
        metrics.recordsIn.inc(records);
        metrics.bytesIn.inc(bytes);
        if (records > 0) gotOn();
      },
      handedOn: (records) => {
        if (records > 0) this.#lastRecordAt = this.#now();
        this.#recordsOut += records;
        metrics.recordsOut.inc(records);
      },
      keyRefused: () => metrics.keysRefused.inc(),
      dropped: (records) => metrics.recordsDropped.inc(records),
      lettersDropped: (records) => metrics.lettersDropped.inc(records),
      deadLettered: (letters) => {
        this.#deadLetters += letters.length;
        for (const { code } of letters) metrics.deadLetters.inc({ code });
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
      // Once per frame or batch: too often to compare the pod's state; the reporter's own check finds the change.
      position: (position) => quietly((state) => state.moved(position, this.#now())),
    };
  }

  #connection(now: number): PodReport['connection'] {
    const { name } = this.#identity;
    const connections = [this.#own, ...[...this.#slots.values()].map((slot) => slot.connectionAt(now, name))];
    const errors = connections.filter((one) => typeof one !== 'string');
    const error = errors.find(({ code }) => asksPerson(code)) ?? errors[0];
    if (error !== undefined)
      return { state: 'Disconnected', code: error.code, message: error.sentence, since: this.#since.at };
    return {
      state: connections.every((one) => one === 'Connected') ? 'Connected' : 'Connecting',
      since: this.#since.at,
    };
  }

  #flow(now: number): PodReport['flow'] {
    if (!this.#started) return { state: 'Starting' };
    const slots = [...this.#slots.values()];
    const waits = slots.flatMap((slot) => this.#waitsOf(slot, now));
    if (typeof this.#own !== 'string') waits.push(this.#waiting('outside', this.#own));
    // Sorting is stable: among equals the first slot comes first.
    const [first] = waits.sort((a, b) => rankOfWait(a) - rankOfWait(b));
    if (first !== undefined) return first;
    if (now - this.#lastRecordAt < flowingMs) return { state: 'Flowing' };
    return { state: 'Idle' };
  }

  /** What keeps the slot from making progress. A failure counts only if the connection is not the problem. */
  #waitsOf(slot: SlotState, now: number): PodReport['flow'][] {
    const waits = slot.waitsAt(now).map(({ waiter, reason }) => this.#waiting(subjectOf(waiter, reason), reason));
    const connection = slot.connectionAt(now, this.#identity.name);
    const { failure } = slot;
    if (typeof connection !== 'string') waits.push(this.#waiting('outside', connection));
    if (failure !== undefined && (typeof connection === 'string' || asksPerson(failure.code)))
      waits.push(this.#waiting('attempt', failure));
    return waits;
  }

  #waiting(waits: WaitsFor, error: MillraceError): PodReport['flow'] {
    const on = asksPerson(error.code) ? 'decision' : waits;
    const { kind, name, edge } = this.#identity;
    const waitingOn = {
      nats: 'nats',
      deadLetters: 'dead letters',
      edge: `edge ${edge}`,
      decision: 'a decision',
      lifecycle: 'the lifecycle',
      attempt: 'its next attempt',
      outside: `${kind === 'ingestor' ? 'source' : 'sink'} ${name}`,
    }[on];
    return { state: 'Waiting', waitsFor: on, waitingOn, code: error.code, message: error.sentence };
  }

  #changed(): void {
    const { state } = this.#connection(this.#now());
    if (state !== this.#since.state) this.#since = { state, at: this.#now() };
    this.#metrics.connected.set(state === 'Connected' ? 1 : 0);
    this.#metrics.waiting.reset();
    for (const slot of this.#slots.values()) {
      for (const [waiter, { reason }] of slot.run.waits)
        this.#metrics.waiting.set({ on: waitLabel(waiter, reason) }, 1);
    }
    this.#onChange();
  }
}

/** Label of the metric: which part waits for room, else what it waits for. */
function waitLabel(waiter: Waiter, reason: MillraceError): string {
  if (isFull(reason)) return waiter;
  if (asksPerson(reason.code)) return 'decision';
  return subjectOf(waiter, reason) === 'lifecycle' ? 'lifecycle' : 'stream';
}

/** What a part of a slot waits for: room where it writes, the lifecycle, else NATS. */
function subjectOf(waiter: Waiter, { code }: MillraceError): WaitsFor {
  if (code === 'MR_NOT_REGISTERED' || code === 'MR_FRAME_PLAN_MISSING') return 'lifecycle';
  if (!isFull({ code })) return 'nats';
  return waiter === 'deadLetters' ? 'deadLetters' : 'edge';
}

/** The schema's JSON is not readonly; positions are. */
function plainJson(position: Position): PodReport['slots'][number]['position'] {
  return structuredClone(position) as PodReport['slots'][number]['position'];
}

function isFull({ code }: Pick<MillraceError, 'code'>): boolean {
  return code === 'MR_EDGE_FULL' || code === 'MR_DEAD_LETTERS_FULL';
}
