/** Positions in a YAML (or JSON) text. */
import {
  Composer,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  Parser,
  type Document,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { z } from 'zod';
import { faultIn } from './document-fault.ts';
import { jsonFault, looksLikeJson } from './json-text.ts';
import { placeAfter } from './document-text.ts';
import { boundsFault, tooDeep, type TextFault } from './text-bounds.ts';
import type { Issue, IssuePath } from './issue.ts';

/** Line and column from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Column after the last character, when the place ends in the line in which it begins. */
  readonly endColumn?: number;
}

export interface PlacedDocument {
  readonly document: Document.Parsed;
  readonly value: unknown;
  placeOf(issue: Issue): Place;
}

export interface Broken {
  readonly problem: string;
  readonly place: Place;
}

/** The documents of a text, and its syntax errors. A broken document is not among the documents. */
export function placesIn(text: string): {
  readonly documents: readonly PlacedDocument[];
  readonly broken: readonly Broken[];
} {
  const lines = new LineCounter();
  const fault = boundsFault(text);
  if (fault !== undefined) return { documents: [], broken: [unparsed(text, fault)] };
  const unclosed = once(() => unclosedIn(text));
  const documents: PlacedDocument[] = [];
  const broken: Broken[] = [];
  for (const document of composed(text, lines)) {
    if (documents.length + broken.length >= most) {
      const at = document.range[0];
      broken.push({ problem: 'the rest was not read: it is too much to list', place: placeAt(at, at, lines) });
      break;
    }
    const at = document.range[0];
    if (document.errors.length > 0) {
      const fault = looksLikeJson(text) ? jsonFault(text) : undefined;
      if (fault !== undefined) broken.push({ problem: fault.problem, place: placeAt(fault.at, fault.at, lines) });
      else
        for (const error of document.errors.filter((_, index) => index < most))
          broken.push(brokenAt(error, unclosed, lines));
      continue;
    }
    const hidden = faultIn(document);
    if (hidden !== undefined) {
      broken.push({
        problem: `is not YAML: ${sentenceOf(hidden)}`,
        place: placeAt(hidden.at, hidden.at, lines),
      });
      continue;
    }
    try {
      const value: unknown = document.toJS();
      documents.push({ document, value, placeOf: (issue) => placeOf(issue, document, text, lines) });
    } catch (error) {
      // The library names the alias, which may be a secret that starts with an asterisk.
      const problem = error instanceof ReferenceError ? unusableAlias : 'it cannot be read';
      broken.push({ problem, place: placeAt(at, at, lines) });
    }
  }
  return { documents, broken };
}

/** Said in the words of JSON where it was probably meant as that. */
function unparsed(text: string, fault: TextFault): Broken {
  const json = looksLikeJson(text) ? jsonFault(text) : undefined;
  const { problem, at } = json ?? { problem: `is not YAML: ${fault.problem}`, at: fault.at };
  const { line, column } = placeAfter(text.slice(0, at));
  return { problem, place: { line, column } };
}

/** Limit of documents, and of errors per document: a text that is not YAML has an error in every line. */
const most = 100;

/**
 * One document at a time, without the library's search for equal keys and its excerpts around an error, which take time
 * that grows with the square of the text's length; `./document-fault.ts` finds equal keys.
 */
function composed(text: string, lines: LineCounter): Iterable<Document.Parsed> {
  const tokens = new Parser(lines.addNewLine).parse(text);
  return new Composer({ logLevel: 'error', prettyErrors: false, uniqueKeys: false }).compose(tokens);
}

export const unusableAlias = 'an alias has no anchor, or there are too many; text that begins with * needs quotes';

function brokenAt(error: YAMLError, unclosed: () => readonly number[], lines: LineCounter): Broken {
  const mayBeOpen = error.code === 'MISSING_CHAR' || error.code === 'BAD_INDENT';
  const opened = mayBeOpen ? unclosed().findLast((at) => at < error.pos[0]) : undefined;
  if (opened !== undefined) {
    return {
      problem: `is not YAML: ${sentenceOf({ code: 'MISSING_CHAR' })}`,
      place: placeAt(opened, opened + 1, lines),
    };
  }
  return { problem: `is not YAML: ${sentenceOf(error)}`, place: placeAt(error.pos[0], error.pos[1], lines) };
}

/** Places of brackets and quotes that are not closed: the parser reports them later in the text, often lines below. */
function unclosedIn(text: string): readonly number[] {
  const found: number[] = [];
  // A work list, no recursion: a text may be nested as deep as it is long.
  const left: unknown[] = [...new Parser().parse(text)];
  while (left.length > 0) {
    const parsed = cstToken.safeParse(left.pop());
    if (!parsed.success) continue;
    const { type, offset, source, start, items, value, key, sep, end } = parsed.data;
    const isOpen =
      (type === 'flow-collection' && !(end ?? []).some((part) => isClosing(part))) ||
      (type === 'double-quoted-scalar' && !/^"(?:[^"\\]|\\[^])*"$/.test(source ?? '')) ||
      (type === 'single-quoted-scalar' && !/^'(?:[^']|'')*'$/.test(source ?? ''));
    const at = type === 'flow-collection' ? offsetOf(start) : offset;
    if (isOpen && at !== undefined) found.push(at);
    for (const part of [items, value, key, sep].flat()) left.push(part);
  }
  return found.sort((a, b) => a - b);
}

/** Computes its value at the first call: a text may have many errors, or none. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The parts of the library's tokens that are used; items of a collection have no type. */
const cstToken = z.looseObject({
  type: z.string().optional(),
  offset: z.number().optional(),
  source: z.string().optional(),
  start: z.unknown().optional(),
  items: z.array(z.unknown()).optional(),
  value: z.unknown().optional(),
  key: z.unknown().optional(),
  sep: z.array(z.unknown()).optional(),
  end: z.array(z.unknown()).optional(),
});

