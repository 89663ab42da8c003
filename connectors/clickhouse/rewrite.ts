/**
 * A view's SELECT, changed to read from another table instead of its source. Pure.
 *
 * Undefined unless the source is named exactly once as a table: named twice it would be joined with itself, where the
 * view reads stored rows, and a table that stores nothing would give other results.
 */
import { tokensOf, type Token } from './tokens.ts';
import { quoted, quotedName } from './window.ts';

interface Name {
  readonly database: string;
  readonly name: string;
}

export function readingFrom(select: string, source: Name, other: Name): string | undefined {
  const tokens = tokensOf(select);
  const places = tokens.flatMap((_, at) => (isSource(tokens, at, source) ? [at] : []));
  const asTable = places.filter((at) => tokens[at + 3]?.text !== '.');
  const [at] = asTable;
  if (asTable.length !== 1 || at === undefined) return undefined;
  // With its own name as alias, columns that are named with the table still find it.
  const alias = nextWord(tokens, at + 3) === 'AS' ? '' : ` AS ${quoted(source.name)}`;
  return tokens
    .map((token, i) => {
      const place = places.find((from) => i >= from && i < from + 3);
      if (place === undefined) return token.text;
      if (i !== place) return '';
      return place === at ? `${quotedName(other)}${alias}` : quoted(source.name);
    })
    .join('');
}

/** `database . table`, and not the end of a longer name. */
function isSource(tokens: readonly Token[], at: number, { database, name }: Name): boolean {
  return (
    tokens[at]?.kind === 'name' &&
    tokens[at].name === database &&
    tokens[at + 1]?.text === '.' &&
    tokens[at + 2]?.kind === 'name' &&
    tokens[at + 2]?.name === name &&
    tokens[at - 1]?.text !== '.'
  );
}

function nextWord(tokens: readonly Token[], from: number): string | undefined {
  return tokens
    .slice(from)
    .find(({ kind }) => kind !== 'space')
    ?.text.toUpperCase();
}
