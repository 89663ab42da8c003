/** The same questions to a sink's connector with the real table behind it, and to the model of both. */
import type { BatchRange, SinkSlotPort } from '../../../stream/sink-port.ts';

/** What the way to the table is like. */
export type Way =
  /** Nobody listens. */
  | 'refusing'
  /** Requests are lost. */
  | 'silent'
  /** Answers are lost. */
  | 'mute';

export interface SinkBench<Slot extends SinkSlotPort> {
  /** Name of the table. A record that says `refusedBy` it is refused. */
  readonly table: string;
  /** A slot as a new pod opens it. `stage`: of another sink, when it is not the usual one. */
  open(slot?: number, stage?: string): Promise<Slot>;
  /** Texts of the rows that are there, sorted. */
  rows(): Promise<readonly string[]>;
  /** What becomes of `ask` when the way is like this, until it gives up. */
  on<T>(way: Way, ask: () => Promise<T>): Promise<T>;
}

export interface SinkRig<Bench, Options> {
  readonly name: string;
  open(): Promise<void>;
  run(options: Options, question: (bench: Bench) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** `s0/1/17 refused by orders` → a record of the simulation. */
export interface SimRecord {
  readonly id: string;
  readonly kind: string;
  readonly plan: string;
  readonly refusedBy: string;
}

export function record(id: string, refusedBy = ''): SimRecord {
  return { id, kind: 'a', plan: 'g1', refusedBy };
}

/** `s0/1` of `s0/1/17`. */
export function laneOf(id: string): string {
  return id.slice(0, id.lastIndexOf('/'));
}

/** As `rows()` shows it. */
export function rowOf(id: string): string {
  return `${id} a g1`;
}

/** The frames after `after` up to `to`, of one sink unless `of` names another. */
export function batch(after: number, to: number, of = 'one'): BatchRange {
  return { from: after + 1, to, after, token: `uid:${of}:${after + 1}-${to}` };
}
