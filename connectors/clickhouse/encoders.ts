/**
 * One encoder for each ClickHouse type: writes a value in RowBinary, or throws {@link Misfit}.
 *
 * T1  No digit is lost: a value that a column cannot hold is a misfit, never truncated. Exceptions: a float holds the
 *     nearest number of its type, and digits of a time text beyond the column's scale are cut off.
 * T2  An encoder is compiled once for a column; per value it allocates nothing for numbers, times and short texts.
 * T3  `missing` writes the type's default value, as ClickHouse does for an absent field.
 */
import { parseType, type TypeName } from './column-type.ts';
import {
  bigIntegerEncoder,
  decimalEncoder,
  floatEncoder,
  integerEncoder,
  intervalEncoder,
  vectorEncoder,
} from './encode-number.ts';
import { jsonEncoder } from './encode-json.ts';
import { keyWriter } from './encode-key.ts';
import { arrayEncoder, enumEncoder, mapEncoder, nullableEncoder, tupleEncoder } from './encode-nested.ts';
import { fixedStringEncoder, ipv4Encoder, ipv6Encoder, stringEncoder, uuidEncoder } from './encode-text.ts';
import { dateEncoder, dateTime64Encoder, dateTimeEncoder, time64Encoder, timeEncoder } from './encode-time.ts';
import { dynamicEncoder, geometryEncoder, variantEncoder } from './encode-variant.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from '../misfit.ts';

/** The encoder of a type, given ClickHouse's name of it; null when there is none. */
export function compileEncoder(type: string): Encoder | null {
  const parsed = parseType(type);
  return parsed === null ? null : encoderOf(parsed);
}

function encoderOf(type: TypeName): Encoder | null {
  return simpleEncoders[type.name]?.() ?? withParameters(type) ?? madeOfOthers(type);
}

function withParameters(type: TypeName): Encoder | null {
  const [first, second] = type.args.flatMap((arg) => (arg.kind === 'number' ? [arg.value] : []));
  switch (type.name) {
    case 'FixedString':
      return fixedStringEncoder(first ?? 0);
    case 'DateTime64':
      return dateTime64Encoder(first ?? 3);
    case 'Time64':
      return time64Encoder(first ?? 3);
    case 'Decimal':
      return decimalEncoder(first ?? 10, second ?? 0);
    case 'Enum8':
    case 'Enum16':
      return enumEncoder(type);
    default:
      return type.name.startsWith('Interval') ? intervalEncoder(type.name) : null;
  }
}

/** Null when one of the others has no encoder, too. */
function madeOfOthers(type: TypeName): Encoder | null {
  const members = type.args.flatMap((arg) => (arg.kind === 'type' || arg.kind === 'named' ? [arg.type] : []));
  const inner = members.map(encoderOf);
  const [first, second] = inner;
  switch (type.name) {
    case 'LowCardinality':
      return first ?? null;
    case 'Nullable':
      return first ? nullableEncoder(first) : null;
    case 'Array':
      return first ? arrayEncoder(first) : null;
    case 'Map':
      return first && second ? mapEncoder(keyWriter(members[0]!, first), second) : null;
    case 'Tuple':
      return inner.every((encoder) => encoder !== null) ? tupleEncoder(type, inner) : null;
    case 'Nested':
      return inner.every((encoder) => encoder !== null) ? arrayEncoder(tupleEncoder(type, inner)) : null;
    case 'Variant':
      return inner.every((encoder) => encoder !== null)
        ? variantEncoder(inner.map((encoder, i) => ({ type: members[i]!, encoder })))
        : null;
    case 'SimpleAggregateFunction':
      return second ?? null;
    case 'QBit': {
      const length = type.args.find((arg) => arg.kind === 'number');
      return first && length ? vectorEncoder(first, length.value) : null;
    }
    case 'JSON':
      return jsonEncoder(typedPaths(type));
    case 'Geometry':
      return geometryEncoder((shape) => encoderOf({ name: shape, args: [] }));
    default:
      return geometric(type.name);
  }
}

/** A path may be quoted part by part, or as a whole. */
function typedPaths(type: TypeName): ReadonlyMap<string, Encoder> {
  return new Map(
    type.args.flatMap((arg) => {
      const encoder = arg.kind === 'named' ? encoderOf(arg.type) : null;
      return arg.kind === 'named' && encoder !== null ? [[arg.name.replaceAll('`', ''), encoder] as const] : [];
    }),
  );
}

/** Shapes are lists of lists of points. */
function geometric(name: string): Encoder | null {
  const inner = geometricParts[name];
  if (inner !== undefined) {
    const part = encoderOf({ name: inner, args: [] });
    return part && arrayEncoder(part);
  }
  if (name !== 'Point') return null;
  const coordinate = floatEncoder('Float64');
  return tupleEncoder({ name: 'Tuple', args: [] }, [coordinate, coordinate]);
}

const geometricParts: Readonly<Record<string, string>> = {
  Ring: 'Point',
  LineString: 'Point',
  MultiLineString: 'LineString',
  Polygon: 'Ring',
  MultiPolygon: 'Polygon',
};

const simpleEncoders: Readonly<Record<string, () => Encoder>> = {
  String: stringEncoder,
  Bool: boolEncoder,
  Int8: () => integerEncoder('Int8', 1, -0x80, 0x7f),
  UInt8: () => integerEncoder('UInt8', 1, 0, 0xff),
  Int16: () => integerEncoder('Int16', 2, -0x8000, 0x7fff),
  UInt16: () => integerEncoder('UInt16', 2, 0, 0xffff),
  Int32: () => integerEncoder('Int32', 4, -0x8000_0000, 0x7fff_ffff),
  UInt32: () => integerEncoder('UInt32', 4, 0, 0xffff_ffff),
  Int64: () => bigIntegerEncoder('Int64', 8, true),
  UInt64: () => bigIntegerEncoder('UInt64', 8, false),
  Int128: () => bigIntegerEncoder('Int128', 16, true),
  UInt128: () => bigIntegerEncoder('UInt128', 16, false),
  Int256: () => bigIntegerEncoder('Int256', 32, true),
  UInt256: () => bigIntegerEncoder('UInt256', 32, false),
  BFloat16: () => floatEncoder('BFloat16'),
  Float32: () => floatEncoder('Float32'),
  Float64: () => floatEncoder('Float64'),
  Date: () => dateEncoder('Date', 0, 0xffff),
  // 1900-01-01 to 2299-12-31.
  Date32: () => dateEncoder('Date32', -25_567, 120_529),
  DateTime: dateTimeEncoder,
  Time: timeEncoder,
  UUID: uuidEncoder,
  IPv4: ipv4Encoder,
  IPv6: ipv6Encoder,
  Dynamic: dynamicEncoder,
};

function boolEncoder(): Encoder {
  return {
    write(value, to) {
      if (typeof value !== 'boolean') throw new Misfit('true or false', value);
      to.u8(value ? 1 : 0);
    },
    missing: (to) => to.u8(0),
  };
}
