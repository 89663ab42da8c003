/**
 * Which GRANT gives what the user of the sink lacks.
 *
 * G1  PostgreSQL names the object in its text alone, and the missing right not at all; and it may be a function, a policy or a
 *     trigger that needs it. So a GRANT is named only for what the sink itself needs, when the server says, asked about it,
 *     that the user lacks it. Otherwise its sentence tells more than we do.
 */
import pg from 'pg';
import { z } from 'zod';
import { MillraceError } from '../../model/errors.ts';
import { classified, grantText, type PostgresFailureContext } from './failures.ts';
import { qualified, quoted } from './identifiers.ts';
import { typesSqlOf } from './shape.ts';

/** A right, or several, that something needs. */
export interface Right {
  /** A query for what the user lacks, in the words of a GRANT: `privilege` and `target`. */
  readonly lacking: string;
  readonly isOfSequences: boolean;
}

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

const { escapeLiteral: literal } = pg;

/** As the catalogue has it: to look for it by its name needs a right. */
const tableNamed = ({ schema, table }: TableName): string =>
  `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${literal(schema)} AND c.relname = ${literal(table)}`;

export function onSchema(schema: string, ...privileges: readonly ('USAGE' | 'CREATE')[]): Right {
  const lacking = privileges.map(
    (privilege) => `SELECT '${privilege}' AS privilege, ${literal(`SCHEMA ${quoted(schema)}`)} AS target
      FROM pg_catalog.pg_namespace n
      WHERE n.nspname = ${literal(schema)} AND NOT pg_catalog.has_schema_privilege(n.oid, '${privilege}')`,
  );
  return { lacking: lacking.join(' UNION ALL '), isOfSequences: false };
}

/** `columns`: only these, where a right on some columns will do. */
export function onTable(
  name: TableName,
  privilege: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE',
  columns?: readonly string[],
): Right {
  const isLacking =
    columns === undefined
      ? `NOT pg_catalog.has_table_privilege(c.oid, '${privilege}')`
      : `EXISTS (SELECT FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = c.oid AND a.attname = ANY (ARRAY[${columns.map(literal).join(', ')}]::text[])
            AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, '${privilege}'))`;
  const target = literal(qualified(name.schema, name.table));
  const lacking = `SELECT '${privilege}' AS privilege, ${target} AS target FROM ${tableNamed(name)} AND ${isLacking}`;
  return { lacking, isOfSequences: false };
}

/**
 * Those that the defaults of a table, or of its domains, depend on. The server asks conditions in any order, and whether there
 * is a right of a sequence on a table is an error.
 */
export function onSequencesOf(name: TableName): Right {
  const table = `(SELECT c.oid FROM ${tableNamed(name)})`;
  const lacking = `SELECT 'USAGE' AS privilege, format('SEQUENCE %I.%I', sn.nspname, s.relname) AS target
    FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
    WHERE CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE') END AND s.oid IN (
      SELECT d.refobjid FROM pg_catalog.pg_depend d
      WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND (d.classid, d.objid) IN (
        SELECT 'pg_catalog.pg_attrdef'::regclass, f.oid FROM pg_catalog.pg_attrdef f WHERE f.adrelid = ${table}
        UNION ALL SELECT 'pg_catalog.pg_type'::regclass, used.oid FROM (${typesSqlOf(table)}) AS used))`;
  return { lacking, isOfSequences: true };
}

const lackingRows = z.array(z.object({ privilege: z.string(), target: z.string() }));

/** Does what needs these rights, in a transaction: if one is missing, the error says what gives it. */
export async function needing<T>(
  client: pg.Client,
  rights: readonly Right[],
  where: PostgresFailureContext,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = classified(error, where);
    if (known.code !== 'MR_SINK_PRIVILEGE_MISSING') throw error;
    throw await advised(client, rights, where, known);
  }
}

async function advised(
  client: pg.Client,
  rights: readonly Right[],
  where: PostgresFailureContext,
  error: MillraceError,
): Promise<MillraceError> {
  const isOfSequence = error.cause instanceof pg.DatabaseError && error.cause.file === 'sequence.c';
  const asked = rights.filter(({ isOfSequences }) => isOfSequences === isOfSequence).map(({ lacking }) => lacking);
  if (asked.length === 0) return error;
  // The transaction has failed, and its connection ends with the error.
  await client.query('ROLLBACK');
  const { rows } = await client.query<pg.QueryResultRow>(asked.join(' UNION ALL '));
  const lacking = Map.groupBy(lackingRows.parse(rows), ({ target }) => target);
  if (lacking.size === 0) return error;
  const grants = [...lacking].map(([target, of]) => `${of.map(({ privilege }) => privilege).join(', ')} ON ${target}`);
  return new MillraceError(error.code, { ...error.params, grant: grantText(grants, where) }, { cause: error.cause });
}
