/** A value that a column does not accept. The row encoder adds the field's name and turns it into MR_RECORD_MISFIT. */
import { cut } from '../model/text.ts';
import { ExactNumber, type RecordValue } from '../model/value.ts';

export class Misfit extends Error {
  override readonly name = 'Misfit';
  readonly wanted: string;
  readonly actual: string;

  constructor(wanted: string, value: RecordValue | undefined) {
    super();
    this.wanted = wanted;
    this.actual = describeValue(value);
  }
}

const shownCharacters = 40;

/** Describes a value for a person: its kind, and the beginning of a scalar. */
export function describeValue(value: RecordValue | undefined): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return `the text ${JSON.stringify(cut(value, shownCharacters))}`;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber) {
    return `the number ${cut(String(value), shownCharacters)}`;
  }
  return Array.isArray(value) ? 'an array' : 'an object';
}
