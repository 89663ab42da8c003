/**
 * One encoder for each ClickHouse type: writes a value in RowBinary, or throws {@link Misfit}.
 *
 * T1  No digit is lost: what a column cannot hold is a misfit, never cut off. The one exception is a double into a
 *     Decimal, which is rounded to its scale.
 * T2  An encoder is compiled once for a column; per value it allocates nothing for numbers, times and short texts.
 * T3  `missing` writes the type's default value, as ClickHouse does for a field that is not there.
 */
import { parseType, type TypeName } from './column-type.ts';
import type { Encoder } from './encoder.ts';
import { arrayEncoder, enumEncoder, mapEncoder, nullableEncoder, tupleEncoder } from './encode-nested.ts';
import { dateEncoder, dateTime64Encoder, dateTimeEncoder } from './encode-time.ts';
import { bigIntegerEncoder, decimalEncoder, floatEncoder, integerEncoder } from './encode-number.ts';
import {
  fixedStringEncoder,
  ipv4Encoder,
  ipv6Encoder,
  jsonEncoder,
  stringEncoder,
  uuidEncoder,
} from './encode-text.ts';
import { Misfit } from './misfit.ts';

/** The encoder of a type as ClickHouse writes it; null when there is none. */
export function compileEncoder(type: string): Encoder | null {
  const parsed = parseType(type);
  return parsed === null ? null : encoderOf(parsed);
}

function encoderOf(type: TypeName): Encoder | null {
  const simple = simpleEncoders[type.name];
  if (simple) return simple();
  const numbers = type.args.flatMap((arg) => (arg.kind === 'number' ? [arg.value] : []));
  const inner = type.args.map((arg) => (arg.kind === 'type' || arg.kind === 'named' ? encoderOf(arg.type) : null));
  const [first, second] = inner;
  switch (type.name) {
    case 'FixedString':
      return fixedStringEncoder(numbers[0] ?? 0);
    case 'DateTime':
      return dateTimeEncoder();
    case 'DateTime64':
      return dateTime64Encoder(numbers[0] ?? 3);
    case 'Decimal':
      return decimalEncoder(numbers[0] ?? 10, numbers[1] ?? 0);
    case 'Enum8':
    case 'Enum16':
      return enumEncoder(type);
    case 'LowCardinality':
      return first ?? null;
    case 'Nullable':
      return first ? nullableEncoder(first) : null;
    case 'Array':
      return first ? arrayEncoder(first) : null;
    case 'Map':
      return first && second ? mapEncoder(first, second) : null;
    case 'Tuple':
      return inner.every((encoder) => encoder !== null) ? tupleEncoder(type, inner) : null;
    case 'SimpleAggregateFunction':
      return second ?? null;
    case 'JSON':
      return jsonEncoder();
    default:
      return null;
  }
}

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
  Float32: () => floatEncoder('Float32'),
  Float64: () => floatEncoder('Float64'),
  Date: () => dateEncoder('Date', 0, 0xffff),
  // 1900-01-01 to 2299-12-31.
  Date32: () => dateEncoder('Date32', -25_567, 120_529),
  UUID: uuidEncoder,
  IPv4: ipv4Encoder,
  IPv6: ipv6Encoder,
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
