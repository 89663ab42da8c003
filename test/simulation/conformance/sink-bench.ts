/** The same questions to a sink's connector with the real table behind it, and to the model of both. */
import { MillraceError } from '../../../model/errors.ts';
import type { BatchRange, RefusedRow, RowBufferPort, SinkSlotPort, WriteEnd } from '../../../stream/sink-port.ts';
import { meta } from '../../connectors/sink-context.ts';
import { Faults, type Phase, type Verdict } from '../kernel/faults.ts';
import { Machine } from '../kernel/machine.ts';
import { Random } from '../kernel/random.ts';
import { World } from '../kernel/world.ts';
import { Remote } from '../outside/remote.ts';
import type { RowKeeper } from '../outside/rows.ts';

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

/** Drops one kind of call at one point, while it is told to. */
class Dropping extends Faults {
  what: readonly [call: string, phase: Phase] | undefined;

  override pass(...[call, phase, place]: Parameters<Faults['pass']>): Verdict {
    const verdict = super.pass(call, phase, place);
    const isDropped = this.what?.[0] === call && this.what[1] === phase;
    return isDropped ? { ...verdict, drop: true } : verdict;
  }
}

/** A part of the simulation that is large enough for one table. */
export class ModelSite {
  readonly world = new World(new Random('conformance'));
  readonly #faults = new Dropping(this.world, [], () => undefined);
  readonly remote = new Remote('table', this.world, this.#faults);
  readonly #rows: { readonly id: string; readonly text: string }[] = [];
  #pods = 0;

  readonly keeper: RowKeeper = {
    row: (_sink, id, text) => void this.#rows.push({ id, text }),
    unrow: (_sink, ids) => {
      for (const id of ids)
        this.#rows.splice(
          this.#rows.findLastIndex((row) => row.id === id),
          1,
        );
    },
    forgo: () => undefined,
    violated: () => undefined,
    laneOf: (id) => laneOf(id),
  };

  get rows(): readonly string[] {
    return this.#rows.map(({ text }) => text).sort();
  }

  pod(): Machine {
    return new Machine(`pod ${++this.#pods}`, this.world);
  }

  async on<T>(way: Way, ask: () => Promise<T>): Promise<T> {
    this.remote.state = way;
    return ask().finally(() => (this.remote.state = 'up'));
  }

  losingAnswerTo<T>(call: string, ask: () => Promise<T>): Promise<T> {
    return this.dropping(call, 'answered', ask);
  }

  dropping<T>(call: string, phase: Phase, ask: () => Promise<T>): Promise<T> {
    this.#faults.what = [call, phase];
    return ask().finally(() => (this.#faults.what = undefined));
  }

  /** Virtual time passes while the question waits. */
  async answer(question: Promise<void>): Promise<void> {
    let ended: { readonly error?: Error } | undefined;
    question.then(
      () => (ended = {}),
      (error: unknown) => (ended = { error: error instanceof Error ? error : new Error(String(error)) }),
    );
    // An empty world stands still, also while the question has yet to ask.
    const beat = () => void this.world.after(100, beat);
    beat();
    await this.world.run(() => ended !== undefined, this.world.now + 3_600_000);
    if (ended === undefined) throw new Error('the question was not answered within an hour of model time');
    if (ended.error !== undefined) throw ended.error;
  }
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

export const noSignal = new AbortController().signal;

/** What an attempt ends in, in words that do not depend on who answered. */
export type End =
  | { readonly stored: readonly Answer[] }
  | { readonly examined: readonly Answer[]; readonly mayBeStored: boolean }
  | { readonly nothing: string }
  | { readonly unknown: string }
  | { readonly thrown: string };
type Answer = readonly [row: number, code: string];

/** One attempt, as the loop makes it. */
export async function attempt(
  slot: SinkSlotPort,
  records: readonly SimRecord[],
  id: BatchRange,
  refused?: readonly RefusedRow[],
): Promise<End> {
  try {
    return endOf(await slot.write(rowsFor(slot, records), id, refused, noSignal));
  } catch (error) {
    if (error instanceof MillraceError) return { thrown: error.code };
    throw error;
  }
}

/** Attempts until the batch is stored, as the loop makes them: which rows were refused. */
export async function store(
  slot: SinkSlotPort,
  records: readonly SimRecord[],
  id: BatchRange,
): Promise<readonly number[]> {
  let refused: readonly RefusedRow[] | undefined;
  for (;;) {
    const end = await slot.write(rowsFor(slot, records), id, refused, noSignal);
    if (end.kind === 'nothing' || end.kind === 'unknown') throw end.error;
    if (end.kind === 'stored') return [...(refused ?? []), ...end.refused].map(({ row }) => row);
    refused = [...(refused ?? []), ...end.refused];
  }
}

function rowsFor(slot: SinkSlotPort, records: readonly SimRecord[]): RowBufferPort {
  const rows = slot.newRows();
  for (const one of records) rows.add({ ...one }, meta);
  return rows;
}

function endOf(end: WriteEnd): End {
  switch (end.kind) {
    case 'stored':
      return { stored: answersOf(end.refused) };
    case 'examined':
      return { examined: answersOf(end.refused), mayBeStored: end.mayBeStored };
    case 'nothing':
      return { nothing: end.error.code };
    case 'unknown':
      return { unknown: end.error.code };
  }
}

function answersOf(refused: readonly RefusedRow[]): readonly Answer[] {
  return refused.map(({ row, error }) => [row, error.code]);
}
