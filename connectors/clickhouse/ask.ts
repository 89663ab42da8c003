/** Questions to ClickHouse, and their answers as rows of a known shape. */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';

export async function rowsOf<T>(
  client: ClickHouseClient,
  row: z.ZodType<T>,
  query: string,
  params: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<readonly T[]> {
  const result = await client.query({
    query,
    query_params: params,
    format: 'JSONEachRow',
    ...(signal === undefined ? {} : { abort_signal: signal }),
  });
  return z.array(row).parse(await result.json());
}
