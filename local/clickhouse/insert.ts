/**
 * `INSERT … FORMAT X` with its data beside it, done as `INSERT … SELECT * FROM file(…)`.
 *
 * N1  The data become one block per million rows, whatever the engine would do by itself, so that a deduplication token
 *     covers the whole insert.
 * N2  A field that the data omit takes the column's DEFAULT expression, or that of an EPHEMERAL column, as in an insert
 *     without a file.
 * N3  The data may have the same types as a table: a file's columns are checked like those of a new table.
 */
import { z } from 'zod';
import { quoteName, quoteText, rowsOf, type Answer, type Engine } from './engine.ts';
import { exception } from './exceptions.ts';
import { columnNames, type InsertHead } from './statement.ts';

const described = z.object({
  name: z.string(),
  type: z.string(),
  default_type: z.string(),
  default_expression: z.string(),
});
type Column = z.infer<typeof described>;

export interface InsertScope {
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface Inserter {
  insert(head: InsertHead, path: string, scope: InsertScope): Promise<Answer>;
  /** A statement may have changed tables, so columns are read again. */
  forgetTables(): void;
}

const oneBlock = {
  max_block_size: '1048576',
  max_insert_block_size: '1048576',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '0',
  input_format_parallel_parsing: '0',
  max_threads: '1',
  max_insert_threads: '1',
};

const anyType = {
  enable_time_time64_type: '1',
  enable_nullable_tuple_type: '1',
  allow_experimental_qbit_type: '1',
  allow_suspicious_low_cardinality_types: '1',
  allow_suspicious_variant_types: '1',
};

export function inserter(engine: Engine): Inserter {
  const known = new Map<string, Promise<readonly Column[]>>();

  function columnsOf(table: string, database: string): Promise<readonly Column[]> {
    const key = `${database}\0${table}`;
    const before = known.get(key);
    if (before) return before;
    const reading = rowsOf(engine, { sql: `DESCRIBE TABLE ${table}`, database }).then((rows) =>
      z.array(described).parse(rows),
    );
    known.set(key, reading);
    reading.catch(() => known.delete(key));
    return reading;
  }

  return {
    async insert(head, path, { database, settings }) {
      const columns = chosen(await columnsOf(head.table, database), head.columns);
      const list = columns.map(({ name }) => quoteName(name)).join(', ');
      const file = [path, head.format, structure(columns)].map(quoteText).join(', ');
      const sql = `INSERT INTO ${head.table} (${list}) SELECT ${list} FROM file(${file})`;
      const blocks = { ...oneBlock, ...anyType, ...settings };
      const asked = settings['max_insert_block_size'];
      if (asked !== undefined && settings['max_block_size'] === undefined) blocks.max_block_size = asked;
      return engine.run({ sql, database, settings: blocks, rawSettings: head.settings });
    },
    forgetTables: () => known.clear(),
  };
}

/** The columns for which there are data, in the order of the list, or of the table without one. */
function chosen(columns: readonly Column[], list: string | null): Column[] {
  const ordinary = columns.filter(({ default_type: kind }) => kind === '' || kind === 'DEFAULT');
  if (list === null || list.trim() === '' || list.trim() === '*') return ordinary;
  const names = columnNames(list);
  if (names === null) {
    throw exception(48, 'NOT_IMPLEMENTED', `The column list (${list}) must be names only at this endpoint.`);
  }
  return names.map((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    if (column) return column;
    throw exception(16, 'NO_SUCH_COLUMN_IN_TABLE', `No such column ${name} in table.`);
  });
}

function structure(columns: readonly Column[]): string {
  return columns
    .map(({ name, type, default_type: kind, default_expression: expression }) =>
      kind === 'DEFAULT' || kind === 'EPHEMERAL'
        ? `${quoteName(name)} ${type} DEFAULT ${expression}`
        : `${quoteName(name)} ${type}`,
    )
    .join(', ');
}
