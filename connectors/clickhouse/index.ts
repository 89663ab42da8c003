/**
 * The ClickHouse sink.
 *
 * X1  One batch is one insert and one block, under the batch's token: the table drops it when it arrives a second time,
 *     and so does every table that a view fills from it.
 * X2  An attempt whose outcome is unknown is repeated with the same token and the same rows, as long as every table
 *     certainly remembers the token (`./window.ts`). What an error says about the outcome is in `./codes.ts`.
 * X3  Faulty rows are found without really inserting any (`./examiner.ts`). When a table has views, that is done
 *     before the insert, because the table already has the block when a view refuses it; otherwise after a refusal,
 *     which comes before anything is stored. The other rows are inserted once, under the batch's token: a partition
 *     that was stored before the refusal of another has none of the refused rows. Only the table in which a batch was
 *     started remembers it: if an edit of the spec names another table, a person is asked.
 * X4  A table that has changed since it was read is read again between two batches: before a batch is begun, at most a
 *     second after the last look, and right before each insert whose format names no types. A batch that was begun is
 *     never sent with columns that the table no longer has.
 * X5  The position is kept by Millrace (`commitLog`): ClickHouse has no transaction to store it in.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { MillraceError, mr } from '../../model/errors.ts';
import { milliseconds } from '../../model/quantities.ts';
import type { BatchRange, Begun, LoggedSinkSlot, Mark, RefusedRow, Verdict, WriteEnd } from '../../stream/sink-port.ts';
import type {
  ConnectorContext,
  RowBuffer,
  Sink,
  SinkConnector,
  SinkContext,
  SinkSlot,
  SinkSlotId,
} from '../connector.ts';
import { rowsOf } from './ask.ts';
import { connectClient } from './client.ts';
import { Examiner, examinationError } from './examiner.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { parseFailure, type RowsAtFault } from './failures.ts';
import { insertStatement, opening, send } from './insert.ts';
import { Marks } from './marks.ts';
import { ClickHouseRows } from './row-buffer.ts';
import { runsWithout, type Runs } from './runs.ts';
import { sentNames, insertSettings, knownSettingsQuery, partitionsOf, type InsertConfig } from './settings.ts';
import type { ClickHouseSinkConfig } from './spec.ts';
import { isSame, shapeName, shapeOf, shapeOfReached, type Shape } from './shape.ts';
import { alterHint, cannotTell } from './twins.ts';
import { openTable, type OpenedTable } from './table.ts';
import { forgotten, insertsPerMark, type Writers } from './window.ts';

/** What changes while a batch is examined is examined again; this often in a row it does not change. */
const mostTwins = 3;

/** X4: costs one small query. */
const lookEveryMs = 1_000;

export const sink: SinkConnector<ClickHouseSinkConfig> = {
  async connect(config, context) {
    const where = whereOf(config, context);
    const client = connectClient(config);
    const writers = { slots: context.slots, partitions: partitionsOf(config.settings) };
    try {
      const opening = () => readTable(client, config, writers, context, where);
      const read = await opening();
      const names = await rowsOf(client, z.object({ name: z.string() }), knownSettingsQuery, { names: sentNames });
      const settings = new Set(names.map(({ name }) => name));
      return new ClickHouseSink({ client, config, where, writers, settings, context, ...read }, opening);
    } catch (error) {
      await client.close();
      throw classified(error, where);
    }
  },
};

interface Opened {
  readonly client: ClickHouseClient;
  readonly config: ClickHouseSinkConfig;
  readonly where: SinkFailureContext;
  readonly writers: Writers;
  readonly opened: OpenedTable;
  readonly marks: Marks;
  /** Settings that the server knows. */
  readonly settings: ReadonlySet<string>;
  readonly context: SinkContext;
}

interface Read {
  readonly opened: OpenedTable;
  readonly marks: Marks;
}

async function readTable(
  client: ClickHouseClient,
  config: ClickHouseSinkConfig,
  writers: Writers,
  { clock }: SinkContext,
  where: SinkFailureContext,
): Promise<Read> {
  const opened = await openTable(client, config, writers, where);
  return { opened, marks: new Marks(client, opened.reached, clock, insertsPerMark(opened.windows, writers)) };
}

class ClickHouseSink implements Sink {
  readonly #reading: () => Promise<Read>;
  #opened: Opened;

  constructor(opened: Opened, reading: () => Promise<Read>) {
    this.#opened = opened;
    this.#reading = reading;
  }

