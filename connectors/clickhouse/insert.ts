/** The insert statement of a table, its settings, and the bytes in front of the rows. Pure. */
import type { ClickHouseSettings } from '@clickhouse/client';
import { ByteWriter } from './byte-writer.ts';
import type { ClickHouseSinkConfig } from './spec.ts';
import { quoted, type Table } from './table.ts';

/** More rows than a batch may have: the server must not cut a batch into blocks. */
const rowsOfOneBlock = '16777216';

/**
 * Without defaults to mark, names and types go in front of the rows: the server then refuses a table whose types have
 * changed, where plain RowBinary would read other values out of the same bytes.
 */
export function insertStatement({ name, columns }: Table, marksDefaults: boolean): string {
  const format = marksDefaults ? 'RowBinaryWithDefaults' : 'RowBinaryWithNamesAndTypes';
  return `INSERT INTO ${name} (${columns.map((column) => quoted(column.name)).join(', ')}) FORMAT ${format}`;
}

export function opening({ columns }: Table, marksDefaults: boolean): Buffer {
  const writer = new ByteWriter();
  if (!marksDefaults) {
    writer.varint(columns.length);
    for (const { name } of columns) writer.text(name);
    for (const { type } of columns) writer.text(type);
  }
  return Buffer.from(writer.slice(0, writer.at));
}

/** The spec's settings, then those that X1 needs. */
export function insertSettings(config: ClickHouseSinkConfig, token: string): ClickHouseSettings {
  return {
    ...Object.fromEntries(config.settings.map(({ name, value }) => [name, value])),
    insert_deduplication_token: token,
    insert_deduplicate: 1,
    async_insert: 0,
    wait_end_of_query: 1,
    max_insert_block_size: rowsOfOneBlock,
    min_insert_block_size_rows: rowsOfOneBlock,
    min_insert_block_size_bytes: '0',
    input_format_parallel_parsing: 0,
    input_format_binary_read_json_as_string: 1,
  };
}
