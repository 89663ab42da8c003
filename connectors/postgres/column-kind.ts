/**
 * What a column takes, from PostgreSQL's own catalogue.
 *
 * K1  A type is what pg_type says it is: a domain is its base, an array its elements, a composite its members, and what
 *     is not known here goes by its category to its own input function. No type is known by the shape of its name.
 */
import type pg from 'pg';
import { z } from 'zod';

export type ColumnKind =
  | { readonly kind: 'integer'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'float'; readonly isSingle: boolean }
  | { readonly kind: 'numeric' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'timestamp'; readonly hasZone: boolean }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' }
  | { readonly kind: 'json'; readonly isBinary: boolean }
  /** Anything that is a text to people: numbers and objects as their JSON. */
  | { readonly kind: 'text' }
  /** A type with an input function of its own: uuid, inet, an enum, a range, a vector, … */
  | { readonly kind: 'literal'; readonly type: string; readonly takesNumbers: boolean; readonly takesJson: boolean }
  | { readonly kind: 'array'; readonly of: ColumnKind; readonly delimiter: string }
  | { readonly kind: 'composite'; readonly type: string; readonly members: readonly Member[] };

export interface Member {
  readonly name: string;
  readonly kind: ColumnKind;
}

const range = (bits: bigint) => ({ kind: 'integer', min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n }) as const;

/** Types of pg_catalog that are more than a text to their input function. */
const known: Readonly<Record<string, ColumnKind>> = {
  int2: range(16n),
  int4: range(32n),
  int8: range(64n),
  float4: { kind: 'float', isSingle: true },
  float8: { kind: 'float', isSingle: false },
  numeric: { kind: 'numeric' },
  bool: { kind: 'boolean' },
  date: { kind: 'date' },
  time: { kind: 'time' },
  timestamp: { kind: 'timestamp', hasZone: false },
  timestamptz: { kind: 'timestamp', hasZone: true },
  json: { kind: 'json', isBinary: false },
  jsonb: { kind: 'json', isBinary: true },
};

const typeRow = z.object({
  oid: z.string(),
  name: z.string(),
  is_built_in: z.boolean(),
  type: z.string(),
  category: z.string(),
  base: z.string(),
  element: z.string(),
  is_array: z.boolean(),
  delimiter: z.string(),
  default_expression: z.string().nullable(),
  not_null: z.boolean(),
  members: z.array(z.object({ name: z.string(), type: z.string() })),
});
type TypeRow = z.infer<typeof typeRow>;

/** The types of a table's columns, and all that they are made of. */
export class Catalogue {
  readonly #types: ReadonlyMap<string, TypeRow>;

  private constructor(types: readonly TypeRow[]) {
    this.#types = new Map(types.map((type) => [type.oid, type]));
  }

  /** @param table quoted, with its schema. */
  static async read(client: pg.Client, table: string): Promise<Catalogue> {
    const { rows } = await client.query<pg.QueryResultRow>(typesQuery, [table]);
    return new Catalogue(z.array(typeRow).parse(rows));
  }

  kindOf(oid: string): ColumnKind {
    const type = this.#typeOf(oid);
    if (type.type === 'd') return this.kindOf(type.base);
    if (type.is_array) {
      return { kind: 'array', of: this.kindOf(type.element), delimiter: this.#typeOf(type.element).delimiter };
    }
    if (type.type === 'c') {
      const members = type.members.map((member) => ({ name: member.name, kind: this.kindOf(member.type) }));
      return { kind: 'composite', type: type.name, members };
    }
    const ours = type.is_built_in && Object.hasOwn(known, type.name) ? known[type.name] : undefined;
    return ours ?? (type.category === 'S' ? { kind: 'text' } : literal(type));
  }

  /** A domain may bring a default and NOT NULL of its own. */
  constraintsOf(oid: string): { readonly defaultExpression: string | null; readonly isNotNull: boolean } {
    const type = this.#typeOf(oid);
    if (type.type !== 'd') return { defaultExpression: null, isNotNull: false };
    const base = this.constraintsOf(type.base);
    return {
      defaultExpression: type.default_expression ?? base.defaultExpression,
      isNotNull: type.not_null || base.isNotNull,
    };
  }

  #typeOf(oid: string): TypeRow {
    const type = this.#types.get(oid);
    if (type === undefined) throw new RangeError(`type ${oid} is not in the catalogue`);
    return type;
  }
}

/**
 * A number is handed to a type that counts (category N) or that an extension brought; of the others it would be read in
 * a way that nobody agreed on: 101 is a bit string, 120 is seconds of an interval. The same for lists and objects:
 * `[1,2,3]` is how the type `vector` writes itself.
 */
function literal({ name, category, is_built_in: isBuiltIn }: TypeRow): ColumnKind {
  const isOfExtension = !isBuiltIn && category === 'U';
  return { kind: 'literal', type: name, takesNumbers: category === 'N' || isOfExtension, takesJson: isOfExtension };
}

const typesQuery = `
  WITH RECURSIVE used(oid) AS (
    SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT part.oid FROM used
    JOIN pg_catalog.pg_type t ON t.oid = used.oid
    CROSS JOIN LATERAL (
      SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem WHERE t.typinput = 'pg_catalog.array_in'::regproc
      UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) part
  )
  SELECT t.oid::text AS oid, t.typname AS name, n.nspname = 'pg_catalog' AS is_built_in, t.typtype AS type,
    t.typcategory AS category, t.typbasetype::text AS base, t.typelem::text AS element,
    t.typinput = 'pg_catalog.array_in'::regproc AS is_array, t.typdelim AS delimiter,
    pg_get_expr(t.typdefaultbin, 0) AS default_expression, t.typnotnull AS not_null,
    coalesce((SELECT json_agg(json_build_object('name', a.attname, 'type', a.atttypid::text) ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS members
  FROM used
  JOIN pg_catalog.pg_type t ON t.oid = used.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`;
