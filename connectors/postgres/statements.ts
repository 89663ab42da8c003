/**
 * The statements that bring rows into the table. Pure.
 *
 * Without a key, COPY goes straight into the table. With one, it goes into a temporary table, from where the last row
 * of each key is upserted: the server's own idea of equal keys decides, not a comparison of texts here.
 *
 * M1  A row whose record does not have a numbered column (identity, sequence) gets the next number when it is new, and
 *     keeps its number when an upsert replaces it. For that each row says which such columns it has, and rows that have
 *     the same ones are brought in by one statement, which names just these.
 * M2  Rows that are brought in out of turn (`./write-rows.ts`) replace nothing that came after them. For that the keys of the
 *     rows that are brought in are noted.
 * M3  What a domain demands is asked of what comes into the table, not of the temporary one: there a row that deletes, or
 *     one that is to get the default, has nulls. So that one has what the domain is of.
 */
import { defaultMarker } from './copy-text.ts';
import { quoted } from './identifiers.ts';
import type { Column, Table } from './table.ts';

/** Read values by themselves, where neither a default nor a trigger has a part. */
export interface Readings {
  /** All of a row as what their domains are of. `places`: of the columns whose values are its parameters. */
  readonly bare: { readonly text: string; readonly places: readonly number[] };
  /** Each in which a domain is, by itself: the CHECK of one must not hide the value of another. */
  readonly checked: readonly CheckedReading[];
}

/** Its one parameter is the value. */
export interface CheckedReading {
  readonly text: string;
  readonly column: string;
  readonly place: number;
  /** A query for a few values (`value`) that the table has there. */
  readonly stored: string;
  /** Values that name something in every database, whatever kind of thing the domain takes them for. */
  readonly names: readonly string[];
}

/** Words that a CHECK is not likely to name as well. Of a table, a function, an operator, a role, a schema, a text search, a collation, a path of JSON, rights, a setting, …. */
const namesEverywhere: readonly string[] = [
  'pg_class',
  'pg_typeof',
  'now()',
  '||/',
  '+(integer,integer)',
  'pg_monitor',
  'pg_catalog',
  'pg_catalog.simple',
  'pg_catalog.default',
  '$',
  '=r/pg_monitor',
  'TimeZone',
  'sql',
  'template1',
  'pg_default',
];

/** How many rows of a table are looked at for values, and how many of these are tried. */
const mostLookedAt = 10_000;
const mostStored = 16;

export interface Statements {
  /** Once for each connection; empty without a temporary table. */
  readonly prepare: string;
  readonly copy: string;
  /** After the copy, when rows of it delete: only then has the user to have the right. Empty without a key. */
  readonly remove: string;
  /** After the copy; empty without a temporary table. */
  readonly merge: string;
  /** M2. After the merge. Empty without a key. */
  readonly note: string;
  /** M2. After the copy of rows that come out of turn. Empty without a key. */
  readonly leaveOlder: string;
  readonly readings: Readings;
  /** At the end; empty without a temporary table. */
  readonly clear: string;
}

const staging = 'pg_temp.millrace_rows';
/** Keys of the rows of this transaction. */
const noted = 'pg_temp.millrace_keys';
const rowNumber = '"millrace row"';
/** A row that deletes the one with its key. */
const removed = '"millrace removed"';
/** One bit for each column that the merge fills in, in their order: whether the record has it. */
const given = '"millrace given"';

export function statementsOf(table: Table, key: readonly string[]): Statements {
  const { name, columns, isStaged } = table;
  const list = listOf(columns);
  const copiesDefaults = columns.some(({ missing }) => missing === 'default');
  const readings = readingsOf(table);
  const options = copiesDefaults ? `(FORMAT text, DEFAULT E'\\${defaultMarker}')` : '(FORMAT text)';
  if (!isStaged) {
    const copy = `COPY ${name} (${list}) FROM STDIN ${options}`;
    return { prepare: '', copy, remove: '', merge: '', note: '', leaveOlder: '', readings, clear: '' };
  }

  const merged = mergedColumns(columns);
  const defaults = columns.flatMap(({ name: column, missing, defaultExpression }) =>
    missing === 'default' && defaultExpression !== null
      ? [`ALTER TABLE ${staging} ALTER ${quoted(column)} SET DEFAULT ${defaultExpression}`]
      : [],
  );
  const keys = key.map(quoted).join(', ');
  const marks = [rowNumber, removed, ...(merged.length > 0 ? [given] : [])].join(', ');
  return {
    prepare: [
      // Names of types and defaults were read with it.
      "SET LOCAL search_path = ''",
      `CREATE TEMP TABLE IF NOT EXISTS millrace_rows ON COMMIT DELETE ROWS AS
         SELECT 0::bigint AS ${rowNumber}, false AS ${removed}, ${merged.length > 0 ? `''::varbit AS ${given}, ` : ''}${columns.map(stagedColumn).join(', ')}
         FROM ${name} WITH NO DATA`,
      ...defaults,
      ...(key.length > 0
        ? [
            `CREATE TEMP TABLE IF NOT EXISTS millrace_keys ON COMMIT DELETE ROWS AS
               SELECT ${rowNumber}, ${keys} FROM ${staging} WITH NO DATA`,
          ]
        : []),
    ].join('; '),
    copy: `COPY ${staging} (${marks}, ${list}) FROM STDIN ${options}`,
    remove: key.length > 0 ? deleteStatement(table, key, keyGiven(merged, key)) : '',
    merge: mergeStatements(table, merged, key).join('; '),
    note: key.length > 0 ? `INSERT INTO ${noted} SELECT ${rowNumber}, ${keys} FROM ${staging}` : '',
    leaveOlder:
      key.length > 0
        ? `DELETE FROM ${staging} AS kept USING ${noted} AS last
             WHERE last.${rowNumber} > kept.${rowNumber} AND ${sameKey(table, key)}`
        : '',
    readings,
    clear: `TRUNCATE ${staging}`,
  };
}

