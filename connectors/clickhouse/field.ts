/**
 * Which field of a record goes into a column.
 *
 * F1  The record's own field with the column's name; nothing is inherited.
 * F2  A column whose name has dots, as a Nested makes them (`items.sku`), also takes a field of a field: of an object
 *     `items`, or of each object in a list `items`.
 */
import { fieldOf, isRecordObject, type RecordObject, type RecordValue } from '../../model/value.ts';
import { Misfit } from '../misfit.ts';

/** Undefined: the record does not have it. */
export type FieldReader = (record: RecordObject) => RecordValue | undefined;

/** Null: one property load is enough, because nothing else can be found under the name. */
export function fieldReader(column: string): FieldReader | null {
  if (!column.includes('.')) return column in Object.prototype ? (record) => fieldOf(record, column) : null;
  const path = column.split('.');
  return (record) => {
    const own = fieldOf(record, column);
    return own === undefined ? memberAt(record, path, 0) : own;
  };
}

function memberAt(value: RecordValue, path: readonly string[], at: number): RecordValue | undefined {
  if (at === path.length) return value;
  if (Array.isArray(value)) return membersAt(value as readonly RecordValue[], path, at);
  if (!isRecordObject(value)) throw new Misfit(`an object with ${path[at]}, or a list of such`, value);
  const member = fieldOf(value, path[at]!);
  return member === undefined || member === null ? undefined : memberAt(member, path, at + 1);
}

function membersAt(list: readonly RecordValue[], path: readonly string[], at: number): RecordValue {
  const members = new Array<RecordValue>(list.length);
  // An absent member stays a hole, which the encoder of lists fills with the default of its elements.
  list.forEach((item, i) => {
    const member = memberAt(item, path, at);
    if (member !== undefined) members[i] = member;
  });
  return members;
}
