/** The insert statement of a table, the bytes in front of the rows, and the way there. */
import { Readable } from 'node:stream';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { inserted } from './answer.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Table } from './table.ts';
import { quoted } from './window.ts';

/**
 * Without defaults to mark, names and types go in front of the rows: the server then refuses a table whose types have
 * changed, where plain RowBinary would read other values out of the same bytes.
 */
export function insertStatement(table: Table, marksDefaults: boolean): string {
  return `${into(table)} FORMAT ${marksDefaults ? 'RowBinaryWithDefaults' : 'RowBinaryWithNamesAndTypes'}`;
}

/** For a row of defaults. It names the columns: else a DEFAULT would not find the EPHEMERAL ones that it reads. */
export function defaultsStatement(table: Table): string {
  return `${into(table)} FORMAT JSONEachRow`;
}

function into({ name, columns }: Table): string {
  return `INSERT INTO ${name} (${columns.map((column) => quoted(column.name)).join(', ')})`;
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

/** Resolves when ClickHouse, and nobody else, has said that it is done (`./answer.ts`). */
export async function send(
  client: ClickHouseClient,
  statement: string,
  pieces: readonly Buffer[],
  settings: ClickHouseSettings,
  signal: AbortSignal,
): Promise<void> {
  const values = Readable.from(pieces, { objectMode: false });
  await inserted(client, { query: statement, values, settings, signal });
}
