/**
 * Does a record have the fields that its source's schema requires?
 *
 * Fields that the schema does not name are accepted. Nothing is converted: a value that fits is left unchanged.
 */
import { assertNever, mr } from '../model/errors.ts';
import type { FieldShape, FieldType } from '../model/plan.ts';
import { ExactNumber, type RecordObject, type RecordValue } from '../model/value.ts';

/** Throws MR_RECORD_MISFIT for the first field that does not fit. */
export function checkShape(value: RecordObject, fields: readonly FieldShape[]): void {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const found = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    if (found === undefined || found === null) {
      if (!field.optional) throw misfit(field, found);
    } else if (!fits(found, field.type)) {
      throw misfit(field, found);
    }
  }
}

function fits(value: RecordValue, type: FieldType): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'int64':
      return typeof value === 'number' ? Number.isSafeInteger(value) : isInteger(value, minInt64, maxInt64);
    case 'uint64':
      return typeof value === 'number' ? Number.isSafeInteger(value) && value >= 0 : isInteger(value, 0n, maxUint64);
    case 'float64':
      return isNumber(value);
    case 'decimal':
      return isNumber(value) || (typeof value === 'string' && decimalText.test(value));
    case 'timestamp':
      return isNumber(value) || (typeof value === 'string' && isTimestamp(value));
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value) && !(value instanceof ExactNumber);
    case 'any':
      return true;
    default:
      return assertNever(type);
  }
}

const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;
const maxUint64 = 2n ** 64n - 1n;
const decimalText = /^[+-]?[0-9]+(\.[0-9]+)?$/;
const timestampText =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$/;

function isNumber(value: RecordValue): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

function isInteger(value: RecordValue, least: bigint, most: bigint): boolean {
  if (typeof value === 'bigint') return value >= least && value <= most;
  if (!(value instanceof ExactNumber) || !/^-?[0-9]{1,24}$/.test(value.text)) return false;
  return isInteger(BigInt(value.text), least, most);
}

function isTimestamp(text: string): boolean {
  return timestampText.test(text) && !Number.isNaN(Date.parse(text));
}

/** The message names the type that was found, not the value: records do not belong into messages. */
function misfit(field: FieldShape, found: RecordValue | undefined): Error {
  return mr('MR_RECORD_MISFIT', { field: field.name, wanted: wanted(field.type), actual: typeName(found) });
}

function wanted(type: FieldType): string {
  switch (type) {
    case 'int64':
    case 'uint64':
      return `an integer (${type})`;
    case 'decimal':
      return 'a number or text that holds one';
    case 'timestamp':
      return 'a timestamp (RFC 3339 text or a number)';
    case 'object':
      return 'an object';
    case 'array':
      return 'a list';
    case 'float64':
      return 'a number';
    case 'bool':
      return 'true or false';
    case 'string':
      return 'text';
    case 'any':
      return 'present';
    default:
      return assertNever(type);
  }
}

function typeName(value: RecordValue | undefined): string {
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (isNumber(value)) return typeof value === 'number' && !Number.isInteger(value) ? 'a fraction' : 'a number';
  if (typeof value === 'string') return 'text';
  return typeof value === 'boolean' ? 'true or false' : 'an object';
}
