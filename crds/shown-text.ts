/**
 * The text of a file as it may be shown beside its issues: every secret in it is covered, and everything else keeps its
 * place, so that lines and columns still fit.
 *
 * V1  Covered: values under a name that holds or seems to hold a secret, the password in an address, a private key, and
 *     every value that lint complains about and does not repeat (`./secrecy.ts`).
 * V2  In a file that is not YAML: everything after such a name on its line, and the lines below that are indented
 *     further.
 */
import { isMap, isNode, isScalar, isSeq, type Document, type Node, type Pair, type Scalar } from 'yaml';
import type { Issue } from './issue.ts';
import { isOnlyReferences, looksLikeSecretName, passwordInUrl } from './secrecy.ts';

type Range = readonly [from: number, to: number];

export interface CheckedDocument {
  readonly document: Document.Parsed;
  readonly issues: readonly Issue[];
}

/** `checked`: every document of the text when `isWhole`; otherwise part of the text is not YAML. */
export function shownText(text: string, checked: readonly CheckedDocument[], isWhole: boolean): string {
  const ranges = [
    ...checked.flatMap(({ document }) => secretsIn(document.contents, [])),
    ...checked.flatMap(({ document, issues }) => issues.flatMap((issue) => rangesOfIssue(document, issue))),
    ...(isWhole ? secretsInComments(text, checked) : linesWithSecrets(text)),
  ];
  return cover(text, ranges);
}

function secretsIn(node: unknown, names: readonly string[]): readonly Range[] {
  if (isSeq(node)) return node.items.flatMap((item) => secretsIn(item, names));
  if (isMap(node)) return node.items.flatMap((pair) => secretsOfPair(pair, names));
  return isScalar(node) ? secretsInText(node) : [];
}

/** Under a secret's name everything is covered, including an anchor and a tag before the value. */
function secretsOfPair({ key, value }: Pair, names: readonly string[]): readonly Range[] {
  if (!isScalar(key) || !key.range || !isNode(value) || !value.range) return [];
  const name = String(key.value);
  // What a step names are fields of records.
  const holdsSecret = names[1] !== 'steps' && looksLikeSecretName(name);
  if (!holdsSecret) return secretsIn(value, [...names, name]);
  if (isScalar(value) && isOnlyReferences(String(value.value))) return [];
  return [[key.range[1], value.range[1]]];
}

function secretsInText(node: Scalar): readonly Range[] {
  const text = String(node.value);
  if (text.includes('PRIVATE KEY')) return rangeOf(node);
  const password = passwordInUrl(text);
  if (password === undefined || !node.range) return [];
  // With quotes and escapes the place is not exact, so the whole text is covered.
  const [from] = node.range;
  return node.type === 'PLAIN' ? [[from + password.start, from + password.end]] : rangeOf(node);
}

function rangesOfIssue(document: Document.Parsed, { hides, path }: Issue): readonly Range[] {
  const node = document.getIn(path, true);
  if (hides === undefined || !isNode(node)) return [];
  return hides === 'all' ? rangeOf(node) : scalarsUnder(node).flatMap(rangeOf);
}

function scalarsUnder(node: unknown): readonly Scalar[] {
  if (isScalar(node)) return [node];
  if (isSeq(node)) return node.items.flatMap(scalarsUnder);
  return isMap(node) ? node.items.flatMap(({ value }) => scalarsUnder(value)) : [];
}

function rangeOf({ range }: Node): readonly Range[] {
  return range ? [[range[0], range[1]]] : [];
}

/** In a document names decide what is covered; a comment belongs to no document. */
function secretsInComments(text: string, checked: readonly CheckedDocument[]): readonly Range[] {
  const written = checked.flatMap(({ document }) => scalarsUnder(document.contents)).flatMap(rangeOf);
  const fields = /(?<![\w-])(?<name>[A-Za-z][\w-]{0,63})["']?[ \t]{0,8}:[ \t]+(?=(?<value>\S[^\n]*))/dg;
  return [...text.matchAll(fields)].flatMap(({ groups, indices }) => {
    const range = indices?.groups?.['value'];
    const { name = '', value = '' } = groups ?? {};
    if (range === undefined || !looksLikeSecretName(name) || isOnlyReferences(value.trim())) return [];
    return written.some(([from, to]) => from <= range[0] && range[0] < to) ? [] : [range];
  });
}

/** V2: the rest of the line, and the lines below that are indented further. */
function linesWithSecrets(text: string): readonly Range[] {
  const ranges: Range[] = [];
  let at = 0;
  let indent = Infinity;
  for (const line of text.split('\n')) {
    const first = line.search(/\S/);
    const behind = first > indent ? 0 : behindSecretName(line);
    if (first >= 0 && behind === undefined) indent = Infinity;
    if (behind !== undefined) {
      ranges.push([at + behind, at + line.length]);
      if (behind > 0) indent = first;
    }
    at += line.length + 1;
  }
  return ranges;
}

function behindSecretName(line: string): number | undefined {
  for (const found of line.matchAll(/(?<![\w-])([A-Za-z][\w-]{0,63})["']?[ \t]{0,8}:/g)) {
    if (looksLikeSecretName(found[1] ?? '')) return found.index + found[0].length;
  }
  return undefined;
}

function cover(text: string, ranges: readonly Range[]): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charAt(i));
  for (const [from, to] of ranges) {
    for (let i = from; i < to; i++) if (/[^\s:]/.test(units[i] ?? ' ')) units[i] = '•';
  }
  return units.join('');
}
