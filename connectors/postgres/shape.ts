/**
 * What the sink relies on in its table, as one text that changes whenever any of it does: columns with their defaults, all
 * types that they are made of, the keys to upsert by, and how it is kept.
 *
 * H1  If two looks give equal texts, rows that were made for the first fit the table of the second. Only how defaults are
 *     written is read besides the text, because that depends on the search path, which a trigger may change.
 * H2  It is an expression of SQL, so that a statement can depend on the table being as it was.
 */
import pg from 'pg';
import { z } from 'zod';

const column = z.object({
  name: z.string(),
  type: z.string(),
  modifier: z.number(),
  not_null: z.boolean(),
  identity: z.string(),
  generated: z.string(),
  /** Its default, as the server keeps it. */
  default: z.string().nullable(),
});

const type = z.object({
  oid: z.string(),
  name: z.string(),
  is_built_in: z.boolean(),
  type: z.string(),
  category: z.string(),
  base: z.string(),
  base_modifier: z.number(),
  element: z.string(),
  is_array: z.boolean(),
  delimiter: z.string(),
  /** Of a range, or of the ranges of a multirange. */
  subtype: z.string().nullable(),
  default: z.string().nullable(),
  not_null: z.boolean(),
  members: z.array(z.object({ name: z.string(), type: z.string(), modifier: z.number() })),
});

const key = z.object({
  is_immediate: z.boolean(),
  /** By column: what the index takes for equal. */
  equals: z.record(z.string(), z.string()),
});

const shape = z.object({
  version: z.number(),
  /** `relkind` and `relpersistence` of the catalogue. */
  kind: z.string(),
  persistence: z.string(),
  /** Policies of row level security apply to the sink's user. Shapes that were stored before it was known lack it. */
  has_policies: z.boolean().default(false),
  columns: z.array(column),
  types: z.array(type),
  /** Unique keys on just the columns to upsert by. */
  keys: z.array(key),
});

export type ShapeColumn = z.infer<typeof column>;
export type ShapeType = z.infer<typeof type>;
export type Shape = z.infer<typeof shape>;

/** Undefined: it is not of this version of Millrace. */
export function parseShape(text: string): Shape | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * How SQL is to be written of what the shape has: the defaults of columns (`column`) and of domains (`type`), the names of
 * types (`name`), and what the domains of other types are domains of (`base`).
 */
export function expressionsSql(table: string): string {
  const used = `(${typesSqlOf(`${pg.escapeLiteral(table)}::regclass`)}) AS used
      JOIN pg_catalog.pg_type t ON t.oid = used.oid`;
  return `SELECT 'column' AS of, a.attname::text AS name, pg_get_expr(d.adbin, d.adrelid) AS expression
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = ${pg.escapeLiteral(table)}::regclass AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'type', t.oid::text, pg_get_expr(t.typdefaultbin, 0)
      FROM ${used} WHERE t.typdefaultbin IS NOT NULL
    UNION ALL
    SELECT 'name', t.oid::text, format('%I.%I', n.nspname, t.typname)
      FROM ${used} JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    UNION ALL
    SELECT 'base', t.oid::text, format_type(t.typbasetype, t.typtypmod)
      FROM ${used} JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd' AND b.typtype <> 'd'`;
}

/** Null when there is no such table. @param table quoted, with its schema. @param upsertKey its columns. */
export function shapeSql(table: string, upsertKey: readonly string[]): string {
  const names = upsertKey.map((name) => pg.escapeLiteral(name));
  return `(SELECT json_build_object('version', current_setting('server_version_num')::int,
      'kind', shaped.relkind, 'persistence', shaped.relpersistence,
      'has_policies', row_security_active(shaped.oid),
      'columns', (${columnsSql}), 'types', (${typesSql}), 'keys', (${keysSql(names)}))::text
    FROM pg_catalog.pg_class shaped WHERE shaped.oid = to_regclass(${pg.escapeLiteral(table)}))`;
}

const columnsSql = `
  SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', a.atttypid::text, 'modifier', a.atttypmod,
      'not_null', a.attnotnull, 'identity', a.attidentity, 'generated', a.attgenerated,
      'default', d.adbin::text) ORDER BY a.attnum), '[]')
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = shaped.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** Before PostgreSQL 14 there are no multiranges, and no column that names them. */
const isRangeOf = `t.typtype IN ('r', 'm') AND t.oid IN (r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid)`;

/** The types of the columns, and what these are made of. */
export function typesSqlOf(table: string): string {
  return `WITH RECURSIVE used(oid) AS (
    SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = ${table} AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT part.oid FROM used
    JOIN pg_catalog.pg_type t ON t.oid = used.oid
    CROSS JOIN LATERAL (
      SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem WHERE t.typinput = 'pg_catalog.array_in'::regproc
      UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE ${isRangeOf}
      UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) part
  )
  SELECT oid FROM used`;
}

const typesSql = `
  SELECT coalesce(json_agg(json_build_object('oid', t.oid::text, 'name', t.typname,
      'is_built_in', n.nspname = 'pg_catalog', 'type', t.typtype, 'category', t.typcategory,
      'base', t.typbasetype::text, 'base_modifier', t.typtypmod, 'element', t.typelem::text,
      'is_array', t.typinput = 'pg_catalog.array_in'::regproc, 'delimiter', t.typdelim,
      'subtype', (SELECT r.rngsubtype::text FROM pg_catalog.pg_range r WHERE ${isRangeOf}),
      'default', t.typdefaultbin::text, 'not_null', t.typnotnull,
      'members', coalesce((SELECT json_agg(json_build_object('name', a.attname, 'type', a.atttypid::text,
          'modifier', a.atttypmod) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]'))
    ORDER BY t.oid), '[]')
  FROM (${typesSqlOf('shaped.oid')}) AS used
  JOIN pg_catalog.pg_type t ON t.oid = used.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`;

/** An index that is being made, or could not be, is no key. What its columns take for equal has strategy 3. */
function keysSql(names: readonly string[]): string {
  if (names.length === 0) return `'[]'::json`;
  const wanted = `ARRAY[${names.join(', ')}]::text[]`;
  return `
  SELECT coalesce(json_agg(json_build_object('is_immediate', i.indimmediate, 'equals', equality.operators)
    ORDER BY i.indexrelid), '[]')
  FROM pg_catalog.pg_index i
  CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text) AS names,
      json_object_agg(a.attname, format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY a.attname) AS operators
    FROM unnest(i.indkey, i.indclass) AS part(attnum, opclass)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum
    JOIN pg_catalog.pg_opclass c ON c.oid = part.opclass
    JOIN pg_catalog.pg_amop e ON e.amopfamily = c.opcfamily AND e.amopstrategy = 3
      AND e.amoplefttype = c.opcintype AND e.amoprighttype = c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid = e.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  ) equality
  WHERE i.indrelid = shaped.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND equality.names @> ${wanted} AND equality.names <@ ${wanted}`;
}
