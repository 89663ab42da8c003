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

export type Tokens = readonly Token[];

export const isQuoted = ({ text }: Token) => text.startsWith('`') || text.startsWith('"');

/** Of a word that is no name of something. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'name' && !isQuoted(token) && words.includes(token.text.toUpperCase());
}

/** Depth in brackets at each token; a bracket has the depth of what is around it. */
export function depths(tokens: Tokens): readonly number[] {
  let depth = 0;
  return tokens.map(({ kind, text }) => {
    if (kind !== 'other') return depth;
    if ('([{'.includes(text)) return depth++;
    if (')]}'.includes(text)) return --depth;
    return depth;
  });
}

/** The first place outside of brackets at which there is such a token; -1: there is none. */
export function find(tokens: Tokens, isIt: (token: Token) => boolean): number {
  const depth = depths(tokens);
  return tokens.findIndex((token, at) => depth[at] === 0 && isIt(token));
}
