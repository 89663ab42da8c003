/**
 * One slot of the PostgreSQL sink: batches into the table, together with their position.
 *
 * X1  Rows and position are in one transaction: both are stored or neither.
 * X2  A batch is written only if the stored position is the one before it. Otherwise it was already stored and the same
 *     result is returned again, or another owner has moved the position and MR_OWNERSHIP_LOST ends this one.
 * X3  Faulty rows are found by bisection between savepoints and refused one by one (`./write-rows.ts`); the others are
 *     stored with the position, in the same transaction.
 * X4  COMMIT waits until the transaction is on disk, whatever the server's default: what is committed here is removed
 *     everywhere else.
 * X5  An attempt that has not sent its COMMIT stored nothing.
 * X6  Rows are stored in the table for which they were made, or not at all. If that is another one now, the slot ends and
 *     starts again with the table as it is; a batch that was stored keeps the table of its time until it is finished.
 */
import pg from 'pg';
import { MillraceError, mr } from '../../model/errors.ts';
import type { BatchRange, PositionedSinkSlot, StoredPosition, WriteEnd } from '../../stream/sink-port.ts';
import type { RowBuffer, SinkSlotId } from '../connector.ts';
import { classified, type PostgresFailureContext } from './failures.ts';
import type { Positions, RefusedRow } from './positions.ts';
import { needing, onSchema, onSequencesOf, onTable, type Right, type TableName } from './rights.ts';
import { PostgresRows } from './rows.ts';
import type { Session } from './session.ts';
import { shapeSql } from './shape.ts';
import type { PostgresSinkConfig } from './spec.ts';
import { statementsOf, type Statements } from './statements.ts';
import type { Table } from './table.ts';
import { Told } from './told.ts';
import { beginWith, inTransaction } from './transaction.ts';
import { writeRows } from './write-rows.ts';

/** Where a sink writes, the same for all its slots. */
export interface Place {
  readonly config: PostgresSinkConfig;
  readonly where: PostgresFailureContext;
  /** Its name. */
  readonly pipeline: string;
  readonly positions: Positions;
  /** Begins every transaction. */
  readonly begin: string;
  readonly copyDefaultsSince: number;
}

interface SlotStart {
  /** The table is the one of the last batch, not the present one: it serves only to finish that batch. */
  readonly isEarlier: boolean;
  /** Told the table's text at the last batch when that one needs it no more. */
  readonly onFinished: (shape: string) => void;
  readonly onClosed: () => void;
}

export class PostgresSlot implements PositionedSinkSlot {
  readonly positionIn = 'sink';
  /** Where the position is stored: the same table beside another position table is a different target. */
  readonly target: string;
  readonly onPositionLost: PostgresSinkConfig['onPositionLost'];
  readonly #id: SinkSlotId;
  readonly #place: Place;
  readonly #table: Table;
  readonly #isEarlier: boolean;
  readonly #onFinished: (shape: string) => void;
  readonly #onClosed: () => void;
  /** An SQL expression: the table's text when a statement with it runs. */
  readonly #shapeNowSql: string;
  readonly #session: Session;
  readonly #statements: Statements;
  readonly #told = new Told();
  /** The connection that has the temporary table. */
  #prepared: pg.Client | undefined;

  constructor(
    id: SinkSlotId,
    place: Place,
    session: Session,
    table: Table,
    { isEarlier, onFinished, onClosed }: SlotStart,
  ) {
    const { config, where } = place;
    this.#id = id;
    this.#place = place;
    this.#table = table;
    this.#isEarlier = isEarlier;
    this.#onFinished = onFinished;
    this.#onClosed = onClosed;
    this.#shapeNowSql = shapeSql(table.name, config.upsertKey);
    this.onPositionLost = config.onPositionLost;
    this.target = `${where.server}/${config.database}.${config.schema}`;
    this.#session = session;
    this.#statements = statementsOf(table, table.upsertKey);
  }

  storedPosition(signal: AbortSignal): Promise<StoredPosition> {
    return this.#attempt(
      (client) => inTransaction(client, this.#place.begin, () => this.#place.positions.stored(client, this.#id)),
      signal,
    );
  }

