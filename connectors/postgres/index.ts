/**
 * The PostgreSQL sink.
 *
 * X1  Rows and position are in one transaction: both are stored or neither.
 * X2  A batch is written only if the stored position is the one before it. Otherwise it was already stored and the same
 *     result is returned again, or another owner has moved the position and MR_OWNERSHIP_LOST ends this one.
 * X3  Faulty rows are found by bisection between savepoints and refused one by one; the others are stored with the
 *     position, in the same transaction. Each savepoint is released, so that none nests in another.
 * X4  COMMIT waits until the transaction is on disk, whatever the server's default: what is committed here is removed
 *     everywhere else.
 * X5  An attempt that has not sent its COMMIT stored nothing.
 */
import type pg from 'pg';
import { MillraceError, mr } from '../../model/errors.ts';
import type { BatchRange, PositionedSinkSlot, StoredPosition, WriteEnd } from '../../stream/sink-port.ts';
import { bisect } from '../bisect.ts';
import type { ConnectorContext, RowBuffer, Sink, SinkConnector, SinkSlot, SinkSlotId } from '../connector.ts';
import { copyIn } from './copy-in.ts';
import { parseFailure, type FailureContext } from './failures.ts';
import { Positions, type RefusedRow } from './positions.ts';
import { PostgresRows } from './rows.ts';
import { Session } from './session.ts';
import type { PostgresSinkConfig } from './spec.ts';
import { statementsOf, type Statements } from './statements.ts';
import { copyDefaultsVersion, openTable, type Table } from './table.ts';

/**
 * `copyDefaultsSince`: the version of PostgreSQL whose COPY has a marker for a default; a test simulates an older
 * one.
 */
export function postgresSink(copyDefaultsSince = copyDefaultsVersion): SinkConnector<PostgresSinkConfig> {
  return {
    async connect(config, context) {
      const where = whereOf(config, context);
      const session = new Session(config);
      const positions = new Positions(config.schema);
      try {
        const table = await session.use(async (client) => {
          const opened = await openTable(client, config, where, copyDefaultsSince);
          await positions.ensureTable(client);
          return opened;
        });
        return new PostgresSink(config, where, table, positions);
      } catch (error) {
        throw classified(error, where);
      } finally {
        await session.close();
      }
    },
  };
}

export const sink = postgresSink();

class PostgresSink implements Sink {
  readonly #config: PostgresSinkConfig;
  readonly #where: FailureContext;
  readonly #table: Table;
  readonly #positions: Positions;
  readonly #slots = new Set<PostgresSlot>();

  constructor(config: PostgresSinkConfig, where: FailureContext, table: Table, positions: Positions) {
    this.#config = config;
    this.#where = where;
    this.#table = table;
    this.#positions = positions;
  }

  open(id: SinkSlotId): Promise<SinkSlot> {
    const slot = new PostgresSlot(id, this.#config, this.#where, this.#table, this.#positions);
    this.#slots.add(slot);
    return Promise.resolve(slot);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots].map((slot) => slot.close()));
  }
}

class PostgresSlot implements PositionedSinkSlot<RowBuffer> {
  readonly positionIn = 'sink';
  /** Where the position is stored: the same table beside another position table is a different target. */
  readonly target: string;
  readonly onPositionLost: PostgresSinkConfig['onPositionLost'];
  readonly #id: SinkSlotId;
  readonly #where: FailureContext;
  readonly #table: Table;
  readonly #positions: Positions;
  readonly #session: Session;
  readonly #statements: Statements;
  readonly #upsertKey: readonly string[];
  /** The connection that has the temporary table. */
  #prepared: pg.Client | undefined;

  constructor(id: SinkSlotId, config: PostgresSinkConfig, where: FailureContext, table: Table, positions: Positions) {
    this.#id = id;
    this.#where = where;
    this.#table = table;
    this.#positions = positions;
    this.onPositionLost = config.onPositionLost;
    this.target = `${where.server}/${config.database}.${config.schema}`;
    this.#session = new Session(config);
    this.#upsertKey = config.upsertKey;
    this.#statements = statementsOf(table, config.upsertKey);
  }

