/**
 * The rows of a batch into the table, within its transaction; and which of them PostgreSQL will not take.
 *
 * W1  Rows are tried together, then in halves (`../bisect.ts`), each between savepoints. Each savepoint is released, so that
 *     none nests in another.
 * W2  A row that was refused for what was not there at the time (the row that it refers to comes later, or was to come
 *     with it) is tried again, among the others of that kind, after the rest, until nothing more is taken, at most 16 times. So a row
 *     that is right beside the others is stored, whichever other rows are wrong.
 * W3  Of a row that ends in an error as of a missing object, a value may be at fault (`./values-at-fault.ts`), or the error is waited
 *     for.
 * W4  An error of a function of the database (no RETURN, say) is a row's fault only when another row of the batch is taken.
 */
import type pg from 'pg';
import type { MillraceError } from '../../model/errors.ts';
import { bisect, type Refused } from '../bisect.ts';
import { copyIn } from './copy-in.ts';
import {
  isWithinCopy,
  isWithinStatement,
  parseFailure,
  type Failure,
  type PostgresFailureContext,
} from './failures.ts';
import type { RefusedRow } from './positions.ts';
import type { PostgresRows } from './rows.ts';
import type { Statements } from './statements.ts';
import { ValuesAtFault } from './values-at-fault.ts';

interface Problem {
  readonly problem: string;
  readonly isFinal: boolean;
  readonly doubt?: MillraceError | undefined;
}

/** Rounds of W2. Each takes something, and goes in the other direction than the one before. */
const mostRounds = 16;

export async function writeRows(
  client: pg.Client,
  rows: PostgresRows,
  statements: Statements,
  where: PostgresFailureContext,
): Promise<readonly RefusedRow[]> {
  const all = rows.rows;
  const values = new ValuesAtFault(client, rows, statements, where);
  let refused = await bisect(0, all, (from, to) => {
    const isPart = to - from < all;
    const inTurn = { ...statements, leaveOlder: '', note: isPart ? statements.note : '' };
    return tryRows(client, rows.slice(from, to), to - from === 1 ? from : undefined, inTurn);
  });
  for (let round = 0; round < mostRounds; round++) {
    const open = refused.filter(({ problem }) => !problem.isFinal).reverse();
    if (open.length === 0 || all === 1) break;
    const left = await bisect(0, open.length, (from, to) => {
      const tried = open.slice(from, to).map(({ row }) => row);
      return tryRows(client, rows.pick(tried), tried.length === 1 ? tried[0] : undefined, statements);
    });
    if (left.length === open.length) break;
    refused = [...refused.filter(({ problem }) => problem.isFinal), ...rowsAt(left, open)];
  }
  // W4.
  const doubt = refused.find(({ problem }) => problem.doubt !== undefined)?.problem.doubt;
  if (doubt !== undefined && refused.length === all) throw doubt;
  return refused.map(({ row, problem }) => ({ row, problem: problem.problem })).toSorted((a, b) => a.row - b.row);

  /** `single`: the row, when it is one. */
  async function tryRows(
    on: pg.Client,
    bytes: Buffer,
    single: number | undefined,
    by: Statements,
  ): Promise<Problem | null> {
    await on.query('SAVEPOINT millrace');
    let isWithin = isWithinCopy;
    try {
      await copyIn(on, by.copy, bytes);
      isWithin = isWithinStatement;
      const isDeleting = rows.hasRemoved ? by.remove : '';
      const rest = [by.leaveOlder, isDeleting, by.merge, by.note, by.clear].filter((statement) => statement !== '');
      for (const statement of rest) await on.query(statement);
      await on.query('RELEASE SAVEPOINT millrace');
      return null;
    } catch (error) {
      const failure = parseFailure(error, where, isWithin);
      if (failure.kind === 'wait' && failure.ofValue === undefined) throw failure.error;
      await on.query('ROLLBACK TO SAVEPOINT millrace');
      const problem = failure.kind === 'wait' ? await problemOfValue(single, failure) : failure;
      await on.query('RELEASE SAVEPOINT millrace');
      return problem;
    }
  }

  /** W3. Of rows that are several one may be at fault: they are tried in halves. */
  async function problemOfValue(
    single: number | undefined,
    { error, ofValue = '' }: Extract<Failure, { kind: 'wait' }>,
  ): Promise<Problem> {
    return { problem: single === undefined ? ofValue : await values.problemOf(single, error), isFinal: true };
  }
}

/** Places in the list of those that were tried become rows. */
function rowsAt(left: readonly Refused<Problem>[], tried: readonly Refused<Problem>[]): Refused<Problem>[] {
  return left.map(({ row: place, problem }) => ({ row: tried[place]!.row, problem }));
}
