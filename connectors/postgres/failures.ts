/**
 * What an error of PostgreSQL, or of the network to it, means for the sink. The only place that interprets such
 * errors.
 *
 * F1  An error is known by its SQLSTATE and by which code of the server has raised it. Its texts are in the language of the
 *     server: they are shown, and never read.
 */
import pg from 'pg';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import { shortened } from '../../model/text.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { stableText } from '../stable-text.ts';

export type Failure =
  /**
   * Thrown to the stage, which retries and reports it. `ofValue`: what is told of a row if one of its values should be at
   * fault, which the error does not show.
   */
  | { readonly kind: 'wait'; readonly error: MillraceError; readonly ofValue?: string }
  /**
   * Some row of the statement is at fault. `isFinal`: whatever else is stored. `doubt`: or it is a function of the
   * database, and this is waited for if no row is taken.
   */
  | { readonly kind: 'rows'; readonly problem: string; readonly isFinal: boolean; readonly doubt?: MillraceError };

export interface PostgresFailureContext extends SinkFailureContext {
  readonly database: string;
  readonly schema: string;
}

/** SQLSTATEs by meaning; a class is its first two characters. An exact code goes before its class. */
type Meaning = 'auth' | 'privilege' | 'nowhere' | 'missing' | 'unfit' | 'unreachable' | 'rows';

const meanings: Readonly<Record<string, Meaning>> = {
  '28': 'auth', // invalid authorization
  '42501': 'privilege', // insufficient_privilege
  '3D000': 'nowhere', // the database
  '3F000': 'nowhere', // the schema
  '42P01': 'missing', // the table
  '42': 'unfit', // columns, types, ON CONFLICT without a unique key
  '0A': 'unfit', // feature_not_supported
  '08': 'unreachable', // connection
  '57P01': 'unreachable', // admin_shutdown
  '57P02': 'unreachable', // crash_shutdown
  '57P03': 'unreachable', // cannot_connect_now
  '54001': 'rows', // statement_too_complex: a value, or what a trigger does with it, is nested too deep
  '54000': 'rows', // program_limit_exceeded: too long for an index, a page, a word of a text search; but see limitsOfServer
  '22': 'rows', // data
  '23': 'rows', // constraints
  '21': 'rows', // cardinality
  '44': 'rows', // WITH CHECK OPTION
  '10': 'rows', // a text that is no XPath
  '20': 'rows', // a CASE of a trigger that has no branch for the value
  '2F005': 'rows', // a function that has no RETURN for the value
  '27': 'rows', // a trigger has changed the row that is being written
  '38': 'rows', // raised by a trigger in another language
  P0: 'rows', // raised by a trigger
};

/** The classes that PostgreSQL has; others are what a function calls its own errors. */
const classes = new Set(
  `00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58
   72 F0 HV P0 XX`.split(/\s+/),
);

/**
 * Limits that no row can keep to: of transactions and row locks (wraparound), of commands in one, of a table's file. Which
 * source file of the server has raised an error is the same in every language, and of all versions since 12.
 */
const limitsOfServer = new Set(
  `varsup.c multixact.c xact.c xlog.c xloginsert.c subtrans.c slru.c clog.c commit_ts.c combocid.c predicate.c lock.c
   procarray.c bufmgr.c md.c smgr.c`.split(/\s+/),
);

/** Said on purpose or repeated from a statement of the function, these ask to try again, and blame nobody. */
const passing = /^(?:08|40|53|57|58|XX|55P03)/;

/** What is wrong with a row by itself. A key that is missing or taken, and what a trigger says, may depend on other rows. */
const final = /^(?:22|23(?!503|505|P01)|44)/;

/** Whether an error arose while a row was read or a function ran; otherwise it is of the statement itself. */
export type IsWithin = (error: pg.DatabaseError) => boolean;

/** That an error has a context is the same in every language. */
export const isWithinCopy: IsWithin = ({ where = '' }) => where !== '';

/** What is wrong with the text of a statement has a place in it. An expression that is no function gives no context. */
export const isWithinStatement: IsWithin = (error) => isWithinCopy(error) || error.position === undefined;

/**
 * An error that is not in the table makes the sink wait: an unknown problem is never blamed on a record. Throws what is a
 * defect of ours.
 */
