/**
 * The rows of a batch into the table, within its transaction; and which of them PostgreSQL will not take.
 *
 * W1  Rows are tried together, then in halves (`../bisect.ts`), each between savepoints. Each savepoint is released, so that
 *     none nests in another.
 * W2  A row that was refused for what was not there at the time (the row that it refers to comes later, or was to come
 *     with it) is tried again, among the others of that kind, after the rest, until nothing more is taken, at most 16 times. So a row
 *     that is right beside the others is stored, whichever other rows are wrong.
 */
import type pg from 'pg';
import { bisect, type Refused } from '../bisect.ts';
import { copyIn } from './copy-in.ts';
import { parseFailure, type PostgresFailureContext } from './failures.ts';
import type { RefusedRow } from './positions.ts';
import type { PostgresRows } from './rows.ts';
import type { Statements } from './statements.ts';

interface Problem {
  readonly problem: string;
  readonly isFinal: boolean;
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
  let refused = await bisect(0, all, (from, to) => {
    const isPart = to - from < all;
    return tryRows(client, rows.slice(from, to), {
      ...statements,
      leaveOlder: '',
      note: isPart ? statements.note : '',
    });
  });
  for (let round = 0; round < mostRounds; round++) {
    const open = refused.filter(({ problem }) => !problem.isFinal).reverse();
    if (open.length === 0 || all === 1) break;
    const left = await bisect(0, open.length, (from, to) =>
      tryRows(client, rows.pick(open.slice(from, to).map(({ row }) => row)), statements),
    );
    if (left.length === open.length) break;
    refused = [...refused.filter(({ problem }) => problem.isFinal), ...named(left, open)];
  }
  return refused.map(({ row, problem }) => ({ row, problem: problem.problem })).toSorted((a, b) => a.row - b.row);

  async function tryRows(on: pg.Client, bytes: Buffer, by: Statements): Promise<Problem | null> {
    await on.query('SAVEPOINT millrace');
    try {
      await copyIn(on, by.copy, bytes);
      const isDeleting = rows.hasRemoved ? by.remove : '';
      const rest = [by.leaveOlder, isDeleting, by.merge, by.note, by.clear].filter((statement) => statement !== '');
      for (const statement of rest) await on.query(statement);
      await on.query('RELEASE SAVEPOINT millrace');
      return null;
    } catch (error) {
      const failure = parseFailure(error, where);
      if (failure.kind === 'wait') throw failure.error;
      await on.query('ROLLBACK TO SAVEPOINT millrace; RELEASE SAVEPOINT millrace');
      return failure;
    }
  }
}

/** Places in the list of those that were tried become rows. */
function named(left: readonly Refused<Problem>[], tried: readonly Refused<Problem>[]): Refused<Problem>[] {
  return left.flatMap(({ row: place, problem }) => {
    const row = tried[place]?.row;
    return row === undefined ? [] : [{ row, problem }];
  });
}
