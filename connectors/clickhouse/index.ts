/**
 * The ClickHouse sink.
 *
 * X1  One batch is one insert and one block, under the batch's token: the table drops it when it comes a second time.
 * X2  An attempt whose end is unknown is repeated with the same token and the same bytes.
 * X3  When rows are at fault, halves are written under tokens made of the batch's token and the rows' numbers, so that
 *     a repeated bisection is dropped as well; the rows at fault are refused, one by one.
 * X4  The position is kept by Millrace (`commitLog`): ClickHouse has no transaction to put it in.
 */
import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { MillraceError, mr } from '../../model/errors.ts';
import { bisect } from '../bisect.ts';
import type { BatchRange, LoggedSinkSlot, Verdict, WriteEnd } from '../../stream/sink-port.ts';
import type { ConnectorContext, RowBuffer, Sink, SinkConnector, SinkSlot } from '../connector.ts';
import { connectClient } from './client.ts';
import { parseFailure, type Where } from './failures.ts';
import { insertStatement, insertSettings, opening } from './insert.ts';
import { ClickHouseRows } from './row-buffer.ts';
import type { ClickHouseSinkConfig } from './spec.ts';
import { openTable, type Table } from './table.ts';

export const sink: SinkConnector<ClickHouseSinkConfig> = {
  async connect(config, context) {
    const where = whereOf(config, context);
    const client = connectClient(config);
    try {
      const table = await openTable(client, config, where);
      return new ClickHouseSink(client, config, where, table);
    } catch (error) {
      await client.close();
      throw classified(error, where);
    }
  },
};

class ClickHouseSink implements Sink {
  readonly #client: ClickHouseClient;
  readonly #config: ClickHouseSinkConfig;
  readonly #where: Where;
  readonly #table: Table;

  constructor(client: ClickHouseClient, config: ClickHouseSinkConfig, where: Where, table: Table) {
    this.#client = client;
    this.#config = config;
    this.#where = where;
    this.#table = table;
  }

  open(): Promise<SinkSlot> {
    return Promise.resolve(new ClickHouseSlot(this.#client, this.#config, this.#where, this.#table));
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

class ClickHouseSlot implements LoggedSinkSlot<RowBuffer> {
  readonly positionIn = 'commitLog';
  readonly #client: ClickHouseClient;
  readonly #config: ClickHouseSinkConfig;
  readonly #where: Where;
  readonly #table: Table;
  readonly #statement: string;
  /** What stands before the rows of every insert. */
  readonly #opening: Buffer;
  readonly #marksDefaults: boolean;

  constructor(client: ClickHouseClient, config: ClickHouseSinkConfig, where: Where, table: Table) {
    this.#client = client;
    this.#config = config;
    this.#where = where;
    this.#table = table;
    this.#marksDefaults = table.columns.some(({ hasDefault }) => hasDefault);
    this.#statement = insertStatement(table, this.#marksDefaults);
    this.#opening = opening(table, this.#marksDefaults);
  }

  mark(): Promise<null> {
    return Promise.resolve(null);
  }

  mayRepeat(): Promise<Verdict> {
    return Promise.resolve({ kind: 'repeat' });
  }

  newRows(): RowBuffer {
    return new ClickHouseRows(this.#table.columns, this.#marksDefaults, this.#table.closed);
  }

  async write(rows: RowBuffer, id: BatchRange, _refused: unknown, signal: AbortSignal): Promise<WriteEnd> {
    if (!(rows instanceof ClickHouseRows)) throw new TypeError('rows were not made by newRows');
    const refused = await bisect(0, rows.rows, async (from, to) => {
      const isWhole = from === 0 && to === rows.rows;
      return this.#insert(rows.slice(from, to), isWhole ? id.token : `${id.token}/${from}-${to}`, signal);
    });
    return {
      kind: 'stored',
      refused: refused.map(({ row, problem }) => ({
        row,
        error: mr('MR_RECORD_REFUSED', { sink: this.#where.sink, problem }),
      })),
    };
  }

  /** Null when the rows are stored, or the problem when some of them are at fault. */
  async #insert(bytes: Buffer, token: string, signal: AbortSignal): Promise<string | null> {
    signal.throwIfAborted();
    try {
      const { stream } = await this.#client.exec({
        query: this.#statement,
        values: Readable.from([this.#opening, bytes], { objectMode: false }),
        clickhouse_settings: insertSettings(this.#config, token),
        abort_signal: signal,
      });
      // The answer is empty; reading it to its end gives the connection back.
      for await (const _ of stream);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      const failure = parseFailure(error, this.#where);
      if (failure.kind === 'wait') throw failure.error;
      await this.#checkUnchanged();
      return failure.problem;
    }
  }

  /** Rows that were encoded for other columns look as if they were at fault, and must not be refused for it. */
  async #checkUnchanged(): Promise<void> {
    const { columns } = await this.#reopen();
    const known = this.#table.columns;
    const isSame = known.every(({ name, type }) => columns.some((now) => now.name === name && now.type === type));
    if (isSame) return;
    throw mr('MR_SINK_TABLE_UNFIT', {
      table: this.#where.table,
      sink: this.#where.sink,
      problem: 'its columns have changed since the sink read them',
      hint: 'Restart the sink (kubectl rollout restart), so that it reads the columns again.',
    });
  }

  async #reopen(): Promise<Table> {
    try {
      return await openTable(this.#client, this.#config, this.#where);
    } catch (error) {
      throw classified(error, this.#where);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function whereOf(config: ClickHouseSinkConfig, { name }: ConnectorContext): Where {
  return { sink: name, server: serverOf(config.url), table: `${config.database}.${config.table}` };
}

/** Host and port only: a URL may hold a password. */
function serverOf(url: string): string {
  return URL.parse(url)?.host ?? 'an address that is no URL';
}

function classified(error: unknown, where: Where): MillraceError {
  if (error instanceof MillraceError) return error;
  const failure = parseFailure(error, where);
  if (failure.kind === 'wait') return failure.error;
  const hint = 'Correct createTable; Millrace retries by itself.';
  const { sink, table } = where;
  return mr('MR_SINK_TABLE_UNFIT', { table, sink, problem: failure.problem, hint }, { cause: error });
}
