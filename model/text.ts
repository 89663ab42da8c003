/** Texts for people that several parts of Millrace produce. */

/** A message of another system may repeat a row; a condition has room for a sentence. */
const maxProblem = 400;

/**
 * A text for a person or a store, at most `most` code units long. It is not cut within a character, and has nothing
 * that a store refuses: half of a surrogate pair (no JSON for PostgreSQL) and U+0000 (no text there) become U+FFFD.
 */
export function cut(text: string, most: number): string {
  const isWhole = text.length <= most;
  const end = isHighSurrogate(text.charCodeAt(most - 2)) ? most - 2 : most - 1;
  const kept = (isWhole ? text : text.slice(0, end)).toWellFormed().replaceAll('\0', '\ufffd');
  return isWhole ? kept : `${kept}…`;
}

/**
 * The same for a text that ends with what to do: the cut is inside, where the value of a record is, and the end, which is
 * the larger part, stays whole.
 */
export function cutInside(text: string, most: number): string {
  if (text.length <= most) return cut(text, most);
  const head = cut(text, Math.floor(most / 3));
  return `${head}${cut(text.slice(head.length - most), most)}`;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

/** What moves, hides or reorders other text where it is shown: controls, and formats such as zero widths and directions. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Foreign text of one line: what is not seen is written as JSON writes it, `\u001b`. */
export function visible(text: string): string {
  return text.replaceAll(unseen, asJsonEscapes);
}

/** The same for text of several lines. */
export function visibleLines(text: string): string {
  return text.replaceAll(unseen, (one) => (one === '\n' || one === '\t' ? one : asJsonEscapes(one)));
}

/** `\u001b`; two of them outside of the first 65,536. */
function asJsonEscapes(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** A message of another system, cut to a length that fits a condition. */
export function shortened(text: string): string {
  return cut(text, maxProblem);
}

/** `90 s`, `5 min`, `3 h`: the unit in which a person would say it. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** `1 record`, `2 records`; `1 entry`, `2 entries` where the plural is given. */
export function counted(count: number | bigint, one: string, several = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : several}`;
}
