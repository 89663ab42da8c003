/** What an insert with these settings does beside storing rows: user, profile and server have a say in it. */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { z } from 'zod';
import { rowsOf } from './ask.ts';

export interface InsertBehaviour {
  /** `optimize_on_insert`: the rows of an insert are merged with each other, as the engine does. */
  readonly isMerging: boolean;
  /** `materialize_skip_indexes_on_insert`. */
  readonly buildsIndexes: boolean;
  /** `exclude_materialize_skip_indexes_on_insert`: names. */
  readonly withoutIndexes: readonly string[];
}

const names = [
  'optimize_on_insert',
  'materialize_skip_indexes_on_insert',
  'exclude_materialize_skip_indexes_on_insert',
];

const row = z.object({ name: z.string(), value: z.string() });

/** A server that does not know a setting does what it is for. */
export async function behaviourOf(client: ClickHouseClient, settings: ClickHouseSettings): Promise<InsertBehaviour> {
  const query = 'SELECT name, value FROM system.settings WHERE name IN ({names:Array(String)})';
  const rows = await rowsOf(client, row, query, { names }, undefined, settings);
  const valueOf = (name: string, usual: string) => rows.find((one) => one.name === name)?.value ?? usual;
  return {
    isMerging: valueOf('optimize_on_insert', '1') !== '0',
    buildsIndexes: valueOf('materialize_skip_indexes_on_insert', '1') !== '0',
    withoutIndexes: valueOf('exclude_materialize_skip_indexes_on_insert', '')
      .split(',')
      .map((name) => name.trim().replaceAll('`', '')),
  };
}

/** Settings without which the server makes no table with some types, codecs, indexes and keys, which one has already. */
const permissions =
  '^(allow|enable)_([a-z0-9_]+_)?(types?|codecs?|index|indices|primary_key|ttl_expressions|statistics?)$';

/** For making a table like one that is there: whoever made it may have asked for more than is usual. */
export async function permissionsOf(client: ClickHouseClient): Promise<ClickHouseSettings> {
  const query = 'SELECT name FROM system.settings WHERE match(name, {permissions:String})';
  const rows = await rowsOf(client, row.pick({ name: true }), query, { permissions });
  return Object.fromEntries(rows.map(({ name }) => [name, '1']));
}
