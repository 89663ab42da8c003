/**
 * What a column accepts, from PostgreSQL's own catalogue.
 *
 * K1  A type is what pg_type says it is: a domain is its base, an array its elements, a composite its members, a range its
 *     bounds. A type that is not known here is passed to its own input function according to its category. No type is recognised by
 *     its name's shape.
 * K2  A type comes with its limits (digits, characters, fractions of a second): PostgreSQL would silently round or
 *     truncate what exceeds most of them.
 */
import type { ShapeType } from './shape.ts';

export type ColumnKind =
  | { readonly kind: 'integer'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'float'; readonly isSingle: boolean }
  /** `digits`: in all, and after the point; null: any. */
  | { readonly kind: 'numeric'; readonly digits: Digits | null }
  | { readonly kind: 'boolean' }
  /** `scale`, here and below: digits of a second. */
  | { readonly kind: 'timestamp'; readonly hasZone: boolean; readonly scale: number }
  | { readonly kind: 'date' }
  | { readonly kind: 'time'; readonly hasZone: boolean; readonly scale: number }
  /** `dropsParts`: its fields end before the seconds, and what is finer is dropped. */
  | { readonly kind: 'interval'; readonly dropsParts: boolean; readonly scale: number }
  | { readonly kind: 'range'; readonly of: ColumnKind; readonly isMulti: boolean }
  | { readonly kind: 'json'; readonly isBinary: boolean }
  /** Accepts anything that people would read as text: numbers and objects as their JSON. */
  | { readonly kind: 'text'; readonly limit: TextLimit | null }
  /** A type with an input function of its own: uuid, inet, an enum, a vector, … */
  | { readonly kind: 'literal'; readonly type: string; readonly takesNumbers: boolean; readonly takesJson: boolean }
  | { readonly kind: 'array'; readonly of: ColumnKind; readonly delimiter: string }
  | { readonly kind: 'composite'; readonly type: string; readonly members: readonly Member[] };

export interface Digits {
  readonly precision: number;
  readonly scale: number;
}

export interface TextLimit {
  readonly most: number;
  readonly of: 'characters' | 'bytes';
}

export interface Member {
  readonly name: string;
  readonly kind: ColumnKind;
}

const signed = (bits: bigint) => ({ kind: 'integer', min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n }) as const;
const unsigned = (bits: bigint) => ({ kind: 'integer', min: 0n, max: 2n ** bits - 1n }) as const;
const timestamp = (hasZone: boolean) => (modifier: number) =>
  ({ kind: 'timestamp', hasZone, scale: modifier < 0 ? 6 : modifier }) as const;
const time = (hasZone: boolean) => (modifier: number) =>
  ({ kind: 'time', hasZone, scale: modifier < 0 ? 6 : modifier }) as const;
const text = (most: number, of: TextLimit['of']): ColumnKind => ({ kind: 'text', limit: { most, of } });
const characters = (modifier: number): ColumnKind =>
  modifier < 0 ? { kind: 'text', limit: null } : text(modifier - 4, 'characters');

/** Types of pg_catalog that are more than a text to their input function; some, with the column's type modifier. */
const known: Readonly<Record<string, ColumnKind | ((modifier: number) => ColumnKind)>> = {
  int2: signed(16n),
  int4: signed(32n),
  int8: signed(64n),
  // Their input functions turn -1 into 4294967295, and 0x10 into 16.
  oid: unsigned(32n),
  xid: unsigned(32n),
  cid: unsigned(32n),
  xid8: unsigned(64n),
  float4: { kind: 'float', isSingle: true },
  float8: { kind: 'float', isSingle: false },
  numeric: (modifier) => ({ kind: 'numeric', digits: modifier < 0 ? null : digitsOf(modifier) }),
  money: { kind: 'numeric', digits: { precision: 19, scale: 2 } },
  bool: { kind: 'boolean' },
  date: { kind: 'date' },
  time: time(false),
  timetz: time(true),
  timestamp: timestamp(false),
  timestamptz: timestamp(true),
  interval: intervalOf,
  json: { kind: 'json', isBinary: false },
  jsonb: { kind: 'json', isBinary: true },
  varchar: characters,
  bpchar: characters,
  name: text(63, 'bytes'),
  char: text(1, 'bytes'),
};