export function parseFailure(
  error: unknown,
  where: PostgresFailureContext,
  isWithin: IsWithin = isWithinCopy,
): Failure {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) throw error;
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) {
    const { sink, server } = where;
    const problem = stableText(problemOf(error));
    return { kind: 'wait', error: mr('MR_SINK_UNREACHABLE', { sink, server, problem }, { cause: error }) };
  }
  const { code, detail } = error;
  const meaning = meaningOf(error, code, isWithin);
  const problem = shortened(`${problemOf(error)}${detail === undefined ? '' : `: ${detail}`} (${code})`);
  if (meaning === 'rows') {
    const isFinal = final.test(code) && error.routine !== 'exec_stmt_raise';
    if (!ofFunctions.test(code)) return { kind: 'rows', problem, isFinal };
    const { sink, table } = where;
    const hint = 'Correct the function of the database that says so; Millrace retries by itself.';
    return { kind: 'rows', problem, isFinal, doubt: mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }) };
  }
  const waiting = waitingFor(meaning, error, where);
  const isOpen = meaning !== undefined && ofNames.has(meaning) && isWithin(error);
  return { kind: 'wait', error: waiting, ...(isOpen ? { ofValue: problem } : {}) };
}

function waitingFor(
  meaning: Exclude<Meaning, 'rows'> | undefined,
  error: pg.DatabaseError,
  where: PostgresFailureContext,
): MillraceError {
  const { sink, server, table, identity } = where;
  const options = { cause: error };
  const said = problemOf(error);
  const problem = `${stableText(said)} (${error.code ?? ''})`;
  switch (meaning) {
    case 'auth':
      return mr('MR_SINK_AUTH_REJECTED', { sink, server, ...identity }, options);
    case 'privilege': {
      const about = { sink, server, table, user: identity.user, problem };
      return mr('MR_SINK_PRIVILEGE_MISSING', { ...about, grant: grantFor(error, where) }, options);
    }
    case 'nowhere':
      return mr('MR_SINK_PLACE_MISSING', { sink, server, problem }, options);
    case 'missing':
      return mr('MR_SINK_TABLE_MISSING', { table, sink, server }, options);
    case 'unfit': {
      const hint = 'Correct the table or the sink; Millrace retries by itself.';
      return mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }, options);
    }
    case 'unreachable':
      return mr('MR_SINK_UNREACHABLE', { sink, server, problem }, options);
    case undefined:
      return mr('MR_SINK_BUSY', { sink, server, problem }, options);
  }
}

/** A function that lacks a RETURN, a branch of a CASE or a right XPath lacks it for some values, or for all. */
const ofFunctions = /^(?:10|20|2F005)/;

/** What a value that names something of the database may end in, too: one of type regclass, regrole or tsquery. */
const ofNames = new Set<Meaning>(['nowhere', 'missing', 'unfit', 'privilege']);

function meaningOf(error: pg.DatabaseError, code: string, isWithin: IsWithin): Meaning | undefined {
  if (isRefusal(error, code)) return 'rows';
  if (code === '54000' && limitsOfServer.has(error.file ?? '')) return undefined;
  const meaning = meanings[code] ?? meanings[code.slice(0, 2)];
  // The sink's own table is looked for before there is a row: what a trigger or a default lacks is another one.
  return (meaning === 'nowhere' || meaning === 'missing') && isWithin(error) ? 'unfit' : meaning;
}

/**
 * A trigger may RAISE with any SQLSTATE, and a policy of row level security speaks with that of a missing right. Which
 * code of the server has said it (`routine`) is the same in every language of its messages.
 */
function isRefusal({ routine }: pg.DatabaseError, code: string): boolean {
  if (routine === 'ExecWithCheckOptions') return true;
  return !classes.has(code.slice(0, 2)) || (routine === 'exec_stmt_raise' && !passing.test(code));
}

/** Where the code of PostgreSQL that has looked for a right says which it is; otherwise `./rights.ts` may know more. */
function grantFor({ routine }: pg.DatabaseError, where: PostgresFailureContext): string {
  const database = pg.escapeIdentifier(where.database);
  if (routine === 'CheckMyDatabase') return grantText([`CONNECT ON DATABASE ${database}`], where);
  if (routine === 'InitTempTableNamespace') return grantText([`TEMPORARY ON DATABASE ${database}`], where);
  return 'Give the user the right that the server names';
}

/** What gives these rights to the user of the sink. */
export function grantText(rights: readonly string[], { identity }: PostgresFailureContext): string {
  const user = /"(.+)"/.exec(identity.user)?.[1];
  const to = user === undefined ? 'the user of the sink' : pg.escapeIdentifier(user);
  return `Run: ${rights.map((right) => `GRANT ${right} TO ${to}`).join('; ')}`;
}

/** Outside of a batch no row can be at fault: an error that looks like it is a race, or a table of the wrong form. */
export function classified(error: unknown, where: PostgresFailureContext): MillraceError {
  if (error instanceof MillraceError) return error;
  const failure = parseFailure(error, where);
  if (failure.kind === 'wait') return failure.error;
  const { sink, server } = where;
  return mr('MR_SINK_BUSY', { sink, server, problem: failure.problem }, { cause: error });
}
