/**
 * The key columns of a tombstone, from its key: a JSON object with their names, or, when there is one, its value as JSON
 * text or as it stands (`42`, `"a"` and `a`).
 */
import { mr } from '../../model/errors.ts';
import { decodeJson, fieldOf, isRecordObject, type RecordObject, type RecordValue } from '../../model/value.ts';

export function keyFields(key: string | null, columns: readonly string[]): RecordObject {
  const [first = 'key', second] = columns;
  if (key === null || columns.length === 0) throw missing(first, 'a record without a key');
  const value = key.startsWith('{') || key.startsWith('"') ? jsonOf(key) : key;
  if (isRecordObject(value)) {
    const fields = columns.map((column) => [column, present(column, fieldOf(value, column))] as const);
    return Object.fromEntries(fields);
  }
  if (second !== undefined) throw missing(first, 'a key that is no JSON object');
  return Object.fromEntries([[first, value]]);
}

function jsonOf(key: string): RecordValue {
  try {
    return decodeJson(key);
  } catch (error) {
    if (error instanceof SyntaxError) return key;
    throw error;
  }
}

function present(column: string, value: RecordValue | undefined): RecordValue {
  if (value === undefined || value === null) throw missing(column, 'a key without it');
  return value;
}

function missing(field: string, actual: string): Error {
  return mr('MR_RECORD_MISFIT', { field, wanted: 'in the key of a record without a value', actual });
}
