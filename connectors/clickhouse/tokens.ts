/** ClickHouse's SQL in pieces, as far as finding a name in it needs. Pure. */

export interface Token {
  readonly kind: 'name' | 'text' | 'other' | 'space';
  /** As written. */
  readonly text: string;
  /** Of a name: without quotes. */
  readonly name: string;
}

const pieces =
  /(`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")|([A-Za-z_][A-Za-z0-9_]*)|('(?:[^'\\]|\\.|'')*')|(\s+|--[^\n]*\n?|\/\*[\s\S]*?\*\/)|([\s\S])/g;

export function tokensOf(sql: string): readonly Token[] {
  return [...sql.matchAll(pieces)].map(([text, quotedName, plainName, string, space]) => {
    if (quotedName !== undefined) {
      const name = quotedName.slice(1, -1).replaceAll(/\\(.)|(`|")\2/g, '$1$2');
      return { kind: 'name', text, name };
    }
    if (plainName !== undefined) return { kind: 'name', text, name: plainName };
    const kind = string === undefined ? (space === undefined ? 'other' : 'space') : 'text';
    return { kind, text, name: '' };
  });
}
