/**
 * Types that hold values of several types, in RowBinary: which one, then the value.
 *
 * V1  A value goes to the member of its own kind first: text to String before anything that could be read out of it, a
 *     number to an integer before anything that would round it.
 * V2  A Dynamic gets the type that JSON has: Bool, Int64 (or the smallest integer type that is wide enough), Float64,
 *     String, Array(Dynamic), JSON.
 */
import { ExactNumber, isRecordObject, encodeJson, type RecordValue } from '../../model/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { TypeName } from './column-type.ts';
import { assertKeptByJson } from './encode-json.ts';
import type { Encoder } from './encoder.ts';
import { integerOf } from '../exact.ts';
import { Misfit } from '../misfit.ts';

const noMember = 0xff;

/** The members stand in the order in which ClickHouse shows them, which is that of their numbers. */
export function variantEncoder(members: readonly { readonly type: TypeName; readonly encoder: Encoder }[]): Encoder {
  const wanted = `a value for one of ${members.map(({ type }) => type.name).join(', ')} (Variant)`;
  const numbered = members.map(({ type, encoder }, number) => ({ number, encoder, name: type.name }));
  const inOrderOf = (kinds: readonly RegExp[]) =>
    numbered.toSorted((a, b) => rank(kinds, a.name) - rank(kinds, b.name));
  const forTexts = inOrderOf([/^String$/]);
  const forBooleans = inOrderOf([/^Bool$/]);
  const forDoubles = inOrderOf([/^U?Int/, /Float/, /^Decimal/]);
  const forExactNumbers = inOrderOf([/^U?Int/, /^Decimal/, /Float/]);
  const forOthers = inOrderOf([]);
  return {
    write(value, to) {
      if (value === null) return to.u8(noMember);
      const candidates = candidatesFor(value);
      const start = to.at;
      for (const { number, encoder } of candidates) {
        to.u8(number);
        try {
          return encoder.write(value, to);
        } catch (error) {
          if (!(error instanceof Misfit)) throw error;
          to.at = start;
        }
      }
      throw new Misfit(wanted, value);
    },
    missing: (to) => to.u8(noMember),
  };

  function candidatesFor(value: RecordValue): typeof numbered {
    if (typeof value === 'string') return forTexts;
    if (typeof value === 'boolean') return forBooleans;
    if (typeof value === 'number') return forDoubles;
    return typeof value === 'bigint' || value instanceof ExactNumber ? forExactNumbers : forOthers;
  }
}

/** The kinds in their order, then what is left, and String behind all: it takes anything as its JSON. */
function rank(kinds: readonly RegExp[], name: string): number {
  const found = kinds.findIndex((kind) => kind.test(name));
  if (found >= 0) return found;
  return name === 'String' ? kinds.length + 1 : kinds.length;
}

// -- Dynamic -----------------------------------------------------------------------------------------------------

/** ClickHouse's binary form of the types that JSON needs. */
const tag = {
  nothing: 0x00,
  uint64: 0x04,
  int64: 0x0a,
  int128: 0x0b,
  int256: 0x0c,
  float64: 0x0e,
  text: 0x15,
  bool: 0x2d,
};
const integerTypes = [
  { tag: tag.int64, width: 8, min: -(2n ** 63n), max: 2n ** 63n - 1n },
  { tag: tag.uint64, width: 8, min: 0n, max: 2n ** 64n - 1n },
  { tag: tag.int128, width: 16, min: -(2n ** 127n), max: 2n ** 127n - 1n },
  { tag: tag.int256, width: 32, min: -(2n ** 255n), max: 2n ** 255n - 1n },
];
/** Array(Dynamic(max_types=32)). */
const arrayOfDynamic = [0x1e, 0x2b, 0x20];
/** JSON with the usual limits (1,024 paths, 32 types), no typed and no skipped paths. */
const json = [0x30, 0x00, 0x80, 0x08, 0x20, 0x00, 0x00, 0x00];

export function dynamicEncoder(): Encoder {
  return { write: writeDynamic, missing: (to) => to.u8(tag.nothing) };
}

function writeDynamic(value: RecordValue, to: ByteWriter): void {
  if (value === null) return to.u8(tag.nothing);
  if (typeof value === 'string') {
    to.u8(tag.text);
    return to.text(value);
  }
  if (typeof value === 'boolean') {
    to.u8(tag.bool);
    return to.u8(value ? 1 : 0);
  }
  if (isList(value)) {
    for (const byte of arrayOfDynamic) to.u8(byte);
    to.varint(value.length);
    for (const item of value) writeDynamic(item, to);
    return;
  }
  if (isRecordObject(value)) {
    assertKeptByJson(value);
    for (const byte of json) to.u8(byte);
    return to.text(encodeJson(value));
  }
  writeNumber(value, to);
}

function writeNumber(value: number | bigint | ExactNumber, to: ByteWriter): void {
  const integer = integerOf(value);
  if (integer !== null) {
    const type = integerTypes.find(({ min, max }) => integer >= min && integer <= max);
    if (type !== undefined) {
      to.u8(type.tag);
      return to.big(integer, type.width);
    }
  }
  if (typeof value !== 'number') throw new Misfit('a number that a double or an integer of 256 bits holds', value);
  to.u8(tag.float64);
  to.f64(value);
}

function isList(value: RecordValue): value is readonly RecordValue[] {
  return Array.isArray(value);
}

// -- Geometry ----------------------------------------------------------------------------------------------------

/** In the order of the Variant that a Geometry is. Only the name tells a Ring from a LineString: GeoJSON has it. */
const shapes = ['LineString', 'MultiLineString', 'MultiPolygon', 'Point', 'Polygon', 'Ring'];

export function geometryEncoder(encoderFor: (shape: string) => Encoder | null): Encoder {
  const encoders = shapes.map(encoderFor);
  const wanted = `an object like {"type": "Point", "coordinates": [1, 2]} (Geometry)`;
  return {
    write(value, to) {
      if (value === null) return to.u8(noMember);
      if (!isRecordObject(value)) throw new Misfit(wanted, value);
      const { type, coordinates = null } = value;
      const number = typeof type === 'string' ? shapes.indexOf(type) : -1;
      const encoder = encoders[number];
      if (encoder === undefined || encoder === null) throw new Misfit(wanted, value);
      to.u8(number);
      encoder.write(coordinates, to);
    },
    missing: (to) => to.u8(noMember),
  };
}