  newRows(): RowBuffer {
    return new PostgresRows(this.#table, this.#table.upsertKey);
  }

  async write(rows: RowBuffer, id: BatchRange, _refused: unknown, signal: AbortSignal): Promise<WriteEnd> {
    if (!(rows instanceof PostgresRows)) throw new TypeError('rows were not made by newRows');
    const attempt = { isCommitting: false };
    try {
      const refused = await this.#attempt((client) => this.#transaction(client, rows, id, attempt), signal);
      this.#told.over();
      return {
        kind: 'stored',
        refused: refused.map(({ row, problem }) => ({
          row,
          error: mr('MR_RECORD_REFUSED', { sink: this.#place.where.sink, problem }),
        })),
      };
    } catch (error) {
      if (!(error instanceof MillraceError) || error.handling === 'fence') throw error;
      if (attempt.isCommitting) return { kind: 'unknown', error };
      if (error.cause instanceof pg.DatabaseError && (await this.#isChanged(signal))) throw this.#changed();
      return { kind: 'nothing', error };
    }
  }

  async #transaction(
    client: pg.Client,
    rows: PostgresRows,
    id: BatchRange,
    attempt: { isCommitting: boolean },
  ): Promise<readonly RefusedRow[]> {
    // Of an earlier table no row is written, and what would be prepared for it may name columns that are gone.
    if (!this.#isEarlier) await this.#needing(client, rows, () => this.#prepare(client));
    await beginWith(client, this.#place.begin);
    const check = await this.#place.positions.check(client, this.#id, id);
    switch (check.kind) {
      case 'stored':
        await client.query('ROLLBACK');
        return check.refused;
      case 'moved': {
        await client.query('ROLLBACK');
        const writer = `Slot ${this.#id.slot} of ${this.#id.stage}`;
        throw mr('MR_OWNERSHIP_LOST', { writer, expected: id.after });
      }
      case 'next': {
        if (this.#isEarlier) throw this.#changed();
        const refused = rows.rows === 0 ? [] : await this.#write(client, rows);
        const { shape } = this.#table;
        if (!(await this.#place.positions.move(client, this.#id, id, { refused, shape }, this.#shapeNowSql)))
          throw this.#changed();
        attempt.isCommitting = true;
        await client.query('COMMIT');
        return refused;
      }
    }
  }

  #write(client: pg.Client, rows: PostgresRows): Promise<readonly RefusedRow[]> {
    return this.#needing(client, rows, () => writeRows(client, rows, this.#statements, this.#place.where));
  }

  #needing<T>(client: pg.Client, { hasRemoved }: PostgresRows, work: () => Promise<T>): Promise<T> {
    const { config, where } = this.#place;
    return needing(client, rightsToWrite(config, this.#table, hasRemoved), where, work);
  }

  async #prepare(client: pg.Client): Promise<void> {
    if (this.#prepared === client || this.#statements.prepare === '') return;
    await inTransaction(client, this.#place.begin, () => client.query(this.#statements.prepare));
    this.#prepared = client;
  }

  async #attempt<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#session.use(work, signal);
    } catch (error) {
      signal.throwIfAborted();
      const known = classified(error, this.#place.where);
      throw known.handling === 'fence' ? known : this.#told.again(known);
    }
  }

  /** Whether the table differs from the one for which the rows were made; asked after an error that this would explain. */
  async #isChanged(signal: AbortSignal): Promise<boolean> {
    const { rows } = await this.#attempt(
      (client) =>
        inTransaction(client, this.#place.begin, () =>
          client.query<pg.QueryResultRow>(`SELECT ${this.#shapeNowSql} IS NOT DISTINCT FROM $1 AS same`, [
            this.#table.shape,
          ]),
        ),
      signal,
    );
    return rows[0]?.['same'] === false;
  }

  /** X6. */
  #changed(): MillraceError {
    this.#onFinished(this.#table.shape);
    const { table, sink: name } = this.#place.where;
    return mr('MR_SINK_TABLE_CHANGED', { table, sink: name });
  }

  async close(): Promise<void> {
    this.#onClosed();
    await this.#session.close();
  }
}

/** What writing rows into the table needs. `isDeleting`: some of them delete. */
function rightsToWrite(
  { schema, table: name }: TableName,
  { columns, isStaged, upsertKey: key }: Table,
  isDeleting: boolean,
): readonly Right[] {
  const table = { schema, table: name };
  const written = columns.map((column) => column.name);
  const replaced = written.filter((column) => !key.includes(column));
  return [
    onSchema(schema, 'USAGE'),
    onSequencesOf(table),
    ...(isStaged ? [onTable(table, 'SELECT', written)] : []),
    onTable(table, 'INSERT', written),
    ...(key.length > 0 ? [onTable(table, 'UPDATE', replaced)] : []),
    ...(isDeleting ? [onTable(table, 'DELETE')] : []),
  ];
}
