/**
 * How long the tables that an insert reaches remember it, and whether that is long enough.
 *
 * A1  A table that could store a repeated insert twice is MR_SINK_TABLE_UNFIT when the sink starts, with the statement
 *     that repairs it. Each partition of an insert takes one entry of the window, so the smallest sufficient window is
 *     slots × partitions of an insert × {@link insertsBetween}; replicated tables also forget by time.
 * A2  Before a batch that may be stored is repeated, it is checked that none of the tables can have forgotten it: by
 *     counting what was written since (`./marks.ts`), and by the clock.
 */
import { mr, type MillraceError } from '../../model/errors.ts';
import { durationText } from '../../model/text.ts';
import type { Begun, Mark } from '../../stream/sink-port.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { tablesOf, type Reached } from './reach.ts';

/** Inserts that the other slots may make between one of a slot and its repetition by the next owner. */
const insertsBetween = 5;
/** The minimum, whatever the sum is: other applications may write to the table. */
const smallestWindow = 100;
/** An outage of an hour must not need a person. */
const smallestSeconds = 3_600;
/** The window of a table that is created here, unless more is needed. */
const usualWindow = 10_000;
const madeSeconds = 604_800;
/** The part of a window that is relied on: counts and clocks are not exact. */
const margin = 0.9;
/** Without a count, a repetition is early enough within this time. */
const blindMs = 600_000;

export interface Window {
  /** Quoted, with its database. */
  readonly table: string;
  readonly setting: string;
  readonly places: number;
  /** Undefined: the table does not forget by time. */
  readonly seconds: number | undefined;
}

export interface Writers {
  readonly slots: number;
  /** The most partitions that one insert may reach. */
  readonly partitions: number;
}

export function neededPlaces({ slots, partitions }: Writers, isPartitioned: boolean): number {
  return Math.max(smallestWindow, slots * (isPartitioned ? partitions : 1) * insertsBetween);
}

/** After this many inserts of one pod, a mark is out of date by a small part of the smallest window. */
export function insertsPerMark(windows: readonly Window[], { slots, partitions }: Writers): number {
  const places = Math.min(...windows.map((window) => window.places));
  return Math.max(1, Math.floor((places * 0.1) / (slots * partitions)));
}

/** Settings of a table that is created here. */
export function windowSettings(engine: string, writers: Writers): string {
  const places = Math.max(usualWindow, neededPlaces(writers, true));
  return isReplicated(engine)
    ? `replicated_deduplication_window = ${places}, replicated_deduplication_window_seconds = ${madeSeconds}`
    : `non_replicated_deduplication_window = ${places}`;
}

/** `defaults`: settings of MergeTree tables that do not set their own. Throws A1. */
export function checkedWindows(
  reached: Reached,
  defaults: ReadonlyMap<string, number>,
  writers: Writers,
  where: SinkFailureContext,
): readonly Window[] {
  return tablesOf(reached).flatMap((table) => {
    // It stores nothing, so nothing can be stored twice; its views are checked.
    if (table.engine === 'Null' && table !== reached) return [];
    if (!table.engine.endsWith('MergeTree')) throw unfitEngine(table, reached, where);
    const window = windowOf(table, defaults);
    const isPartitioned = table.partitionKey !== '';
    const needed = neededPlaces(writers, isPartitioned);
    if (window.places < needed) {
      const perInsert = isPartitioned ? ` × ${writers.partitions} partitions of an insert` : '';
      const sum = `${writers.slots} slots${perInsert} × ${insertsBetween} inserts, and at least ${smallestWindow}`;
      throw unfit(
        where,
        `${of(table, reached)}${window.setting} is ${window.places}, so that a repeated insert may be stored twice; ${needed} are needed (${sum})`,
        `Run: ALTER TABLE ${window.table} MODIFY SETTING ${window.setting} = ${Math.max(usualWindow, needed)}`,
      );
    }
    if (window.seconds !== undefined && window.seconds < smallestSeconds) {
      throw unfit(
        where,
        `${of(table, reached)}${window.setting}_seconds is ${window.seconds}, so that an insert that is repeated after a longer failure may be stored twice`,
        `Run: ALTER TABLE ${window.table} MODIFY SETTING ${window.setting}_seconds = ${madeSeconds}`,
      );
    }
    return [window];
  });
}

function windowOf(table: Reached, defaults: ReadonlyMap<string, number>): Window {
  const setting = `${isReplicated(table.engine) ? '' : 'non_'}replicated_deduplication_window`;
  const valueOf = (name: string) => {
    // Without the boundary, the replicated setting would be found inside the other one's name.
    const ownValue = new RegExp(`\\b${name}\\s*=\\s*'?([0-9]+)`).exec(table.engineFull)?.[1];
    return ownValue === undefined ? (defaults.get(name) ?? 0) : Number(ownValue);
  };
  return {
    table: quotedName(table),
    setting,
    places: valueOf(setting),
    seconds: isReplicated(table.engine) ? valueOf(`${setting}_seconds`) : undefined,
  };
}

export function isReplicated(engine: string): boolean {
  return /^(Replicated|Shared)/.test(engine);
}

export function quotedName({ database, name }: Pick<Reached, 'database' | 'name'>): string {
  return `${quoted(database)}.${quoted(name)}`;
}

export function quoted(name: string): string {
  return `\`${name.replaceAll(/[\\`]/g, '\\$&')}\``;
}

/** A2. Undefined: every table still remembers the batch, if it has it. `now`: the most that a mark may be by now. */
export function forgotten(windows: readonly Window[], { mark, ageMs }: Begun, now: Mark | null): string | undefined {
  // v0.1 recorded neither, and relied on the size of the window.
  if (ageMs === null) return undefined;
  for (const { table, seconds } of windows) {
    if (seconds !== undefined && ageMs > seconds * 1_000 * margin) {
      return `it was started ${durationText(ageMs)} ago, and ${table} remembers inserts for ${durationText(seconds * 1_000)}`;
    }
  }
  for (const { table, places } of windows) {
    const [before, after] = [mark?.[table], now?.[table]];
    if (before === undefined || after === undefined) {
      if (ageMs <= blindMs) continue;
      return `it was started ${durationText(ageMs)} ago, and how much was written to ${table} since is not known`;
    }
    // Below the mark: partitions were dropped, so the count is meaningless.
    if (after < before) return `the parts of ${table} that tell how much was written since are gone`;
    if (after - before > places * margin) {
      return `${after - before} parts were written to ${table} since it was started, and it remembers ${places}`;
    }
  }
  return undefined;
}

/** Names a view's table; the sink's own is already named in the sentence. */
function of(table: Reached, reached: Reached): string {
  return table === reached ? '' : `of ${quotedName(table)}, which a view of it writes to, `;
}

function unfitEngine(table: Reached, reached: Reached, where: SinkFailureContext): MillraceError {
  if (table === reached) {
    return unfit(
      where,
      `engine ${table.engine} would store a repeated insert twice`,
      'Write to a table of the MergeTree family; a view can fill others from it.',
    );
  }
  return unfit(
    where,
    `a view of it writes to ${quotedName(table)}, whose engine ${table.engine} would store a repeated insert twice`,
    'Let the view write to a table of the MergeTree family, or drop the view.',
  );
}

function unfit(where: SinkFailureContext, problem: string, hint: string): MillraceError {
  return mr('MR_SINK_TABLE_UNFIT', { table: where.table, sink: where.sink, problem, hint });
}
