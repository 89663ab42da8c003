/** Types made of others, and enumerations, in RowBinary. */
import { ExactNumber, type RecordObject, type RecordValue } from '../../model/value.ts';
import type { TypeName } from './column-type.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from './misfit.ts';

export function nullableEncoder(inner: Encoder): Encoder {
  return {
    write(value, to) {
      if (value === null) return to.u8(1);
      to.u8(0);
      inner.write(value, to);
    },
    missing: (to) => to.u8(1),
  };
}

export function arrayEncoder(inner: Encoder): Encoder {
  return {
    write(value, to) {
      if (!isList(value)) throw new Misfit('an array', value);
      to.varint(value.length);
      for (const item of value) inner.write(item, to);
    },
    missing: (to) => to.u8(0),
  };
}

/** From an object: its field names become the keys. */
export function mapEncoder(keys: Encoder, values: Encoder): Encoder {
  return {
    write(value, to) {
      if (!isObject(value)) throw new Misfit('an object (Map)', value);
      const names = Object.keys(value);
      to.varint(names.length);
      for (const name of names) {
        keys.write(name, to);
        values.write(value[name] ?? null, to);
      }
    },
    missing: (to) => to.u8(0),
  };
}

/** A named tuple from an object, any tuple from an array of its length. */
export function tupleEncoder(type: TypeName, members: readonly Encoder[]): Encoder {
  const names = type.args.map((arg) => (arg.kind === 'named' ? arg.name : null));
  const isNamed = names.every((name) => name !== null);
  const wanted = isNamed ? `an object with ${names.join(', ')} (Tuple)` : `an array of ${members.length} (Tuple)`;
  return {
    write(value, to) {
      if (isList(value) && value.length === members.length) {
        members.forEach((member, i) => member.write(value[i] ?? null, to));
      } else if (isNamed && isObject(value)) {
        members.forEach((member, i) => {
          const field = value[names[i] ?? ''];
          if (field === undefined) member.missing(to);
          else member.write(field, to);
        });
      } else throw new Misfit(wanted, value);
    },
    missing: (to) => members.forEach((member) => member.missing(to)),
  };
}

/** By name, or by number. A missing one is the first of the type, as ClickHouse has it. */
export function enumEncoder(type: TypeName): Encoder {
  const numbers = new Map(type.args.flatMap((arg) => (arg.kind === 'enum' ? [[arg.name, arg.value] as const] : [])));
  const known = new Set(numbers.values());
  const [first = 0] = known;
  const wanted = `one of ${[...numbers.keys()].slice(0, 10).join(', ')} (${type.name})`;
  const width = type.name === 'Enum8' ? 1 : 2;
  return {
    write(value, to) {
      const number = typeof value === 'string' ? numbers.get(value) : value;
      if (typeof number !== 'number' || !known.has(number)) throw new Misfit(wanted, value);
      if (width === 1) to.u8(number);
      else to.u16(number);
    },
    missing(to) {
      if (width === 1) to.u8(first);
      else to.u16(first);
    },
  };
}

function isList(value: RecordValue): value is readonly RecordValue[] {
  return Array.isArray(value);
}

function isObject(value: RecordValue): value is RecordObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}
