/** Questions to ClickHouse, and their answers as rows of a known shape. */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type { z } from 'zod';
import { answerTo } from './answer.ts';

export async function rowsOf<T>(
  client: ClickHouseClient,
  row: z.ZodType<T>,
  query: string,
  params: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
  settings: ClickHouseSettings = {},
): Promise<readonly T[]> {
  const answer = await answerTo(client, { query: `${query}\nFORMAT JSONEachRow`, params, signal, settings });
  return answer.split('\n').flatMap((line) => (line === '' ? [] : [row.parse(JSON.parse(line))]));
}
