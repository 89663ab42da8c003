/**
 * Finds the rows that a table, or a view of it, will never accept, without really inserting any of them.
 *
 * Z1  Rows are tried only against the table's twin (`./twin.ts`), which stores nothing. If the table refuses what the twin
 *     takes, they are tried against a copy, which stores them in the database of the table until it is dropped, right
 *     after that.
 * Z2  No row is refused because of an old twin: when one refuses rows, it is recreated from the tables as they are now,
 *     and only the refusals of the new one count.
 * Z3  A range is split at the same place each time, so that the same rows are found each time.
 * Z4  Twins are dropped when the slot is closed; those that a killed process left behind are dropped when the next
 *     process creates its own.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ClickHouseError, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import type { Logger } from 'pino';
import { z } from 'zod';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { cut, shortened } from '../../model/text.ts';
import type { RefusedRow } from '../../stream/sink-port.ts';
import { bisect, type Refused } from '../bisect.ts';
import type { Clock, SinkSlotId } from '../connector.ts';
import { stableText } from '../stable-text.ts';
import { answerTo } from './answer.ts';
import { rowsOf } from './ask.ts';
import { behaviourOf, permissionsOf } from './behaviour.ts';
import { codes } from './codes.ts';
import { parseExamination, parseFailure, type RowsAtFault, type FailureContext } from './failures.ts';
import { insertStatement, send } from './insert.ts';
import { reachOf, type Reached } from './reach.ts';
import type { ClickHouseRows } from './row-buffer.ts';
import { countOf, partOf, rowAt, type Runs } from './runs.ts';
import type { Table } from './table.ts';
import { planTwin, type TwinKind, type TwinPlan } from './twin.ts';
import { quotedName } from './window.ts';

export interface ExaminerOptions {
  readonly client: ClickHouseClient;
  readonly database: string;
  readonly name: string;
  readonly table: Table;
  readonly marksDefaults: boolean;
  readonly opening: Buffer;
  readonly settings: ClickHouseSettings;
  readonly where: FailureContext;
  readonly slot: SinkSlotId;
  readonly clock: Clock;
  readonly log: Logger;
}

export type Examination =
  | { readonly kind: 'found'; readonly refused: readonly RefusedRow[] }
  /** It cannot be determined, or it is not the fault of a row. */
  | { readonly kind: 'wait'; readonly error: MillraceError };

type Refusals = readonly Refused<RowsAtFault>[];

const nameRow = z.object({ name: z.string() });

/**
 * How many single rows are tried at a time, where many are at fault; fewer than the connections that a client opens.
 */
const triedAtOnce = 4;

/** A missing privilege is checked again after this time, not with every batch. */
const deniedForMs = 60_000;

export class Examiner {
  readonly #options: ExaminerOptions;
  readonly #base: string;
  #twin: TwinPlan | undefined;
  #reached: Reached | undefined;
  #made: string[] = [];
  #hasCleaned = false;
  #makes = 0;
  #deniedAt: number | undefined;

  constructor(options: ExaminerOptions) {
    this.#options = options;
    const { pipelineUid, stage, slot } = options.slot;
    const digest = createHash('sha256').update(`${pipelineUid}/${stage}/${slot}`).digest('hex').slice(0, 12);
    this.#base = `millrace_check_${digest}_`;
  }

  /** Whether rows can be examined in advance. False: the user may not create a twin, which is logged. */
  async isReady(): Promise<boolean> {
    if (this.#twin !== undefined) return true;
    const now = this.#options.clock.now();
    if (this.#deniedAt !== undefined && now - this.#deniedAt < deniedForMs) return false;
    const made = await this.#make('twin');
    this.#deniedAt = made.kind === 'denied' ? now : undefined;
    if (made.kind === 'made') return true;
    this.#options.log.warn({ problem: made.error.message }, 'rows are not examined before they are inserted');
    return false;
  }

  /** What the twin was made from; undefined: there is none. */
  get reached(): Reached | undefined {
    return this.#reached;
  }

  /** Which of these rows are refused. `isRefused`: the table itself has refused some, whatever an old twin reports. */
  async find(rows: ClickHouseRows, kept: Runs, isRefused: boolean, signal: AbortSignal): Promise<Examination> {
    const attempt = (from: number, to: number) => this.#try(rows, partOf(kept, from, to), signal);
    const count = countOf(kept);
    if (!isRefused && this.#twin !== undefined && (await this.#isTaken(attempt, count))) {
      return { kind: 'found', refused: [] };
    }
    let refused: Refusals = [];
    for (const kind of isRefused ? (['twin', 'copy'] as const) : (['twin'] as const)) {
      if (refused.length > 0) break;
      // One after the other: the copy is made only for what the twin does not find.
      const made = await this.#make(kind);
      if (made.kind === 'denied') return { kind: 'wait', error: made.error };
      refused = await bisect(0, count, attempt, triedAtOnce).finally(() => this.#dropCopy());
    }
    const { sink, table } = this.#options.where;
    const [first] = refused;
    if (first?.problem.isDoubtful === true && refused.length === count && count > 1) {
      const hint = 'Correct the table, the view or the records; Millrace retries by itself.';
      const problem = `it refuses every row: ${first.problem.problem}`;
      return { kind: 'wait', error: mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }) };
    }
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
      return (await attempt(0, rows)) === null;
    } catch (error) {
      if (error instanceof TwinMissing) return false;
      throw error;
    }
  }

