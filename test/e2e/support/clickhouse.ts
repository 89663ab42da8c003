/** Questions to the ClickHouse endpoint, asked over HTTP as any client would. */
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';

const totals = z.object({ rows: z.coerce.number(), ids: z.coerce.number(), total: z.coerce.number() });
const count = z.object({ count: z.coerce.number() });

export class Warehouse {
  readonly #client: ClickHouseClient;

  constructor(url: string, password = '') {
    this.#client = createClient({
      url,
      password,
      keep_alive: { enabled: false },
      // Tests kill it on purpose, and an error is thrown as well as logged.
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  async command(query: string): Promise<void> {
    await this.#client.command({ query });
  }

  async rows(query: string): Promise<unknown[]> {
    return await (await this.#client.query({ query, format: 'JSONEachRow' })).json();
  }

  /** Rows of a table; 0 while it does not exist. */
  async count(table: string): Promise<number> {
    const [{ exists }] = z
      .tuple([z.object({ exists: z.coerce.number() })])
      .parse(
        await this.rows(`SELECT count() AS exists FROM system.tables WHERE database = 'default' AND name = '${table}'`),
      );
    if (exists === 0) return 0;
    const [row] = z.tuple([count]).parse(await this.rows(`SELECT count() AS count FROM ${table}`));
    return row.count;
  }

  async totals(table: string): Promise<z.infer<typeof totals>> {
    const [row] = z
      .tuple([totals])
      .parse(await this.rows(`SELECT count() AS rows, uniqExact(id) AS ids, sum(total) AS total FROM ${table}`));
    return row;
  }

  /**
   * Rows that stand behind a row of a higher offset of their partition, in the order in which they were inserted.
   * The table must be `ORDER BY tuple()`: then blocks keep the order of inserts, and `_part_offset` that within a part.
   */
  async outOfOrder(table: string): Promise<number> {
    const [row] = z.tuple([count]).parse(
      await this.rows(`
        SELECT countIf(previous >= offset) AS count FROM (
          SELECT offset, lagInFrame(offset, 1, -1) OVER (
            PARTITION BY partition ORDER BY toUInt64(splitByChar('_', _part)[2]), _part_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous
          FROM ${table})`),
    );
    return row.count;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
