/** The name that CEL gives to the type of a value, for messages. */
import { operand } from './operators.ts';

export function celTypeOf(exact: unknown): string {
  const value = operand(exact);
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    default:
      if (value === null) return 'null';
      if (Array.isArray(value)) return value.length === 0 ? 'list<dyn>' : `list<${celTypeOf(value[0])}>`;
      if (value instanceof Date) return 'google.protobuf.Timestamp';
      return mapTypeOf(value);
  }
}

function mapTypeOf(value: unknown): string {
  const first: unknown = typeof value === 'object' && value !== null ? Object.values(value)[0] : undefined;
  return first === undefined ? 'map<dyn, dyn>' : `map<string, ${celTypeOf(first)}>`;
}
