/** What the sinks hold, asked past the proxies. */
import pg from 'pg';
import { z } from 'zod';
import { Warehouse } from '../e2e/support/clickhouse.ts';

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
  readonly #warehouse: Warehouse;
  readonly #postgresUrl: string;

  constructor(clickhouseUrl: string, postgresUrl: string) {
    this.#warehouse = new Warehouse(clickhouseUrl);
    this.#postgresUrl = postgresUrl;
  }

  /** Rows of orders in both sinks; undefined while one of them does not answer. */
  async orderCount(): Promise<number | undefined> {
    try {
      const [warehouse, ledger] = await Promise.all([
        this.#warehouse.count('orders'),
        this.#sql('SELECT count(*) AS count FROM orders'),
      ]);
      return warehouse + countSchema.parse(ledger)[0].count;
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
      .parse(await this.#warehouse.rows('SELECT id, amount, edition, partition, offset FROM orders'));
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

  /** {@link Warehouse.outOfOrder} of the orders. */
  outOfOrder(): Promise<number> {
    return this.#warehouse.outOfOrder('orders');
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
    return this.#warehouse.close();
  }
}
