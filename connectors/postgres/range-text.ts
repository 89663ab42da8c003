/**
 * Ranges and multiranges of any type, built in or made by a user, as the text that PostgreSQL reads.
 *
 * G1  Each bound is a value of the subtype, and what is no such value is a misfit: a bound means what it means in a column
 *     of that type. Quotes and backslashes are read as PostgreSQL reads them, and written anew.
 */
import type { RecordValue } from '../../model/value.ts';
import { Misfit } from './misfit.ts';

export interface RangeForm {
  readonly isMulti: boolean;
  /** Spaces around a bound are of the bound. */
  readonly keepsSpaces: boolean;
  readonly boundText: (bound: string) => string;
}

const wantedRange = 'a range like [2026-01-31,2026-02-01) or [1,5)';
const wantedMany = 'ranges like {[1,5),[7,9)}';

/** What stands between two brackets and commas: pieces in double quotes, and characters with a backslash before them. */
const bound = String.raw`((?:[^\\",)\]]|\\[\s\S]|"(?:[^\\"]|\\[\s\S]|"")*")*)`;
const empty = String.raw`\s*empty\s*`;
const oneRange = new RegExp(String.raw`\s*([[(])${bound},${bound}([\])])\s*`, 'y');
const isEmpty = new RegExp(empty, 'iy');

export function rangeText(value: RecordValue, form: RangeForm): string {
  const wanted = form.isMulti ? wantedMany : wantedRange;
  if (typeof value !== 'string' || value.includes('\0')) throw new Misfit(wanted);
  if (!form.isMulti) {
    const [text, end] = rangeAt(value, 0, form, wanted);
    if (end !== value.length) throw new Misfit(wanted);
    return text;
  }
  const [, inner] = /^\s*\{([\s\S]*)\}\s*$/.exec(value) ?? [];
  if (inner === undefined) throw new Misfit(wanted);
  if (inner.trim() === '') return '{}';
  const ranges: string[] = [];
  for (let at = 0; ; at++) {
    const [text, end] = rangeAt(inner, at, form, wanted);
    ranges.push(text);
    if (end === inner.length) return `{${ranges.join(',')}}`;
    if (inner[end] !== ',') throw new Misfit(wanted);
    at = end;
  }
}

/** The range that begins at a place, and where it ends. */
function rangeAt(text: string, at: number, form: RangeForm, wanted: string): [text: string, end: number] {
  isEmpty.lastIndex = at;
  if (isEmpty.test(text)) return ['empty', isEmpty.lastIndex];
  oneRange.lastIndex = at;
  const [, open = '', lower = '', upper = '', close = ''] = oneRange.exec(text) ?? [];
  if (open === '') throw new Misfit(wanted);
  return [`${open}${boundOf(lower, form)},${boundOf(upper, form)}${close}`, oneRange.lastIndex];
}

/** Nothing at all is no bound; two quotes are an empty text. */
function boundOf(written: string, { keepsSpaces, boundText }: RangeForm): string {
  if (written === '') return '';
  const read = written.replaceAll(/\\([\s\S])|"((?:[^\\"]|\\[\s\S]|"")*)"/g, (_all, single?: string, inner = '') =>
    single === undefined ? String(inner).replaceAll(/\\([\s\S])|""/g, (_pair, one = '"') => String(one)) : single,
  );
  if (!keepsSpaces && written.trim() === '') return '';
  return `"${boundText(keepsSpaces ? read : read.trim()).replaceAll(/["\\]/g, '\\$&')}"`;
}
