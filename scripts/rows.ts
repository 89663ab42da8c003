/** What the example pipeline has written, read from ClickHouse over HTTP. */
import { z } from 'zod';

const summary = z.object({
  rows: z.coerce.number(),
  ids: z.coerce.number(),
  unpaid: z.coerce.number(),
  wrongTotals: z.coerce.number(),
});

export type RowSummary = Readonly<z.infer<typeof summary>>;

export async function query(url: string, sql: string): Promise<string> {
  const answer = await fetch(url, { method: 'POST', body: sql });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`ClickHouse refused ${JSON.stringify(sql)}: ${text.trim()}`);
  return text;
}

/** undefined until the sink has created the table. */
export async function summarise(url: string, table: string): Promise<RowSummary | undefined> {
  if ((await query(url, `EXISTS TABLE ${table}`)).trim() !== '1') return undefined;
  const sql = `SELECT count() AS rows, uniqExact(id) AS ids, countIf(status != 'paid') AS unpaid,
    countIf(abs(total - price * quantity) > 0.000001) AS wrongTotals FROM ${table} FORMAT JSONEachRow`;
  return summary.parse(JSON.parse(await query(url, sql)));
}

/** Checks that every row is there once, filtered and mapped by the steps; returns a sentence for each failed check. */
export function complaints({ rows, ids, unpaid, wrongTotals }: RowSummary): readonly string[] {
  return [
    ...(rows === ids ? [] : [`${rows} rows have ${ids} ids: some arrived twice`]),
    ...(unpaid === 0 ? [] : [`${unpaid} rows should have been filtered out`]),
    ...(wrongTotals === 0 ? [] : [`${wrongTotals} rows have a wrong total`]),
  ];
}
