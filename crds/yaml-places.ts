/** Where in a YAML (or JSON) text things stand. */
import {
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { problemOf } from '../model/errors.ts';
import type { Issue, IssuePath } from './issue.ts';

/** Line and column from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Column after the last character, when the place ends in the line in which it begins. */
  readonly endColumn?: number;
}

export interface PlacedDocument {
  readonly value: unknown;
  placeOf(issue: Issue): Place;
}

export interface Broken {
  readonly problem: string;
  readonly place: Place;
}

/** The documents of a text, and what is not YAML in it. A broken document is not among the documents. */
export function placesIn(text: string): {
  readonly documents: readonly PlacedDocument[];
  readonly broken: readonly Broken[];
} {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, logLevel: 'error' });
  const documents: PlacedDocument[] = [];
  const broken: Broken[] = [];
  for (const document of 'empty' in parsed ? [] : parsed) {
    const at = document.range[0];
    if (document.errors.length > 0) {
      broken.push(...document.errors.map((error) => brokenAt(error, lines)));
      continue;
    }
    try {
      const value: unknown = document.toJS();
      documents.push({ value, placeOf: (issue) => placeOf(issue, document, text, lines) });
    } catch (error) {
      broken.push({ problem: problemOf(error), place: placeAt(at, at, lines) });
    }
  }
  return { documents, broken };
}

function brokenAt(error: YAMLError, lines: LineCounter): Broken {
  const [problem = 'is not YAML'] = error.message.split(/ at line \d+|\n/);
  return { problem: `is not YAML: ${problem}`, place: placeAt(error.pos[0], error.pos[1], lines) };
}

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

/** A missing field is shown where the key of the object that should have it stands. */
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
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1));
  const range = isScalar(pair?.key) ? pair.key.range : undefined;
  return range ? [range[0], range[1]] : undefined;
}

/** A place inside the text of a scalar: the expression's own position, as the file has it. */
function inside(node: Scalar, { start, end }: { start: number; end: number }, text: string, lines: LineCounter): Place {
  const [from, to] = node.range ?? [0, 0];
  const value = String(node.value);
  const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
  // Written as it reads: no escape, no folded line.
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
