/**
 * As much of ClickHouse's SQL as the HTTP interface must read itself: where the data of an insert begins, and in which
 * format an answer is asked for. Pure. Everything else is the engine's business.
 *
 * The text may be followed by binary data: it is read as Latin-1, so that an index in it is an index in the bytes.
 */

export interface InsertHead {
  /** As written, quotes included: `shop.orders`. */
  readonly table: string;
  /** As written between the parentheses; null without a list. */
  readonly columns: string | null;
  /** As written after SETTINGS; null without. */
  readonly settings: string | null;
  readonly format: string;
  /** Index of the first byte of data. */
  readonly dataStart: number;
}

interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'group' | 'mark';
  readonly start: number;
  readonly end: number;
}

/** `INSERT INTO t [(columns)] [SETTINGS …] FORMAT X`, or null for any other statement, VALUES and SELECT among them. */
export function parseInsert(text: string): InsertHead | null {
  const tokens = tokensOf(text);
  const next = () => tokens.next().value;
  const word = (token: Token | undefined) => (token?.kind === 'word' ? textOf(text, token).toUpperCase() : undefined);
  if (word(next()) !== 'INSERT' || word(next()) !== 'INTO') return null;

  let token = next();
  if (word(token) === 'TABLE') token = next();
  if (token === undefined || word(token) === 'FUNCTION') return null;
  const tableStart = token.start;
  let tableEnd = token.end;
  for (token = next(); token?.kind === 'mark' && textOf(text, token) === '.'; token = next()) {
    tableEnd = next()?.end ?? tableEnd;
    // `next` moves on to the token after the name.
  }
  let columns: string | null = null;
  if (token?.kind === 'group') {
    columns = text.slice(token.start + 1, token.end - 1);
    token = next();
  }
  let settings: string | null = null;
  if (word(token) === 'SETTINGS' && token !== undefined) {
    const start = token.end;
    do token = next();
    while (token !== undefined && word(token) !== 'FORMAT' && word(token) !== 'SELECT' && word(token) !== 'VALUES');
    settings = text.slice(start, token?.start ?? text.length).trim();
  }
  if (word(token) !== 'FORMAT') return null;
  const format = next();
  if (format?.kind !== 'word' || word(format) === 'VALUES') return null;
  const dataStart = skipToData(text, format.end);
  return { table: text.slice(tableStart, tableEnd), columns, settings, format: textOf(text, format), dataStart };
}

/** The format that a query names for its answer, if any: the last `FORMAT <name>` outside of parentheses. */
export function outputFormat(text: string): string | null {
  let named: string | null = null;
  let afterFormat = false;
  for (const token of tokensOf(text)) {
    const word = token.kind === 'word' ? textOf(text, token) : '';
    if (afterFormat && word !== '') named = word;
    afterFormat = word.toUpperCase() === 'FORMAT';
  }
  return named;
}

/** First word of a statement, in capitals. */
export function verbOf(text: string): string {
  for (const token of tokensOf(text)) return textOf(text, token).toUpperCase();
  return '';
}

/** Whether a statement leaves tables unchanged, so that an earlier DESCRIBE is still valid. */
export function keepsTables(verb: string): boolean {
  return [
    'SELECT',
    'WITH',
    'INSERT',
    'SHOW',
    'DESCRIBE',
    'DESC',
    'EXISTS',
    'EXPLAIN',
    'SET',
    'USE',
    'OPTIMIZE',
    '',
  ].includes(verb);
}

/** Names in a column list; null when it contains more than names (`* EXCEPT …`). */
export function columnNames(list: string): string[] | null {
  const names: string[] = [];
  for (const token of tokensOf(list)) {
    const text = textOf(list, token);
    if (token.kind === 'word') names.push(text);
    else if (token.kind === 'quoted') names.push(text.slice(1, -1).replaceAll(/\\(.)|(`)`|(")"/g, '$1$2$3'));
    else if (text !== ',') return null;
  }
  return names;
}

function textOf(text: string, token: Token): string {
  return text.slice(token.start, token.end);
}

/** Like the server: blanks, then at most one line end. */
function skipToData(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\f'.includes(text.charAt(at))) at++;
  if (text.charAt(at) === ';') at++;
  if (text.charAt(at) === '\r') at++;
  if (text.charAt(at) === '\n') at++;
  return at;
}

const space = /[\s\0]/;
const wordStart = /[A-Za-z_]/;
const wordRest = /[A-Za-z0-9_]/;

function* tokensOf(text: string): Generator<Token, undefined> {
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    const start = at;
    if (space.test(char)) at++;
    else if (text.startsWith('--', at) || text.startsWith('#!', at)) at = endAfter(text, '\n', at);
    else if (text.startsWith('/*', at)) at = endAfter(text, '*/', at + 2);
    else if (char === '`' || char === '"') yield { kind: 'quoted', start, end: (at = closing(text, at, char)) };
    else if (char === "'") yield { kind: 'string', start, end: (at = closing(text, at, char)) };
    else if (char === '(') yield { kind: 'group', start, end: (at = closingParenthesis(text, at)) };
    else if (wordStart.test(char)) {
      while (at < text.length && wordRest.test(text.charAt(at))) at++;
      yield { kind: 'word', start, end: at };
    } else yield { kind: 'mark', start, end: ++at };
  }
  return undefined;
}

function endAfter(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at < 0 ? text.length : at + end.length;
}

function closing(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at);
    const isEscaped = char === '\\' || (char === quote && text.charAt(at + 1) === quote);
    if (isEscaped) at++;
    else if (char === quote) return at + 1;
  }
  return text.length;
}

function closingParenthesis(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === ')') return at + 1;
    if (char === '(') at = closingParenthesis(text, at);
    else if (char === "'" || char === '"' || char === '`') at = closing(text, at, char);
    else at++;
  }
  return at;
}