  /** X4. Slots that are open keep what they have read. */
  async open(id: SinkSlotId): Promise<SinkSlot> {
    const { client, where, opened } = this.#opened;
    try {
      if (!isSame(await shapeOf(client, opened.reached), opened.shape)) {
        this.#opened = { ...this.#opened, ...(await this.#reading()) };
      }
    } catch (error) {
      throw classified(error, where);
    }
    const slot = new ClickHouseSlot(this.#opened, id);
    try {
      await slot.open();
    } catch (error) {
      throw classified(error, where);
    }
    return slot;
  }

  async close(): Promise<void> {
    await this.#opened.client.close();
  }
}

class ClickHouseSlot implements LoggedSinkSlot {
  readonly positionIn = 'commitLog';
  readonly target: string;
  readonly shape: string;
  readonly #sink: Opened;
  readonly #statement: string;
  /** The bytes before the rows of every insert. */
  readonly #opening: Buffer;
  readonly #marksDefaults: boolean;
  readonly #examiner: Examiner;
  #lookedAt: number;
  #hasChanged = false;
  /** Rows that were made before are no rows of the table any more. */
  #hasOtherColumns = false;

  constructor(sinkOpened: Opened, slot: SinkSlotId) {
    this.#sink = sinkOpened;
    const { client, config, where, opened, settings, context } = sinkOpened;
    const { table } = opened;
    this.#lookedAt = context.clock.now();
    this.target = `${where.server}/${where.table}`;
    this.shape = shapeName(opened.shape);
    this.#marksDefaults = table.columns.some(({ hasDefault }) => hasDefault);
    this.#statement = insertStatement(table, this.#marksDefaults);
    this.#opening = opening(table, this.#marksDefaults);
    this.#examiner = new Examiner({
      client,
      database: config.database,
      name: config.table,
      table,
      marksDefaults: this.#marksDefaults,
      opening: this.#opening,
      settings: insertSettings(insertConfig(config), settings),
      where,
      slot,
      clock: context.clock,
      log: context.log,
    });
  }

  open(): Promise<void> {
    return this.#examiner.open();
  }

  newRows(): RowBuffer {
    const { columns, closed } = this.#sink.opened.table;
    return new ClickHouseRows(columns, this.#marksDefaults, closed);
  }

  async mark(signal: AbortSignal): Promise<Mark> {
    return this.#named(async () => {
      const age = this.#sink.context.clock.now() - this.#lookedAt;
      if (age < 0 || age >= lookEveryMs) await this.#look(signal);
      if (this.#hasChanged) throw this.#changed();
      return this.#sink.marks.recent(signal);
    }, signal);
  }

  /** X2. */
  async mayRepeat(id: BatchRange, begun: Begun, signal: AbortSignal): Promise<Verdict> {
    const { marks, config, where } = this.#sink;
    const { windows, shape } = await this.#reopen();
    // With the rows as the table takes them now, it is the next run that asks, and tells when they are others.
    if (shape.columns !== this.#sink.opened.shape.columns) throw this.#changed();
    const now = await this.#named(() => marks.most(signal), signal);
    const problem = begun.changed ?? forgotten(windows, begun, now);
    if (problem === undefined || config.onUncertain === 'Repeat') return { kind: 'repeat' };
    if (config.onUncertain === 'Skip') return { kind: 'stored' };
    const { from, to, token } = id;
    const hint = `The server may still know: SELECT event_time, type FROM system.query_log WHERE Settings['insert_deduplication_token'] = '${token}'.`;
    const back =
      begun.otherTarget === undefined ? '' : `Or set the sink back to ${begun.otherTarget}, which may still know. `;
    const about = { from, to, sink: where.sink, rows: begun.rows, table: begun.otherTarget ?? where.table };
    return { kind: 'ask', error: mr('MR_SINK_OUTCOME_UNKNOWN', { ...about, problem, hint: `${back}${hint}` }) };
  }

  async write(
    rows: RowBuffer,
    id: BatchRange,
    refused: readonly RefusedRow[] | undefined,
    signal: AbortSignal,
  ): Promise<WriteEnd> {
    if (!(rows instanceof ClickHouseRows)) throw new TypeError('rows were not made by newRows');
    signal.throwIfAborted();
    const kept = runsWithout(rows.rows, refused);
    if (refused === undefined && this.#sink.opened.reached.views.length > 0) {
      const examined = await this.#examineFirst(rows, kept, signal);
      if (examined !== undefined) return examined;
    }
    return this.#insert(rows, kept, id.token, signal);
  }

  /** X3. Undefined: it is not possible here, and the insert will show it. */
  async #examineFirst(rows: ClickHouseRows, kept: Runs, signal: AbortSignal) {
    return this.#examining('nothing', signal, async (): Promise<WriteEnd | undefined> => {
      for (let twins = 0; twins < mostTwins; twins++) {
        if (!(await this.#examiner.isReady())) return undefined;
        const found = await this.#examiner.find(rows, kept, false, signal);
        const { reached } = this.#examiner;
        const shape = await this.#look(signal, reached);
        // Rows that were encoded for other columns look faulty, or sound, and are neither.
        if (this.#hasOtherColumns) return { kind: 'nothing', error: this.#unfit() };
        if (found.kind === 'wait') return { kind: 'nothing', error: found.error };
        if (reached !== undefined && shape.reached === shapeOfReached(reached)) {
          return { kind: 'examined', refused: found.refused, mayBeStored: false, shape: shapeName(shape) };
        }
        // What an old twin takes is perhaps refused now, by a view, when the table has it already.
        await this.#examiner.forget();
      }
      return { kind: 'nothing', error: this.#unfit('it, or what its views write to, changes again and again') };
    });
  }

  async #insert(rows: ClickHouseRows, kept: Runs, token: string, signal: AbortSignal): Promise<WriteEnd> {
    const { client, config, where, settings } = this.#sink;
    try {
      if (this.#marksDefaults) await this.#look(signal);
      if (this.#hasOtherColumns) return { kind: 'nothing', error: this.#unfit() };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'nothing', error: classified(error, where) };
    }
    try {
      const own = insertSettings(insertConfig(config), settings, token);
      await send(client, this.#statement, [this.#opening, ...rows.pieces(kept)], own, signal);
      return { kind: 'stored', refused: [] };
    } catch (error) {
      signal.throwIfAborted();
      const failure = parseFailure(error, where);
      if (failure.kind === 'wait') return { kind: failure.stored, error: failure.error };
      return this.#examineRefused(rows, kept, failure, signal);
    }
  }

  async #examineRefused(
    rows: ClickHouseRows,
    kept: Runs,
    failure: RowsAtFault,
    signal: AbortSignal,
  ): Promise<WriteEnd> {
    // Partitions are stored in turn: those before the one with the faulty row may be stored.
    const mayBeStored = failure.stored === 'unknown' || this.#sink.opened.reached.partitionKey !== '';
    const kind = mayBeStored ? 'unknown' : 'nothing';
    return this.#examining(kind, signal, async (): Promise<WriteEnd> => {
      const found = await this.#examiner.find(rows, kept, true, signal);
      const shape = shapeName(await this.#look(signal));
      if (this.#hasOtherColumns) return { kind, error: this.#unfit() };
      if (found.kind === 'wait') return { kind, error: found.error };
      if (found.refused.length > 0) return { kind: 'examined', refused: found.refused, mayBeStored, shape };
      const why = `a copy of the table takes each of them alone, but the table itself says: ${failure.problem}`;
      return { kind, error: cannotTell(this.#sink.where, why, alterHint) };
    });
  }

  async #examining<T>(kind: 'nothing' | 'unknown', signal: AbortSignal, examine: () => Promise<T>) {
    try {
      return await examine();
    } catch (error) {
      signal.throwIfAborted();
      return { kind, error: classified(examinationError(error), this.#sink.where) };
    }
  }

  /** X4. */
  async #look(signal: AbortSignal, reached = this.#sink.opened.reached): Promise<Shape> {
    const { client, context, opened } = this.#sink;
    const now = context.clock.now();
    const shape = await shapeOf(client, reached, signal);
    if (!isSame(shape, opened.shape)) this.#hasChanged = true;
    if (shape.columns !== opened.shape.columns) this.#hasOtherColumns = true;
    this.#lookedAt = now;
    return shape;
  }

  #changed(): MillraceError {
    const { table, sink: name } = this.#sink.where;
    return mr('MR_SINK_TABLE_CHANGED', { table, sink: name });
  }

  #unfit(problem = 'its columns have changed since the sink read them'): MillraceError {
    const { table, sink: name } = this.#sink.where;
    return mr('MR_SINK_TABLE_UNFIT', { table, sink: name, problem, hint: 'The sink reads it again by itself.' });
  }

  #reopen(): Promise<OpenedTable> {
    const { client, config, writers, where } = this.#sink;
    return this.#named(() => openTable(client, config, writers, where));
  }

  async #named<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      signal?.throwIfAborted();
      throw classified(error, this.#sink.where);
    }
  }

  close(): Promise<void> {
    return this.#examiner.close();
  }
}

function insertConfig({ settings, requestTimeout }: ClickHouseSinkConfig): InsertConfig {
  return { settings, requestTimeoutMs: milliseconds(requestTimeout) };
}

function whereOf(config: ClickHouseSinkConfig, { name, identity }: ConnectorContext): SinkFailureContext {
  return { sink: name, identity, server: serverOf(config.url), table: `${config.database}.${config.table}` };
}

/** Host and port only: a URL may hold a password. */
function serverOf(url: string): string {
  return URL.parse(url)?.host ?? 'an address that is no URL';
}

function classified(error: unknown, where: SinkFailureContext): MillraceError {
  if (error instanceof MillraceError) return error;
  const failure = parseFailure(error, where);
  if (failure.kind === 'wait') return failure.error;
  const hint = 'Correct createTable; Millrace retries by itself.';
  const { sink, table } = where;
  return mr('MR_SINK_TABLE_UNFIT', { table, sink, problem: failure.problem, hint }, { cause: error });
}
