/**
 * Finds the rows that a table, or a view of it, will never accept, without really inserting any of them.
 *
 * Z1  Rows are tried only against the table's twin (`./twin.ts`), which stores nothing. If the table refuses what the twin
 *     takes, they are tried against a copy, which stores them in the database of the table until it is dropped, right
 *     after that.
 * Z2  No row is refused because of an old twin: when one refuses rows, it is recreated from the tables as they are now,
 *     and only the refusals of the new one count.
 * Z3  A range is split at the same place each time, so that the same rows are found each time.
 * Z4  An error that a row or the table may be at fault for (`doubtful` in `./codes.ts`) is the row's when others are
 *     taken. When none of the batch is, however many there are, a row of defaults tells; and if the table refuses that as
 *     well, which it may for a reason of its own, the newest row that it has, as it is stored. It is the rows if the table
 *     takes either. If it refuses both, or has none that tells, the sink waits and says so: a row that is inserted by hand
 *     tells. The row that it has tells nothing of a DEFAULT that fails with every row, because it has a value there; so
 *     rows that leave such a column to the table become dead letters. Computed again, the DEFAULT could fail for that row
 *     alone, and bad rows would be waited for. What is missing (`isOfNoValue` there) is no row's fault, and needs no trial.
 */
import { z } from 'zod';
import { mr, MillraceError, problemOf } from '../../model/errors.ts';
import type { RefusedRow } from '../../stream/sink-port.ts';
import { bisect, type Refused } from '../bisect.ts';
import type { WallClock } from '../../model/clock.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { inserted } from './answer.ts';
import { rowsOf } from './ask.ts';
import { meaningOf, parseExamination, type RowsAtFault } from './failures.ts';
import { defaultsStatement, insertStatement, send } from './insert.ts';
import type { Reached } from './reach.ts';
import type { ClickHouseRows } from './row-buffer.ts';
import { countOf, partOf, rowAt, type Runs } from './runs.ts';
import type { Table } from './table.ts';
import { cannotTell, Twins, type TwinsOptions } from './twins.ts';

export interface ExaminerOptions extends TwinsOptions {
  readonly table: Table;
  readonly marksDefaults: boolean;
  readonly opening: Buffer;
  readonly clock: WallClock;
}

export type Examination =
  | { readonly kind: 'found'; readonly refused: readonly RefusedRow[] }
  /** It cannot be determined, or it is not the fault of a row. */
  | { readonly kind: 'wait'; readonly error: MillraceError };

type Refusals = readonly Refused<RowsAtFault>[];

/**
 * How many single rows are tried at a time, where many are at fault; fewer than the connections that a client opens.
 */
const triedAtOnce = 4;

const partRow = z.object({ part: z.string() });

/** A missing privilege is checked again after this time, not with every batch. */
const deniedForMs = 60_000;

export class Examiner {
  readonly #options: ExaminerOptions;
  readonly #twins: Twins;
  #deniedAt: number | undefined;

  constructor(options: ExaminerOptions) {
    this.#options = options;
    this.#twins = new Twins(options);
  }

  open(): Promise<void> {
    return this.#twins.open();
  }

