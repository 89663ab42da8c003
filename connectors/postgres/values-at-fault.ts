/**
 * Which value of a row is at fault for an error that says that something is not there.
 *
 * V1  A value may name what does not exist (`none` in a column of type `regtype`), and so may a default that reads a
 *     table; the server's error looks the same. So the row's values are read by themselves, without defaults and
 *     triggers: one that is refused there, too, is at fault.
 * V2  The CHECK of a domain runs there as well, and may itself read what does not exist, whatever the value is. So a
 *     value that a domain refuses in this way is at fault only if the domain takes another one now: of the batch, of the
 *     table, or a name that every database has. If it takes none, the sink waits and says so.
 */
import pg from 'pg';
import { z } from 'zod';
import { MillraceError } from '../../model/errors.ts';
import { isWithinStatement, parseFailure, type Failure, type PostgresFailureContext } from './failures.ts';
import type { PostgresRows } from './rows.ts';
import type { CheckedReading, Statements } from './statements.ts';

/** V2. How many of the batch's other values are tried; of the table, see `./statements.ts`. */
const mostOthers = 100;

const storedRows = z.array(z.object({ value: z.string() }));

export class ValuesAtFault {
  readonly #client: pg.Client;
  readonly #rows: PostgresRows;
  readonly #statements: Statements;
  readonly #where: PostgresFailureContext;
  /** V2. What was taken last. */
  readonly #taken = new Map<CheckedReading, string>();

  constructor(client: pg.Client, rows: PostgresRows, statements: Statements, where: PostgresFailureContext) {
    this.#client = client;
    this.#rows = rows;
    this.#statements = statements;
    this.#where = where;
  }

  /** Within savepoint `millrace`. Throws what is waited for when no value is known to be at fault. */
  async problemOf(row: number, waiting: MillraceError): Promise<string> {
    const values = this.#rows.valuesOf(row);
    const { bare, checked } = this.#statements.readings;
    const problem = problemIn(await this.#read(bare.text, valuesAt(values, bare.places)));
    if (problem !== undefined) return problem;

    let doubt: MillraceError | undefined;
    for (const reading of checked) {
      const value = values[reading.place] ?? null;
      if (value === null) continue;
      const failure = await this.#read(reading.text, [value]);
      const refused = problemIn(failure);
      if (failure === undefined || refused === undefined) continue;
      if (failure.kind === 'rows') return refused;
      if (!(await this.#takesAnother(reading, value))) {
        doubt ??= doubtOf(failure.error, reading);
        continue;
      }
      // What the CHECK lacked may have come meanwhile.
      const again = await this.#read(reading.text, [value]);
      if (again === undefined) continue;
      if (problemIn(again) !== undefined) return refused;
      if (again.kind === 'wait') throw again.error;
    }
    throw doubt ?? waiting;
  }

  /** V2. */
  async #takesAnother(reading: CheckedReading, refused: string): Promise<boolean> {
    const known = this.#taken.get(reading);
    const sources = [() => this.#ofBatch(reading), () => this.#ofTable(reading), () => reading.names];
    for (const others of known === undefined ? sources : [() => [known], ...sources]) {
      for (const other of await others()) {
        if (other === refused || (await this.#read(reading.text, [other])) !== undefined) continue;
        this.#taken.set(reading, other);
        return true;
      }
    }
    return false;
  }

  /** From all over the batch: wrong values may come in a row. */
  #ofBatch({ place }: CheckedReading): readonly string[] {
    const values = new Set<string>();
    for (let row = 0; row < this.#rows.rows; row++) {
      const value = this.#rows.valuesOf(row)[place] ?? null;
      if (value !== null) values.add(value);
    }
    const step = Math.ceil(values.size / mostOthers);
    return [...values].filter((_, i) => i % step === 0);
  }

  /** None when the user may not see them. */
  async #ofTable({ stored }: CheckedReading): Promise<readonly string[]> {
    try {
      const { rows } = await this.#client.query<pg.QueryResultRow>(stored);
      return storedRows.parse(rows).map(({ value }) => value);
    } catch (error) {
      await this.#rollBack(error);
      return [];
    }
  }

  /** Undefined: the values are taken. */
  async #read(text: string, values: readonly (string | null)[]): Promise<Failure | undefined> {
    try {
      await this.#client.query(text, [...values]);
      return undefined;
    } catch (error) {
      await this.#rollBack(error);
      return parseFailure(error, this.#where, isWithinStatement);
    }
  }

  /** Throws what is no answer of the server. */
  async #rollBack(error: unknown): Promise<void> {
    if (!(error instanceof pg.DatabaseError)) throw error;
    await this.#client.query('ROLLBACK TO SAVEPOINT millrace');
  }
}

/** What the dead letter says if the value is at fault; undefined: the failure says nothing about the value. */
function problemIn(failure: Failure | undefined): string | undefined {
  return failure?.kind === 'wait' ? failure.ofValue : failure?.problem;
}

function valuesAt(values: readonly (string | null)[], places: readonly number[]): readonly (string | null)[] {
  return places.map((place) => values[place] ?? null);
}

/** V2. */
function doubtOf(error: MillraceError, { column }: CheckedReading): MillraceError {
  if (error.code !== 'MR_SINK_TABLE_UNFIT') return error;
  const hint =
    `The value of column "${column}" or the CHECK of its domain is at fault: none that was tried is taken, of the batch, of ` +
    'those of the table that the user may read, or of names that every database has. Correct the CHECK; or, if it is right, ' +
    'insert a row with a value that it takes into the table, and the record becomes a dead letter. Millrace retries by itself';
  return new MillraceError(error.code, { ...error.params, hint: `${hint}.` }, { cause: error.cause });
}
