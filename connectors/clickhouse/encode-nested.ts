/** Types made of others, and enumerations, in RowBinary. */
import { fieldOf, isRecordObject, type RecordValue } from '../../model/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { TypeName } from './column-type.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from '../misfit.ts';

export function nullableEncoder(inner: Encoder): Encoder {
  return {
    ...(inner.copies === 'text' ? { copies: 'nullableText' as const } : {}),
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
      // A member that an object of the list lacks (Nested, `./field.ts`) reads as undefined.
      for (const item of value as readonly (RecordValue | undefined)[]) {
        if (item === undefined) inner.missing(to);
        else inner.write(item, to);
      }
    },
    missing: (to) => to.u8(0),
  };
}

/** From an object: its field names become the keys (`./encode-key.ts`). */
export function mapEncoder(writeKey: (key: string, to: ByteWriter) => void, values: Encoder): Encoder {
  return {
    write(value, to) {
      if (!isRecordObject(value)) throw new Misfit('an object (Map)', value);
      const names = Object.keys(value);
      let count = names.length;
      for (const name of names) if (value[name] === undefined) count--;
      to.varint(count);
      for (const name of names) {
        const member = value[name];
        if (member === undefined) continue;
        writeKey(name, to);
        values.write(member, to);
      }
    },
    missing: (to) => to.u8(0),
  };
}

/** A named tuple from an object, any tuple from an array of its length. */
export function tupleEncoder(type: TypeName, members: readonly Encoder[]): Encoder {
  const names = type.args.map((arg) => (arg.kind === 'named' ? arg.name : null));
  const isNamed = names.length > 0 && names.every((name) => name !== null);
  const wanted = isNamed ? `an object with ${names.join(', ')} (Tuple)` : `an array of ${members.length} (Tuple)`;
  return {
    write(value, to) {
      if (isList(value) && value.length === members.length) {
        for (let i = 0; i < members.length; i++) members[i]!.write(value[i] ?? null, to);
      } else if (isNamed && isRecordObject(value)) {
        for (let i = 0; i < members.length; i++) {
          const field = fieldOf(value, names[i] ?? '');
          if (field === undefined) members[i]!.missing(to);
          else members[i]!.write(field, to);
        }
      } else throw new Misfit(wanted, value);
    },
    missing(to) {
      for (const member of members) member.missing(to);
    },
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
