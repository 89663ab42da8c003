/** JSON text of a value, with the digits of its numbers. */
import { ExactNumber, type RecordValue } from '../../crds/value.ts';

export function jsonText(value: RecordValue): string {
  if (typeof value === 'bigint' || value instanceof ExactNumber) return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(jsonText).join(',')}]`;
  const fields = Object.keys(value).flatMap((name) => {
    const field = value[name];
    return field === undefined ? [] : [`${JSON.stringify(name)}:${jsonText(field)}`];
  });
  return `{${fields.join(',')}}`;
}

function isList(value: RecordValue): value is readonly RecordValue[] {
  return Array.isArray(value);
}
