/**
 * How a table is defined, and the pieces of it: the server says some of them, the others are read out of the statement
 * as it formats it. Pure.
 *
 * The server quotes the names of columns, and nothing else at the beginning of an element.
 */
import { depths, find, isQuoted, isWord, tokensOf, type Token, type Tokens } from './tokens.ts';

/** What the server says. */
export interface Definition {
  readonly createQuery: string;
  readonly engineFull: string;
  readonly partitionKey: string;
  readonly sortingKey: string;
  readonly samplingKey: string;
  readonly indexes: readonly SkipIndex[];
}

export interface SkipIndex {
  readonly name: string;
  /** With its arguments. */
  readonly type: string;
  readonly expression: string;
}

export interface Pieces {
  readonly columns: readonly DefinedColumn[];
  readonly projections: readonly DefinedProjection[];
  readonly engine: Engine;
  /** Each of the expressions in the table's TTL, without what happens then; also those of WHERE. */
  readonly ttls: readonly string[];
}

export interface DefinedColumn {
  /** As written. */
  readonly name: string;
  readonly type: string;
  /** Undefined: it has none. */
  readonly ttl: string | undefined;
}

export interface DefinedProjection {
  readonly name: string;
  /** A SELECT without FROM; or, in newer servers, an index. */
  readonly body: string;
}

export interface Engine {
  /** Of the family, however its parts are kept: without `Replicated` and `Shared`. */
  readonly family: string;
  /** Without where replicas find each other. */
  readonly arguments: readonly string[];
  /** The clauses after it, up to SETTINGS. */
  readonly clauses: string;
  /** One setting each, as written. */
  readonly settings: readonly string[];
}

export function piecesOf({ createQuery, engineFull }: Pick<Definition, 'createQuery' | 'engineFull'>): Pieces {
  const elements = split(inside(tokensOf(createQuery)) ?? []);
  const engine = tokensOf(engineFull);
  return {
    columns: elements.filter(isColumn).map(columnOf),
    projections: elements.flatMap((tokens) => projectionOf(tokens) ?? []),
    engine: engineOf(engine),
    ttls: ttlsOf(clause(engine, 'TTL', 'SETTINGS')),
  };
}

const textOf = (tokens: Tokens) =>
  tokens
    .map(({ text }) => text)
    .join('')
    .trim();

function trimmed(tokens: Tokens): Tokens {
  const first = tokens.findIndex(({ kind }) => kind !== 'space');
  const last = tokens.findLastIndex(({ kind }) => kind !== 'space');
  return first === -1 ? [] : tokens.slice(first, last + 1);
}

/** What stands between the first brackets. */
function inside(tokens: Tokens): Tokens | undefined {
  const isOpen = ({ kind, text }: Token) => kind === 'other' && text === '(';
  const from = tokens.findIndex(isOpen);
  if (from === -1) return undefined;
  const after = tokens.slice(from + 1);
  const depth = depths(after);
  return after.slice(0, depth.indexOf(-1));
}

/** At the commas outside of brackets. */
function split(tokens: Tokens): readonly Tokens[] {
  const depth = depths(tokens);
  const parts: Token[][] = [[]];
  tokens.forEach((token, at) => {
    if (depth[at] === 0 && token.kind === 'other' && token.text === ',') parts.push([]);
    else parts.at(-1)?.push(token);
  });
  return parts.map(trimmed).filter((part) => part.length > 0);
}

/** From after the word up to one of the others. */
function clause(tokens: Tokens, word: string, ...others: readonly string[]): Tokens {
  const from = find(tokens, (token) => isWord(token, word));
  return from === -1 ? [] : upTo(tokens.slice(from + 1), ...others);
}

function upTo(tokens: Tokens, ...words: readonly string[]): Tokens {
  const to = find(tokens, (token) => isWord(token, ...words));
  return trimmed(to === -1 ? tokens : tokens.slice(0, to));
}

function isColumn([first]: Tokens): boolean {
  return first !== undefined && isQuoted(first);
}

const afterType = [
  'DEFAULT',
  'MATERIALIZED',
  'ALIAS',
  'EPHEMERAL',
  'COMMENT',
  'CODEC',
  'STATISTICS',
  'TTL',
  'NULL',
  'NOT',
];

function columnOf(tokens: Tokens): DefinedColumn {
  const ttl = textOf(clause(tokens, 'TTL', 'COLLATE', 'PRIMARY', 'SETTINGS'));
  const type = textOf(upTo(tokens.slice(1), ...afterType, 'COLLATE', 'PRIMARY', 'SETTINGS'));
  return { name: textOf(tokens.slice(0, 1)), type, ttl: ttl === '' ? undefined : ttl };
}

function projectionOf(tokens: Tokens): DefinedProjection | undefined {
  const [word, , name] = tokens;
  if (!isWord(word, 'PROJECTION') || name === undefined) return undefined;
  const rest = trimmed(tokens.slice(3));
  const isSelect = rest[0]?.text === '(';
  return { name: textOf([name]), body: textOf(isSelect ? (inside(rest) ?? []) : rest) };
}

function engineOf(tokens: Tokens): Engine {
  const [name] = tokens;
  const family = (name?.text ?? '').replace(/^(Replicated|Shared)/, '');
  const hasArguments = tokens[1]?.text === '(';
  const given = hasArguments ? split(inside(tokens) ?? []) : [];
  const isText = (token: Token | undefined) => token?.kind === 'text';
  const isShared = family !== name?.text && isText(given[0]?.[0]) && isText(given[1]?.[0]);
  const end = hasArguments ? depths(tokens).indexOf(0, 2) + 1 : 1;
  const after = tokens.slice(end);
  return {
    family,
    arguments: (isShared ? given.slice(2) : given).map(textOf),
    clauses: textOf(upTo(after, 'SETTINGS')),
    settings: split(clause(after, 'SETTINGS')).map(textOf),
  };
}

const whatHappens = ['DELETE', 'TO', 'RECOMPRESS', 'GROUP', 'WHERE'];

/**
 * `d + INTERVAL 1 DAY GROUP BY k, l SET n = sum(n), m = max(m), e + INTERVAL 2 DAY WHERE x, …`: after GROUP BY a comma
 * may also be one between keys or assignments.
 */
function ttlsOf(tokens: Tokens): readonly string[] {
  const found: string[] = [];
  let isOpen: 'no' | 'keys' | 'assignments' = 'no';
  for (const part of split(tokens)) {
    const isAssignment = part.length > 1 && trimmed(part.slice(1))[0]?.text === '=';
    if (isOpen === 'no' || (isOpen === 'assignments' && !isAssignment)) {
      isOpen = 'no';
      found.push(textOf(upTo(part, ...whatHappens)), textOf(clause(part, 'WHERE')));
      if (find(part, (token) => isWord(token, 'GROUP')) !== -1) isOpen = 'keys';
    }
    if (isOpen === 'keys' && find(part, (token) => isWord(token, 'SET')) !== -1) isOpen = 'assignments';
  }
  return found.filter((text) => text !== '');
}