function readingsOf({ name: table, columns }: Table): Readings {
  const bare = columns.flatMap(({ baseType, isCheckedWithin }, place) =>
    isCheckedWithin ? [] : [{ baseType, place }],
  );
  const read = bare.map(({ baseType }, i) => `$${i + 1}::${baseType} IS NULL`).join(', ');
  return {
    bare: { text: `SELECT ${read}`, places: bare.map(({ place }) => place) },
    checked: columns.flatMap(({ name: column, kind, type, domainOf, isCheckedWithin }, place) => {
      if (domainOf === null && !isCheckedWithin) return [];
      const looked = `SELECT ${quoted(column)} AS value FROM ${table} LIMIT ${mostLookedAt}`;
      const stored = `SELECT DISTINCT value::text FROM (${looked}) AS looked WHERE value IS NOT NULL LIMIT ${mostStored}`;
      const names = kind.kind === 'array' ? namesEverywhere.map((name) => `{"${name}"}`) : namesEverywhere;
      return [{ text: `SELECT $1::${type} IS NULL`, column, place, stored, names }];
    }),
  };
}

/** M3. */
function stagedColumn({ name, domainOf }: Column): string {
  return domainOf === null ? quoted(name) : `${quoted(name)}::${domainOf} AS ${quoted(name)}`;
}

/** The columns of which a row says whether its record has them. */
function mergedColumns(columns: readonly Column[]): readonly Column[] {
  return columns.filter(({ missing }) => missing === 'merged');
}

function mergeStatements({ name, columns }: Table, merged: readonly Column[], key: readonly string[]): string[] {
  const numbered = merged.filter(({ isNumbered }) => isNumbered);
  const has = (column: Column) => `get_bit(${given}, ${merged.indexOf(column)}) = 1`;
  const lacks = (column: Column) => `get_bit(${given}, ${merged.indexOf(column)}) = 0`;
  const keyIsGiven = keyGiven(merged, key);
  return subsetsOf(numbered).map((present) => {
    const written = columns.filter((column) => !numbered.includes(column) || present.includes(column));
    const values = written.map((column) =>
      column.missing === 'merged' && !column.isNumbered
        ? `CASE WHEN ${has(column)} THEN ${quoted(column.name)} ELSE ${column.defaultExpression ?? 'NULL'} END`
        : quoted(column.name),
    );
    const chosen = numbered.map((column) => (present.includes(column) ? has(column) : lacks(column)));
    const overriding = written.some(({ isIdentity }) => isIdentity) ? ' OVERRIDING SYSTEM VALUE' : '';
    // Without a column there is no list of them, rather than an empty one.
    const list = written.length === 0 ? '' : ` (${listOf(written)})`;
    const insert = `INSERT INTO ${name}${list}${overriding} SELECT ${values.join(', ')}`;
    const where = ` WHERE ${[`NOT ${removed}`, ...chosen].join(' AND ')}`;
    const hasKey = key.length > 0 && key.every((column) => written.some((one) => one.name === column));
    if (!hasKey) return `${insert} FROM ${staging}${where} ORDER BY ${rowNumber}`;
    return `${insert} FROM (${lastOfEachKey(keyIsGiven, key)}) AS last${where}
      ON CONFLICT (${key.map(quoted).join(', ')}) ${conflictAction(written, key)}`;
  });
}

/** That the record has the numbered columns of the key. */
function keyGiven(merged: readonly Column[], key: readonly string[]): string[] {
  return merged.flatMap(({ name, isNumbered }, i) =>
    isNumbered && key.includes(name) ? [`get_bit(${given}, ${i}) = 1`] : [],
  );
}

function deleteStatement(table: Table, key: readonly string[], keyIsGiven: readonly string[]): string {
  return `DELETE FROM ${table.name} AS kept USING (${lastOfEachKey(keyIsGiven, key)}) AS last
      WHERE last.${removed} AND ${sameKey(table, key)}`;
}

/** As the index of the key has it. */
function sameKey({ equals }: Table, key: readonly string[]): string {
  return key.map((column) => `kept.${quoted(column)} ${equals[column] ?? '='} last.${quoted(column)}`).join(' AND ');
}

/** A row that lacks a numbered column of the key is a new row, and equal to no other. */
function lastOfEachKey(hasKey: readonly string[], key: readonly string[]): string {
  const keys = key.map(quoted).join(', ');
  const where = hasKey.length > 0 ? ` WHERE ${hasKey.join(' AND ')}` : '';
  return `SELECT DISTINCT ON (${keys}) * FROM ${staging}${where} ORDER BY ${keys}, ${rowNumber} DESC`;
}

function conflictAction(written: readonly Column[], key: readonly string[]): string {
  const replaced = written.filter((column) => !key.includes(column.name)).map((column) => quoted(column.name));
  if (replaced.length === 0) return 'DO NOTHING';
  return `DO UPDATE SET ${replaced.map((column) => `${column} = EXCLUDED.${column}`).join(', ')}`;
}

function subsetsOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  return items.reduce<readonly (readonly T[])[]>(
    (subsets, item) => subsets.flatMap((one) => [one, [...one, item]]),
    [[]],
  );
}

function listOf(columns: readonly Column[]): string {
  return columns.map((column) => quoted(column.name)).join(', ');
}
