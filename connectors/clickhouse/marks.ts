/**
 * How many parts were ever written to the tables that an insert reaches: a counter that shows later how many were
 * added.
 *
 * M1  A mark never exceeds the true count. It may be old: then more seems to have been written since than really was.
 * M2  The count comes from the numbers of existing parts: a plain table numbers its parts consecutively, a replicated
 *     one numbers those of each partition. Merged parts keep the highest number.
 * M3  What is compared with a mark is never less than the true count ({@link Marks.most}): a replica that lags does not
 *     show what others have taken in, so what it still has to fetch counts as well (`./lag.ts`). Where that cannot be
 *     known, neither can the count.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import type { Mark } from '../../stream/sink-port.ts';
import type { WallClock } from '../../model/clock.ts';
import { rowsOf } from './ask.ts';
import { lagOf } from './lag.ts';
import { tablesOf, type Reached } from './reach.ts';
import { isReplicated, quotedName } from './window.ts';

const partsRow = z.object({
  database: z.string(),
  table: z.string(),
  highest: z.coerce.number(),
  total: z.coerce.number(),
});

const goodForMs = 10_000;

export class Marks {
  readonly #client: ClickHouseClient;
  readonly #tables: readonly Reached[];
  readonly #clock: WallClock;
  readonly #goodForInserts: number;
  #last: { readonly mark: Mark; readonly at: number } | undefined;
  #inserts = 0;

  /** `goodForInserts`: this many inserts of this pod, with those of other pods, are a small share of a window. */
  constructor(client: ClickHouseClient, reached: Reached, clock: WallClock, goodForInserts: number) {
    this.#client = client;
    this.#tables = tablesOf(reached);
    this.#clock = clock;
    this.#goodForInserts = goodForInserts;
  }

  /** The mark for the intent of one insert: read from the server now and then, otherwise the last one read. */
  async recent(signal: AbortSignal): Promise<Mark> {
    const last = this.#last;
    const ageMs = this.#clock.now() - (last?.at ?? 0);
    this.#inserts++;
    const isGood = ageMs >= 0 && ageMs < goodForMs && this.#inserts <= this.#goodForInserts;
    return last !== undefined && isGood ? last.mark : this.#now(signal);
  }

  /** M3. A table is missing in it whose count is not known. */
  async most(signal: AbortSignal): Promise<Mark> {
    const replicated = this.#tables.filter(({ engine }) => isReplicated(engine));
    // Before the count: what comes in between counts twice, and never not at all.
    const lag = await lagOf(this.#client, replicated, signal);
    const now = await this.#now(signal);
    return Object.fromEntries(
      Object.entries(now).flatMap(([table, count]) => {
        const behind = lag.has(table) ? lag.get(table) : 0;
        return behind === undefined ? [] : [[table, count + behind]];
      }),
    );
  }

  async #now(signal: AbortSignal): Promise<Mark> {
    const at = this.#clock.now();
    const rows = await rowsOf(
      this.#client,
      partsRow,
      `SELECT database, table, max(number) AS highest, sum(number) AS total FROM (
         SELECT database, table, partition_id, max(max_block_number) + 1 AS number FROM system.parts
         WHERE has(arrayZip({databases:Array(String)}, {names:Array(String)}), (database, table))
         GROUP BY database, table, partition_id)
       GROUP BY database, table`,
      { databases: this.#tables.map(({ database }) => database), names: this.#tables.map(({ name }) => name) },
      signal,
    );
    const mark = Object.fromEntries(
      this.#tables.map((table) => {
        const row = rows.find((one) => one.database === table.database && one.table === table.name);
        const count = isReplicated(table.engine) ? row?.total : row?.highest;
        return [quotedName(table), count ?? 0];
      }),
    );
    this.#last = { mark, at };
    this.#inserts = 0;
    return mark;
  }
}
