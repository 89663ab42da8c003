/**
 * Patterns for `matches`.
 *
 * P1  A match takes time in proportion to the text. V8's backtracking engine does not promise that: `a+b` on 100,000
 *     times `a` takes it half a minute. Its linear engine does (13 ms), but is ten times slower on a short text, so a
 *     short text goes to the first: so short that it cannot take more than {@link mostSteps} steps.
 * P2  The linear engine takes no count above 16; such a count is written out before.
 */
import { setFlagsFromString } from 'node:v8';

// For the flag `l`. Patterns without the flag are not concerned.
setFlagsFromString('--enable-experimental-regexp-engine');

export interface Pattern {
  test(text: string): boolean;
}

/** Steps of backtracking: about a tenth of a millisecond. */
const mostSteps = 20_000;
const longestWrittenOut = 20_000;

/** What is wrong with a pattern, in our words: those of the engine stay in the cause. */
export class PatternProblem extends Error {
  override readonly name = 'PatternProblem';
}

/** Throws {@link PatternProblem} for what is no pattern, or none that can be matched in linear time. */
export function compilePattern(pattern: string): Pattern {
  const fast = told('it is not a regular expression', () => new RegExp(pattern));
  const linear = told('it cannot be matched in linear time', () => linearPattern(pattern));
  const shortest = longestForBacktracking(pattern);
  return { test: (text) => (text.length <= shortest ? fast : linear).test(text) };
}

function told<T>(problem: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof PatternProblem ? error : new PatternProblem(problem, { cause: error });
  }
}

const linearFlag = 'l';

/** The same pattern for the linear engine. */
export function linearPattern(pattern: string): Pattern {
  return new RegExp(writtenOut(pattern), linearFlag);
}

/**
 * Each unbounded repetition, and the start when it is free, multiplies the steps by the length of the text; a choice or
 * repetition inside a repetition can double them with each character, and such a pattern never backtracks.
 */
export function longestForBacktracking(pattern: string): number {
  const parts = [...repetitions(pattern)];
  if (parts.some(({ isNested }) => isNested)) return 0;
  const powers = parts.filter(({ most }) => most === Infinity).length + (pattern.startsWith('^') ? 0 : 1);
  const factor = parts.reduce((product, { most }) => product * (most === Infinity ? 1 : Math.max(1, most)), 1);
  return Math.floor((mostSteps / factor) ** (1 / Math.max(1, powers)));
}

interface Repetition {
  /** Where what is repeated begins, where its quantifier begins, and where that ends. */
  readonly from: number;
  readonly at: number;
  readonly end: number;
  readonly least: number;
  readonly most: number;
  /** What is repeated repeats or chooses by itself. */
  readonly isNested: boolean;
}

const quantifier = /(?:[*+?]|\{([0-9]{1,6})(,([0-9]{0,6}))?\})\??/y;

/** The repetitions of a pattern, each after those inside it. */
function* repetitions(pattern: string): Generator<Repetition> {
  const groups: { from: number; isVaried: boolean }[] = [{ from: 0, isVaried: false }];
  for (let i = 0; i < pattern.length;) {
    const char = pattern[i]!;
    let from = i;
    let isNested = false;
    if (char === '(') {
      groups.push({ from, isVaried: false });
      i++;
      continue;
    }
    if (char === '|') groups.at(-1)!.isVaried = true;
    if (char === ')' && groups.length > 1) {
      const group = groups.pop()!;
      ({ from } = group);
      isNested = group.isVaried;
      if (isNested) groups.at(-1)!.isVaried = true;
    }
    i = char === '\\' ? i + 2 : char === '[' ? endOfClass(pattern, i) : i + 1;
    quantifier.lastIndex = i;
    const found = char === '|' || char === '^' ? null : quantifier.exec(pattern);
    if (found === null) continue;
    const [text, least, range, most] = found;
    groups.at(-1)!.isVaried = true;
    yield {
      from,
      at: i,
      end: i + text.length,
      least: least === undefined ? (text[0] === '+' ? 1 : 0) : Number(least),
      most: least === undefined ? (text[0] === '?' ? 1 : Infinity) : mostOf(least, range, most),
      isNested,
    };
    i += text.length;
  }
}

function mostOf(least: string, range: string | undefined, most: string | undefined): number {
  if (range === undefined) return Number(least);
  return most === undefined || most === '' ? Infinity : Number(most);
}

function endOfClass(pattern: string, from: number): number {
  let i = from + 1;
  while (i < pattern.length && pattern[i] !== ']') i += pattern[i] === '\\' ? 2 : 1;
  return i + 1;
}

/** `x{2,4}` as `xxx?x?`: the same texts match. Innermost first, until no count is left. */
function writtenOut(pattern: string): string {
  let text = pattern;
  for (;;) {
    const counted = [...repetitions(text)].find(({ at }) => text[at] === '{');
    if (counted === undefined) return text;
    const { from, at, end, least, most } = counted;
    const item = text.slice(from, at);
    const optional = most === Infinity ? 1 : most - least;
    if (item.length * (least + optional) > longestWrittenOut)
      throw new PatternProblem(`the count ${text.slice(at, end)} is too large`);
    const tail = most === Infinity ? `${item}*` : `${item}?`.repeat(Math.max(0, optional));
    const whole = item.repeat(least) + tail;
    text = `${text.slice(0, from)}${whole === '' ? '(?:)' : whole}${text.slice(end)}`;
    if (text.length > longestWrittenOut) throw new PatternProblem('with its counts written out it is too long');
  }
}
