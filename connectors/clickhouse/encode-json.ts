/**
 * Type JSON, sent as text (`input_format_binary_read_json_as_string`).
 *
 * J1  What ClickHouse would read as something else is a misfit: a number that it would round, and what does not fit a path
 *     with a type of its own (`JSON(a UInt8)` would make 1 of 1.7, and 0 of null).
 * J2  null, an empty object and a member that is not there are the same to the type, and `{"a.b": 1}` is
 *     `{"a": {"b": 1}}`: that is what its paths are.
 */
import { encodeJson, ExactNumber, isRecordObject, type RecordValue } from '../../model/value.ts';
import { integerOf, isLongInteger } from '../exact.ts';
import { Misfit } from '../misfit.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Encoder } from './encoder.ts';

/** Paths of the type that have a type of their own, without backticks. */
export type TypedPaths = ReadonlyMap<string, Encoder>;

export function jsonEncoder(paths: TypedPaths): Encoder {
  const check = paths.size === 0 ? assertKeptByJson : checkOf(paths);
  return {
    write(value, to) {
      if (!isRecordObject(value)) throw new Misfit('an object (JSON)', value);
      check(value);
      to.text(encodeJson(value));
    },
    missing: (to) => to.text('{}'),
  };
}

function checkOf(paths: TypedPaths): (value: RecordValue) => void {
  const scratch = new ByteWriter();

  function checkAt(value: RecordValue | undefined, path: string): void {
    if (value === undefined) return;
    const encoder = paths.get(path);
    if (encoder !== undefined) {
      encoder.write(value, scratch);
      scratch.at = 0;
    } else if (isRecordObject(value)) {
      for (const name of Object.keys(value)) checkAt(value[name], path === '' ? name : `${path}.${name}`);
    } else assertKeptByJson(value);
  }

  return (value) => checkAt(value, '');
}

/**
 * Type JSON stores numbers as Int64, UInt64 or Float64, and rounds without a word. A list of numbers has one type for all
 * of them, so that a fraction beside a long integer makes doubles of both.
 */
export function assertKeptByJson(value: RecordValue | undefined): void {
  if (typeof value !== 'object' || value === null) return;
  if (isList(value)) {
    if (value.some(isFraction)) value.forEach(assertDouble);
    value.forEach(assertKeptByJson);
  } else if (isRecordObject(value)) for (const name of Object.keys(value)) assertKeptByJson(value[name]);
  else {
    const integer = integerOf(value);
    if (integer !== null && integer >= -(2n ** 63n) && integer < 2n ** 64n) return;
    throw new Misfit('made of numbers that type JSON keeps (a double, or an integer of 64 bits)', value);
  }
}

function isFraction(value: RecordValue): boolean {
  return typeof value === 'number' && !Number.isInteger(value);
}

function assertDouble(value: RecordValue): void {
  const isLong =
    (typeof value === 'bigint' && isLongInteger(value)) || (value instanceof ExactNumber && isLongInteger(value.text));
  if (isLong) throw new Misfit('made of lists without a fraction beside an integer that no double holds', value);
}

function isList(value: RecordValue): value is readonly RecordValue[] {
  return Array.isArray(value);
}