function offsetOf(token: unknown): number | undefined {
  const parsed = cstToken.safeParse(token);
  return parsed.success ? parsed.data.offset : undefined;
}

function isClosing(token: unknown): boolean {
  const parsed = cstToken.safeParse(token);
  return parsed.success && (parsed.data.type === 'flow-map-end' || parsed.data.type === 'flow-seq-end');
}

/** Our sentence for each code of the library: its own messages may repeat the text, and so a secret. */
export function sentenceOf({ code }: Pick<YAMLError, 'code'>): string {
  return sentences[code];
}

const sentences: Readonly<Record<YAMLError['code'], string>> = {
  ALIAS_PROPS: 'an alias has an anchor or a tag of its own; text that begins with * needs quotes',
  BAD_ALIAS: 'an alias or anchor is not well formed; text that begins with & or * needs quotes',
  BAD_COLLECTION_TYPE: 'a tag does not fit the value after it; text that begins with ! needs quotes',
  BAD_DIRECTIVE: 'a directive is not well formed; text that begins with % needs quotes',
  BAD_DQ_ESCAPE: 'an escape sequence is not known; write the text in single quotes',
  BAD_INDENT: 'the line is not indented as those that it belongs to',
  BAD_PROP_ORDER: 'an anchor or a tag stands where none may stand; text that begins with & or ! needs quotes',
  BAD_SCALAR_START: 'a text cannot begin with this character without quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a colon stands within a value, or a list within a name; put the value in quotes',
  BLOCK_IN_FLOW: 'what is written with indentation stands within brackets; write it with brackets, too',
  DUPLICATE_KEY: 'a field occurs twice',
  IMPOSSIBLE: 'it cannot be read here',
  KEY_OVER_1024_CHARS: 'the name of a field has more than 1024 characters; is a quote missing before it?',
  MISSING_CHAR: 'something is missing: a quote, a bracket, a comma, a colon or a space',
  MULTILINE_IMPLICIT_KEY: 'the name of a field goes over several lines; is a colon or a quote missing?',
  MULTIPLE_ANCHORS: 'a value has more than one anchor; text that begins with & needs quotes',
  MULTIPLE_DOCS: 'it holds several documents, where one is read',
  MULTIPLE_TAGS: 'a value has more than one tag; text that begins with ! needs quotes',
  NON_STRING_KEY: 'the name of a field must be text',
  RESOURCE_EXHAUSTION: tooDeep,
  TAB_AS_INDENT: 'a line is indented with a tab; use spaces',
  TAG_RESOLVE_FAILED: 'a tag is not known; text that begins with ! needs quotes',
  UNEXPECTED_TOKEN: 'something stands where nothing of its kind may stand; is a quote or a bracket missing before it?',
};

function placeOf(issue: Issue, document: Document.Parsed, text: string, lines: LineCounter): Place {
  const { path } = issue;
  if (issue.isAboutKey === true) {
    const key = keyRange(document, path);
    if (key !== undefined) return placeAt(key[0], key[1], lines);
  }
  const node = document.getIn(path, true);
  if (isScalar(node) && issue.range !== undefined) return inside(node, issue.range, text, lines);
  if (isNode(node) && node.range) return placeAt(node.range[0], node.range[1], lines);
  return nearestAbove(document, path, lines);
}

/** A missing field is shown at the key of the object that should have it. */
function nearestAbove(document: Document.Parsed, path: IssuePath, lines: LineCounter): Place {
  for (let length = path.length - 1; length > 0; length--) {
    const above = path.slice(0, length);
    const key = keyRange(document, above);
    if (key !== undefined) return placeAt(key[0], key[1], lines);
    const node = document.getIn(above, true);
    if (isNode(node) && node.range) return placeAt(node.range[0], node.range[0], lines);
  }
  const start = document.contents?.range[0] ?? document.range[0];
  return placeAt(start, start, lines);
}

function keyRange(document: Document.Parsed, path: IssuePath): readonly [number, number] | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)));
  const range = isScalar(pair?.key) ? pair.key.range : undefined;
  return range ? [range[0], range[1]] : undefined;
}

/** A position within an expression as a position in the file. */
function inside(node: Scalar, { start, end }: { start: number; end: number }, text: string, lines: LineCounter): Place {
  const [from, to] = node.range ?? [0, 0];
  const value = String(node.value);
  const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
  // Only a scalar without escapes and folded lines.
  if (text.startsWith(value, from + quote)) return placeAt(from + quote + start, from + quote + end, lines);
  const first = firstLineOfBlock(node, value, text);
  if (first !== undefined && !value.slice(0, start).includes('\n')) return placeAt(first + start, first + end, lines);
  return placeAt(from, to, lines);
}

function firstLineOfBlock(node: Scalar, value: string, text: string): number | undefined {
  if (node.type !== 'BLOCK_LITERAL' && node.type !== 'BLOCK_FOLDED') return undefined;
  const [firstLine = ''] = value.split('\n');
  const header = text.indexOf('\n', node.range?.[0]);
  const at = text.indexOf(firstLine, header);
  return header < 0 || at < 0 ? undefined : at;
}

function placeAt(from: number, to: number, lines: LineCounter): Place {
  const start = lines.linePos(from);
  const end = lines.linePos(to);
  const place = { line: Math.max(1, start.line), column: Math.max(1, start.col) };
  return end.line === start.line && end.col > start.col ? { ...place, endColumn: end.col } : place;
}
