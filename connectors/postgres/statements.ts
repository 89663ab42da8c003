/**
 * The statements that bring rows into the table. Pure.
 *
 * Without a key, COPY goes straight into the table. With one, it goes into a temporary table, from where the last row
 * of each key is upserted: the server's own idea of equal keys decides, not a comparison of texts here.
 */
import { defaultMarker } from './rows.ts';
import { quoted, type Table } from './table.ts';

export interface Statements {
  /** Once for each connection; empty without a key. */
  readonly prepare: string;
  readonly copy: string;
  /** After the copy; empty without a key. */
  readonly merge: string;
}

const staging = 'pg_temp.millrace_rows';

export function statementsOf({ name, columns }: Table, key: readonly string[]): Statements {
  const list = columns.map((column) => quoted(column.name)).join(', ');
  const hasDefaults = columns.some(({ hasDefault }) => hasDefault);
  const options = hasDefaults ? `(FORMAT text, DEFAULT E'\\${defaultMarker}')` : '(FORMAT text)';
  if (key.length === 0) return { prepare: '', copy: `COPY ${name} (${list}) FROM STDIN ${options}`, merge: '' };

  const keys = key.map(quoted).join(', ');
  const replaced = columns.filter((column) => !key.includes(column.name)).map((column) => quoted(column.name));
  const action =
    replaced.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${replaced.map((c) => `${c} = EXCLUDED.${c}`).join(', ')}`;
  const defaults = columns.flatMap(({ name: column, hasDefault, defaultExpression }) =>
    hasDefault && defaultExpression !== null
      ? [`ALTER TABLE ${staging} ALTER ${quoted(column)} SET DEFAULT ${defaultExpression}`]
      : [],
  );
  return {
    prepare: [
      `CREATE TEMP TABLE IF NOT EXISTS millrace_rows ON COMMIT DELETE ROWS AS
         SELECT 0::bigint AS "millrace row", ${list} FROM ${name} WITH NO DATA`,
      ...defaults,
    ].join('; '),
    copy: `COPY ${staging} ("millrace row", ${list}) FROM STDIN ${options}`,
    merge: `INSERT INTO ${name} (${list})
      SELECT ${list} FROM (SELECT DISTINCT ON (${keys}) * FROM ${staging} ORDER BY ${keys}, "millrace row" DESC) AS last
      ON CONFLICT (${keys}) ${action};
      TRUNCATE ${staging}`,
  };
}
