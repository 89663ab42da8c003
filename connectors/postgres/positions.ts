/**
 * Table `millrace_positions`: how far each slot has got, in the same transaction as its rows.
 *
 * P1  A slot's row is locked from the check to the commit: of two owners, one waits and then finds the position
 *     changed.
 * P2  A batch that is already stored is recognised by its token; its refused rows are stored with it, so that a
 *     repetition after an unknown outcome returns the same result. So is the table for which its rows were made:
 *     which record became which row, and which became none, depends on both. The intent in the commit log does not say it:
 *     it may be of a table in which nothing was stored, because it was altered before.
 * P3  The position moves only while the table is the one for which the rows were made.
 */
import type pg from 'pg';
import { z } from 'zod';
import type { BatchRange, StoredPosition } from '../../stream/sink-port.ts';
import { mr, problemOf } from '../../model/errors.ts';
import type { SinkSlotId } from '../connector.ts';
import type { PostgresFailureContext } from './failures.ts';
import { qualified } from './identifiers.ts';
import { needing, onSchema, onTable, type TableName } from './rights.ts';

export interface RefusedRow {
  readonly row: number;
  readonly problem: string;
}

export type Check =
  | { readonly kind: 'next' }
  | { readonly kind: 'stored'; readonly refused: readonly RefusedRow[] }
  | { readonly kind: 'moved'; readonly position: number };

/** What is kept of the batch that was stored last. */
interface Kept {
  readonly refused: readonly RefusedRow[];
  /** Of the table (`./shape.ts`); null where nothing was stored yet, or by an earlier version. */
  readonly shape: string | null;
}

const refusedRows = z.array(z.object({ row: z.number(), problem: z.string() }));
const keptText = z.object({ refused: refusedRows, shape: z.string() });
const storedRow = z.object({
  position: z.coerce.number(),
  token: z.string(),
  refused: z.union([refusedRows, z.object({ kept: z.string() })]),
});

interface StoredRow extends StoredPosition, Kept {}

export class Positions {
  readonly #name: TableName;
  readonly #table: string;
  readonly #where: PostgresFailureContext;

  constructor(schema: string, where: PostgresFailureContext) {
    this.#name = { schema, table: 'millrace_positions' };
    this.#table = qualified(schema, this.#name.table);
    this.#where = where;
  }

  /** Created only when missing, so that a user without the privilege to create can be given the table. */
  async ensureTable(client: pg.Client): Promise<void> {
    const found = await client.query<pg.QueryResultRow>('SELECT to_regclass($1) IS NOT NULL AS found', [this.#table]);
    if (found.rows[0]?.['found'] === true) return;
    const create = `CREATE TABLE IF NOT EXISTS ${this.#table} (
         pipeline_uid text NOT NULL,
         stage text NOT NULL,
         slot int NOT NULL,
         position bigint NOT NULL,
         token text NOT NULL,
         refused jsonb NOT NULL,
         PRIMARY KEY (pipeline_uid, stage, slot))`;
    const needs = [onSchema(this.#name.schema, 'USAGE', 'CREATE')];
    await needing(client, needs, this.#where, () => client.query(create));
    await client.query(
      `COMMENT ON TABLE ${this.#table} IS 'How far Millrace pipelines have written. A row that is deleted or set back stops its pipeline.'`,
    );
  }

  /** Locks the slot's row; inserts it when there is none. */
  async stored(client: pg.Client, slot: SinkSlotId): Promise<StoredPosition> {
    const { position, token } = await this.#read(client, slot);
    return { position, token };
  }

  /** P2. Locks, as {@link stored} does. */
  async shapeOfLast(client: pg.Client, slot: SinkSlotId): Promise<string | null> {
    return (await this.#read(client, slot)).shape;
  }

  /** Locks the slot's row until the transaction ends, and returns how the batch relates to the stored position. */
  async check(client: pg.Client, slot: SinkSlotId, { after, to, token }: BatchRange): Promise<Check> {
    const { position, token: last, refused } = await this.#read(client, slot);
    if (position === after) return { kind: 'next' };
    return position === to && last === token ? { kind: 'stored', refused } : { kind: 'moved', position };
  }

  /** P3: false if the table is another one, and nothing was done. */
  async move(
    client: pg.Client,
    slot: SinkSlotId,
    { to, token }: BatchRange,
    { refused, shape }: { readonly refused: readonly RefusedRow[]; readonly shape: string },
    shapeNowSql: string,
  ): Promise<boolean> {
    const kept = { kept: asciiJson({ refused, shape }) };
    // Named, so that it is planned once for a connection: the planning takes longer than the rest.
    const update = {
      name: 'millrace_move',
      text: `UPDATE ${this.#table} SET position = $4, token = $5, refused = $6
        WHERE pipeline_uid = $1 AND stage = $2 AND slot = $3 AND ${shapeNowSql} = $7`,
      values: [...keyOf(slot), to, token, JSON.stringify(kept), shape],
    };
    const moved = await this.#needing(client, () => client.query(update));
    return moved.rowCount === 1;
  }

  /** Inserts a row for a slot that has none, so that there is something to lock. */
  #read(client: pg.Client, slot: SinkSlotId): Promise<StoredRow> {
    return this.#needing(client, () => this.#readOrInsert(client, slot));
  }

  async #readOrInsert(client: pg.Client, slot: SinkSlotId): Promise<StoredRow> {
    const select = `SELECT position, token, refused FROM ${this.#table}
      WHERE pipeline_uid = $1 AND stage = $2 AND slot = $3 FOR UPDATE`;
    const found = await client.query<pg.QueryResultRow>(select, keyOf(slot));
    if (found.rows.length > 0) return this.#rowOf(found.rows[0], slot);
    const insert = `INSERT INTO ${this.#table} VALUES ($1, $2, $3, 0, '', '[]') ON CONFLICT DO NOTHING`;
    await client.query(insert, keyOf(slot));
    return this.#rowOf((await client.query<pg.QueryResultRow>(select, keyOf(slot))).rows[0], slot);
  }

  #needing<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
    const rights = (['SELECT', 'INSERT', 'UPDATE'] as const).map((right) => onTable(this.#name, right));
    return needing(client, rights, this.#where, work);
  }

  #rowOf(found: pg.QueryResultRow | undefined, slot: SinkSlotId): StoredRow {
    try {
      const { position, token, refused } = storedRow.parse(found);
      if (!('kept' in refused)) return { position, token, refused, shape: null };
      return { position, token, ...keptText.parse(JSON.parse(refused.kept)) };
    } catch (error) {
      if (!(error instanceof z.ZodError || error instanceof SyntaxError)) throw error;
      const problem = `what it holds for ${keyOf(slot).join(', ')} is none of Millrace's: ${problemOf(error)}`;
      const hint =
        'Put the row back as it was; without it, delete the row, and Millrace asks how to go on. It retries by itself.';
      throw mr('MR_SINK_TABLE_UNFIT', { table: this.#table, sink: this.#where.sink, problem, hint }, { cause: error });
    }
  }
}

/** The database may have an encoding in which a character of the text does not exist. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^ -~]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function keyOf({ pipelineUid, stage, slot }: SinkSlotId): [string, string, number] {
  return [pipelineUid, stage, slot];
}