  /** Whether rows can be examined in advance. False: the user may not create a twin, which is logged. */
  async isReady(): Promise<boolean> {
    if (this.#twins.current !== undefined) return true;
    const now = this.#options.clock.now();
    if (this.#deniedAt !== undefined && now - this.#deniedAt < deniedForMs) return false;
    const made = await this.#twins.make('twin');
    this.#deniedAt = made.kind === 'denied' ? now : undefined;
    if (made.kind === 'made') return true;
    this.#options.log.warn({ problem: made.error.message }, 'rows are not examined before they are inserted');
    return false;
  }

  /** What the twin was made from; undefined: there is none. */
  get reached(): Reached | undefined {
    return this.#twins.current?.reached;
  }

  /** Which of these rows are refused. `isRefused`: the table itself has refused some, whatever an old twin reports. */
  async find(rows: ClickHouseRows, kept: Runs, isRefused: boolean, signal: AbortSignal): Promise<Examination> {
    const attempt = (from: number, to: number) => this.#try(rows, partOf(kept, from, to), signal);
    const count = countOf(kept);
    if (!isRefused && this.#twins.current !== undefined && (await this.#isTaken(attempt, count))) {
      return { kind: 'found', refused: [] };
    }
    let refused: Refusals = [];
    let doubt: MillraceError | undefined;
    for (const kind of isRefused ? (['twin', 'copy'] as const) : (['twin'] as const)) {
      if (refused.length > 0) break;
      // One after the other: the copy is made only for what the twin does not find.
      const made = await this.#twins.make(kind);
      if (made.kind === 'denied') return { kind: 'wait', error: made.error };
      try {
        refused = await bisect(0, count, attempt, triedAtOnce);
        const doubtful = refused.find(({ problem }) => problem.isDoubtful);
        if (doubtful !== undefined && refused.length === count) {
          doubt = await this.#doubt(doubtful.problem.problem, signal);
        }
      } finally {
        await this.#dropCopy();
      }
    }
    if (doubt !== undefined) return { kind: 'wait', error: doubt };
    const { sink } = this.#options.where;
    return {
      kind: 'found',
      refused: refused.map(({ row, problem }) => ({
        row: rowAt(kept, row),
        error: mr('MR_RECORD_REFUSED', { sink, problem: problem.problem }),
      })),
    };
  }

  /** The twin's verdict on all rows. A twin that is gone (dropped by a newer owner) gives none. */
  async #isTaken(attempt: (from: number, to: number) => Promise<RowsAtFault | null>, rows: number): Promise<boolean> {
    try {
      return await this.#takes(attempt(0, rows));
    } catch (error) {
      if (error instanceof TwinMissing) return false;
      throw error;
    }
  }

  async #try(rows: ClickHouseRows, kept: Runs, signal: AbortSignal): Promise<RowsAtFault | null> {
    const { client, settings, table, marksDefaults, opening } = this.#options;
    const pieces = [opening, ...rows.pieces(kept)];
    return this.#insert(
      (name) => send(client, insertStatement({ ...table, name }, marksDefaults), pieces, settings, signal),
      signal,
    );
  }

  /** Z4. Undefined: it is the rows that are at fault. */
  async #doubt(why: string, signal: AbortSignal): Promise<MillraceError | undefined> {
    if (await this.#takesDefaults(signal)) return undefined;
    const { where, table: own } = this.#options;
    const { table, sink } = where;
    const byHand =
      own.unstored.length === 0
        ? 'insert any row that the table takes'
        : `insert any row that the table takes, or give ${own.unstored.join(', ')} (EPHEMERAL) a default with which it takes one`;
    const hint = `If it is the table, or a view, correct it. If it is the records, ${byHand}: they become dead letters then. Millrace retries by itself.`;
    switch (await this.#takesWhatItHas(signal)) {
      case 'yes':
        return undefined;
      case 'no': {
        const problem = `it refuses every row, one of defaults and one that it has, too: ${why}`;
        return mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint });
      }
      case 'none': {
        const problem = `it refuses every row, one of defaults too, and has none that would tell whether the table or the records are at fault: ${why}`;
        return cannotTell(where, problem, hint);
      }
    }
  }

  #takesDefaults(signal: AbortSignal): Promise<boolean> {
    const { client, settings, table } = this.#options;
    const insert = (name: string) =>
      send(client, defaultsStatement({ ...table, name }), [Buffer.from('{}\n')], settings, signal);
    return this.#takes(this.#insert(insert, signal));
  }

  /**
   * Of the newest part, because the table may have become stricter. `none`: there was no row in it, or it was merged, or
   * what the table computes may want for a value that it does not store.
   */
  async #takesWhatItHas(signal: AbortSignal): Promise<'yes' | 'no' | 'none'> {
    const { client, settings, table, database, name } = this.#options;
    const { columns, unstored } = table;
    if (unstored.length === columns.length) return 'none';
    const params = { database, name };
    const query = `SELECT name AS part FROM system.parts WHERE database = {database:String} AND table = {name:String}
      AND active AND rows > 0 ORDER BY modification_time DESC, max_block_number DESC LIMIT 1`;
    const [newest] = await rowsOf(client, partRow, query, params, signal);
    if (newest === undefined) return 'none';
    const from = `FROM ${table.name} WHERE _part = {part:String} LIMIT 1`;
    const insert = (twin: string) =>
      inserted(client, { query: `INSERT INTO ${twin} SELECT * ${from}`, params: { ...newest }, settings, signal });
    if (!(await this.#takes(this.#insert(insert, signal)))) return unstored.length === 0 ? 'no' : 'none';
    // A part that is still there was there all the time, so that there was a row to take.
    const left = await rowsOf(client, partRow, `SELECT _part AS part ${from}`, { ...newest }, signal);
    return left.length > 0 ? 'yes' : 'none';
  }

  /** False also for what would be waited for with rows of the batch: that another row, or an old twin, wants it is no reason. */
  async #takes(tried: Promise<RowsAtFault | null>): Promise<boolean> {
    try {
      return (await tried) === null;
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT') return false;
      throw error;
    }
  }

  async #insert(insert: (twin: string) => Promise<void>, signal: AbortSignal): Promise<RowsAtFault | null> {
    const { where } = this.#options;
    const twin = this.#twins.current?.plan;
    if (twin === undefined) throw new TypeError('rows are tried before there is a twin');
    try {
      await insert(twin.table);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (meaningOf(error) === 'missing') throw new TwinMissing(where, error);
      const found = parseExamination(error, where, twin.names);
      if (found.kind === 'wait') throw found.error;
      return found;
    }
  }

  async #dropCopy(): Promise<void> {
    if (this.#twins.current?.plan.kind === 'copy') await this.#twins.drop();
  }

  /** The next examination makes a twin of the tables as they are then. */
  forget(): Promise<void> {
    return this.#twins.drop();
  }

  close(): Promise<void> {
    return this.#twins.drop();
  }
}

class TwinMissing extends Error {
  override readonly name = 'TwinMissing';
  readonly error: MillraceError;

  constructor(where: SinkFailureContext, cause: unknown) {
    super(problemOf(cause), { cause });
    const hint =
      'Several servers behind one address must share the database (engine Replicated), or the sink must name one of them.';
    this.error = cannotTell(where, 'the table that they are tried against is gone', hint);
  }
}

/** What a failed examination means for the attempt that asked for it. */
export function examinationError(error: unknown): unknown {
  return error instanceof TwinMissing ? error.error : error;
}
