/** What an expression gave, as a value of a record. */
import { ExactNumber, type RecordValue } from '../../model/value.ts';
import { charged, spend } from './budget.ts';
import { celTypeOf } from './cel-type.ts';
import { isPlainObject } from './operators.ts';
import { EvaluationProblem } from './problem.ts';

/**
 * Objects and lists are copied, so what is set is never an alias of a part of the record. An int becomes a number when
 * that loses nothing; a timestamp becomes RFC 3339 text.
 */
export function toRecordValue(value: unknown): RecordValue {
  switch (typeof value) {
    case 'string':
      return wellFormed(value);
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw new EvaluationProblem(`the result is ${value}, which JSON cannot hold`, 'divisor');
    case 'bigint':
      return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
    default:
      return fromObject(value);
  }
}

function fromObject(value: unknown): RecordValue {
  if (value === null || value instanceof ExactNumber) return value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    spend(value.length);
    return value.map(memberOf);
  }
  if (isPlainObject(value)) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, member]) =>
        member === undefined ? [] : [[wellFormed(key), memberOf(member)]],
      ),
    );
  }
  throw new EvaluationProblem(`the result is ${celTypeOf(value)}, which JSON cannot hold; use string()`);
}

/** One text of the record may be in the result many times. */
function memberOf(value: unknown): RecordValue {
  return toRecordValue(typeof value === 'string' ? charged(value) : value);
}

/** A text that was cut within a character has no UTF-8 encoding, and no sink could store it. */
function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new EvaluationProblem('the result has half a surrogate pair, which is no character');
}