  async #try(rows: ClickHouseRows, kept: Runs, signal: AbortSignal): Promise<RowsAtFault | null> {
    const { client, table, marksDefaults, opening, settings, where } = this.#options;
    const twin = this.#twin!;
    try {
      const statement = insertStatement({ ...table, name: twin.table }, marksDefaults);
      await send(client, statement, [opening, ...rows.pieces(kept)], settings, signal);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) === 'missing') throw new TwinMissing(where, error);
      const found = parseExamination(error, where, twin.names);
      if (found.kind === 'wait') throw found.error;
      return found;
    }
  }

  /** Builds it from the tables as they are now. */
  async #make(kind: TwinKind): Promise<{ kind: 'made' } | { kind: 'denied'; error: MillraceError }> {
    const { client, database, name, where, log, settings } = this.#options;
    await this.#drop();
    try {
      if (!this.#hasCleaned) await this.#clean();
      this.#hasCleaned = true;
      const reached = await reachOf(client, { database, name });
      const { table, sink, server } = where;
      if (reached === undefined) throw mr('MR_SINK_TABLE_MISSING', { table, sink, server });
      const behaviour = await behaviourOf(client, settings);
      const prefix = `${this.#base}${randomBytes(3).toString('hex')}${this.#makes++}`;
      await this.#carryOut(planTwin(reached, kind, behaviour, prefix), reached);
      this.#reached = reached;
      return { kind: 'made' };
    } catch (error) {
      await this.#drop();
      if (!(error instanceof ClickHouseError)) throw error;
      if (codeOf(error) !== 'privilege') throw notMade(kind, error, where);
      log.debug({ err: error }, 'a twin of the table is denied');
      return { kind: 'denied', error: cannotTell(where, cut(problemOf(error), 300), grantHint(database)) };
    }
  }

  /** What is refused for what it is made of is asked for again with what permits that: the table has it already. */
  async #create(statement: string): Promise<void> {
    const { client } = this.#options;
    try {
      await answerTo(client, { query: statement });
    } catch (error) {
      if (codeOf(error) === 'privilege' || !(error instanceof ClickHouseError)) throw error;
      await answerTo(client, { query: statement, settings: await permissionsOf(client) });
    }
  }

  async #carryOut(plan: TwinPlan, { database }: Reached): Promise<void> {
    const { log } = this.#options;
    const leftOut = [...plan.leftOut];
    for (const { name, statement, optional } of plan.steps) {
      try {
        // In order: each step refers to objects that earlier steps have created.
        await this.#create(statement);
        this.#made.push(quotedName({ database, name }));
      } catch (error) {
        if (optional === undefined || !(error instanceof ClickHouseError)) throw error;
        leftOut.push(`${optional} (${cut(error.message, 200)})`);
      }
    }
    if (leftOut.length > 0) log.warn({ leftOut }, 'what cannot be examined before an insert');
    this.#twin = plan;
  }

  async #clean(): Promise<void> {
    const { client, database } = this.#options;
    const query =
      'SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {base:String})';
    const left = await rowsOf(client, nameRow, query, { database, base: this.#base });
    for (const { name } of left.toSorted((a, b) => b.name.localeCompare(a.name))) {
      await answerTo(client, { query: dropStatement(quotedName({ database, name })) });
    }
  }

  async #dropCopy(): Promise<void> {
    if (this.#twin?.kind === 'copy') await this.#drop();
  }

  async #drop(): Promise<void> {
    this.#twin = undefined;
    this.#reached = undefined;
    // Views before the tables that they read and write.
    for (const name of this.#made.splice(0).toReversed()) {
      await answerTo(this.#options.client, { query: dropStatement(name) }).catch((error: unknown) => {
        // It is dropped when the next twin is created (Z4).
        this.#hasCleaned = false;
        this.#options.log.debug({ err: error, name }, 'a twin is left behind');
      });
    }
  }

  /** The next examination makes a twin of the tables as they are then. */
  forget(): Promise<void> {
    return this.#drop();
  }

  close(): Promise<void> {
    return this.#drop();
  }
}

class TwinMissing extends Error {
  override readonly name = 'TwinMissing';
  readonly error: MillraceError;

  constructor(where: FailureContext, cause: unknown) {
    super(problemOf(cause), { cause });
    const hint =
      'Several servers behind one address must share the database (engine Replicated), or the sink must name one of them.';
    this.error = cannotTell(where, 'the table that they are tried against is gone', hint);
  }
}

function notMade(kind: TwinKind, error: ClickHouseError, where: FailureContext): MillraceError {
  const failure = parseFailure(error, where);
  const isOfStatement = failure.kind === 'rows' || failure.error.code === 'MR_SINK_TABLE_UNFIT';
  if (!isOfStatement) return failure.error;
  const problem = shortened(stableText(error.message.trim()));
  return cannotTell(where, `a ${kind} of the table to try them against cannot be created: ${problem}`, alterHint);
}

/** What a failed examination means for the attempt that asked for it. */
export function examinationError(error: unknown): unknown {
  return error instanceof TwinMissing ? error.error : error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ClickHouseError ? codes.get(Number(error.code))?.meaning : undefined;
}

/** What is in the way is in the message. */
export const alterHint =
  'Alter the table so that it takes the batch, or lower batch.maxRecords of the sink; Millrace retries by itself.';

export function cannotTell({ table, sink }: FailureContext, problem: string, hint: string): MillraceError {
  return mr('MR_SINK_ROWS_UNKNOWN', { table, sink, problem, hint });
}

function dropStatement(name: string): string {
  return `DROP TABLE IF EXISTS ${name} SYNC`;
}

function grantHint(database: string): string {
  const rights = 'CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, SELECT, INSERT';
  return `Run: GRANT ${rights} ON ${quotedName({ database, name: '' }).replace('.``', '.*')} TO the user of the sink; Millrace tries rows against a table of its own that stores nothing.`;
}