/** `numeric(5, -2)`: the scale has a sign of its own. */
function digitsOf(modifier: number): Digits {
  return { precision: ((modifier - 4) >> 16) & 0xffff, scale: (((modifier - 4) & 0x7ff) ^ 0x400) - 0x400 };
}

function intervalOf(modifier: number): ColumnKind {
  const seconds = 1 << 12;
  const scale = modifier & 0xffff;
  return {
    kind: 'interval',
    dropsParts: modifier >= 0 && ((modifier >> 16) & seconds) === 0,
    scale: modifier < 0 || scale === 0xffff ? 6 : scale,
  };
}

/** The types of a table's columns, and all that they are made of. */
export class Catalogue {
  readonly #types: ReadonlyMap<string, ShapeType>;

  constructor(types: readonly ShapeType[]) {
    this.#types = new Map(types.map((type) => [type.oid, type]));
  }

  /** @param modifier of the column: what stands in parentheses after its type; -1 for nothing. */
  kindOf(oid: string, modifier: number): ColumnKind {
    const type = this.#typeOf(oid);
    if (type.type === 'd') return this.kindOf(type.base, type.base_modifier);
    if (type.is_array) {
      return {
        kind: 'array',
        of: this.kindOf(type.element, modifier),
        delimiter: this.#typeOf(type.element).delimiter,
      };
    }
    if (type.type === 'c') {
      const members = type.members.map((member) => ({
        name: member.name,
        kind: this.kindOf(member.type, member.modifier),
      }));
      return { kind: 'composite', type: type.name, members };
    }
    if (type.subtype !== null) return { kind: 'range', of: this.kindOf(type.subtype, -1), isMulti: type.type === 'm' };
    const ours = type.is_built_in && Object.hasOwn(known, type.name) ? known[type.name] : undefined;
    if (ours !== undefined) return typeof ours === 'function' ? ours(modifier) : ours;
    return type.category === 'S' ? { kind: 'text', limit: null } : literal(type);
  }

  /** A domain may bring a default and NOT NULL of its own. @returns the type that has the default. */
  constraintsOf(oid: string): { readonly defaultOf: string | null; readonly isNotNull: boolean } {
    const type = this.#typeOf(oid);
    if (type.type !== 'd') return { defaultOf: null, isNotNull: false };
    const base = this.constraintsOf(type.base);
    return {
      defaultOf: type.default === null ? base.defaultOf : oid,
      isNotNull: type.not_null || base.isNotNull,
    };
  }

  /** The type that is no domain, and the domain of just this type; null when there is none. */
  baseOf(oid: string, domain: string | null = null): { readonly type: string; readonly domain: string | null } {
    const { type, base } = this.#typeOf(oid);
    return type === 'd' ? this.baseOf(base, oid) : { type: oid, domain };
  }

  /** A domain is in it, so that a CHECK may have a part in reading it. */
  isChecked(oid: string): boolean {
    const { type, is_array: isArray, element, members, subtype } = this.#typeOf(oid);
    if (type === 'd') return true;
    const parts = [
      ...(isArray ? [element] : []),
      ...(subtype === null ? [] : [subtype]),
      ...members.map((one) => one.type),
    ];
    return parts.some((part) => this.isChecked(part));
  }

  #typeOf(oid: string): ShapeType {
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
function literal({ name, category, is_built_in: isBuiltIn }: ShapeType): ColumnKind {
  const isOfExtension = !isBuiltIn && category === 'U';
  return { kind: 'literal', type: name, takesNumbers: category === 'N' || isOfExtension, takesJson: isOfExtension };
}