  storedPosition(signal: AbortSignal): Promise<StoredPosition> {
    return this.#attempt((client) => this.#positions.stored(client, this.#id), signal);
  }

  newRows(): RowBuffer {
    return new PostgresRows(this.#table, this.#upsertKey);
  }

  async write(rows: RowBuffer, id: BatchRange, _refused: unknown, signal: AbortSignal): Promise<WriteEnd> {
    if (!(rows instanceof PostgresRows)) throw new TypeError('rows were not made by newRows');
    const attempt = { isCommitting: false };
    try {
      const refused = await this.#attempt((client) => this.#transaction(client, rows, id, attempt), signal);
      return {
        kind: 'stored',
        refused: refused.map(({ row, problem }) => ({
          row,
          error: mr('MR_RECORD_REFUSED', { sink: this.#where.sink, problem }),
        })),
      };
    } catch (error) {
      if (!(error instanceof MillraceError) || error.handling === 'fence') throw error;
      return { kind: attempt.isCommitting ? 'unknown' : 'nothing', error };
    }
  }

  async #transaction(
    client: pg.Client,
    rows: PostgresRows,
    id: BatchRange,
    attempt: { isCommitting: boolean },
  ): Promise<readonly RefusedRow[]> {
    await this.#prepare(client);
    // Deferred constraints would fail at COMMIT, when no row can be blamed any more.
    await client.query(`BEGIN; SET CONSTRAINTS ALL IMMEDIATE; ${durableCommit}`);
    const check = await this.#positions.check(client, this.#id, id);
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
        const refused = rows.rows === 0 ? [] : await this.#writeRows(client, rows);
        await this.#positions.move(client, this.#id, id, refused);
        attempt.isCommitting = true;
        await client.query('COMMIT');
        return refused;
      }
    }
  }

  async #prepare(client: pg.Client): Promise<void> {
    if (this.#prepared === client || this.#statements.prepare === '') return;
    await client.query(this.#statements.prepare);
    this.#prepared = client;
  }

  #writeRows(client: pg.Client, rows: PostgresRows): Promise<readonly RefusedRow[]> {
    return bisect(0, rows.rows, async (from, to) => {
      await client.query('SAVEPOINT millrace');
      try {
        await copyIn(client, this.#statements.copy, rows.slice(from, to));
        if (rows.hasRemoved) await client.query(this.#statements.remove);
        if (this.#statements.merge !== '') await client.query(this.#statements.merge);
        await client.query('RELEASE SAVEPOINT millrace');
        return null;
      } catch (error) {
        const failure = parseFailure(error, this.#where);
        if (failure.kind === 'wait') throw failure.error;
        await client.query('ROLLBACK TO SAVEPOINT millrace; RELEASE SAVEPOINT millrace');
        return failure.problem;
      }
    });
  }

  async #attempt<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#session.use(work, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw classified(error, this.#where);
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}

/** `remote_apply` waits for more than `on` does, so it is kept. */
const durableCommit = `SELECT set_config('synchronous_commit', 'on', true)
  WHERE current_setting('synchronous_commit') <> 'remote_apply'`;

function whereOf(config: PostgresSinkConfig, { name, identity }: ConnectorContext): FailureContext {
  // With a key, tombstones may delete; whether they do is unknown to the connector.
  const rights = config.upsertKey.length > 0 ? 'SELECT, INSERT, UPDATE, DELETE' : 'INSERT';
  const { schema } = config;
  const table = `${schema}.${config.table}`;
  return { sink: name, identity, server: `${config.host}:${config.port}`, schema, table, rights };
}

/** Outside of a batch no row can be at fault: an error that looks like it is a race, or a table of the wrong form. */
function classified(error: unknown, where: FailureContext): MillraceError {
  if (error instanceof MillraceError) return error;
  const failure = parseFailure(error, where);
  if (failure.kind === 'wait') return failure.error;
  const { sink, server } = where;
  return mr('MR_SINK_BUSY', { sink, server, problem: failure.problem }, { cause: error });
}
