/** What the sinks hold, asked past the proxies. */
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import pg from 'pg';
import { z } from 'zod';

export interface OrderRow {
  readonly id: number;
  readonly amount: number;
  readonly edition: number;
  readonly partition: number;
  readonly offset: number;
}

const rowSchema = z.object({
  id: z.coerce.number(),
  amount: z.coerce.number(),
  edition: z.coerce.number(),
  partition: z.coerce.number(),
  offset: z.coerce.number(),
});
const countSchema = z.tuple([z.object({ count: z.coerce.number() })]);

export class Sinks {
  readonly #clickhouse: ClickHouseClient;
  readonly #postgresUrl: string;

  constructor(clickhouseUrl: string, postgresUrl: string) {
    this.#clickhouse = createClient({
      url: clickhouseUrl,
      keep_alive: { enabled: false },
      request_timeout: 10_000,
      // It is killed on purpose; a report of each refusal would hide the schedule.
      log: { level: ClickHouseLogLevel.OFF },
    });
    this.#postgresUrl = postgresUrl;
  }

  /** Rows of orders in both sinks; undefined while one of them does not answer. */
  async orderCount(): Promise<number | undefined> {
    try {
      const [warehouse, ledger] = await Promise.all([
        this.#query(`SELECT count() AS count FROM orders`),
        this.#sql('SELECT count(*) AS count FROM orders'),
      ]);
      return countSchema.parse(warehouse)[0].count + countSchema.parse(ledger)[0].count;
    } catch {
      return undefined;
    }
  }

  async eventCount(): Promise<number | undefined> {
    try {
      return countSchema.parse(await this.#sql('SELECT count(*) AS count FROM events'))[0].count;
    } catch {
      return undefined;
    }
  }

  async orders(): Promise<{ warehouse: OrderRow[]; ledger: OrderRow[] }> {
    const warehouse = z
      .array(rowSchema)
      .parse(await this.#query('SELECT id, amount, edition, partition, offset FROM orders'));
    const ledger = z
      .array(rowSchema)
      .parse(await this.#sql('SELECT id, amount, edition, "partition", "offset" FROM orders'));
    return { warehouse, ledger };
  }

  async events(): Promise<number[]> {
    return z
      .array(z.object({ id: z.coerce.number() }))
      .parse(await this.#sql('SELECT id FROM events'))
      .map(({ id }) => id);
  }

  /** Rows that stand behind a row of a higher offset of their partition, in the order in which they were inserted. */
  async outOfOrder(): Promise<number> {
    const answer = await this.#query(`
      SELECT countIf(previous >= offset) AS count FROM (
        SELECT offset, lagInFrame(offset, 1, -1) OVER (
          PARTITION BY partition ORDER BY toUInt64(splitByChar('_', _part)[2]), _part_offset
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous
        FROM orders)`);
    return countSchema.parse(answer)[0].count;
  }

  async #query(query: string): Promise<unknown> {
    return await (await this.#clickhouse.query({ query, format: 'JSONEachRow' })).json();
  }

  async #sql(text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: this.#postgresUrl, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined); // A connection that breaks is told by the query that it breaks.
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(text);
      return rows;
    } finally {
      await client.end();
    }
  }

  close(): Promise<void> {
    return this.#clickhouse.close();
  }
}
