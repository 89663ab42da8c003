import pg from 'pg';

export const quoted = pg.escapeIdentifier;

export function qualified(schema: string, name: string): string {
  return `${quoted(schema)}.${quoted(name)}`;
}
