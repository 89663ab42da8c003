/**
 * The text of a file or of a request body, read from its bytes.
 *
 * B1  A text is read as it was written, or refused with its place: no byte is replaced by another character.
 * B2  A byte order mark of UTF-8 is no part of the text.
 */
import { isUtf8 } from 'node:buffer';

export type DocumentText =
  | { readonly is: 'text'; readonly text: string }
  /** `line` and `column`: from 1, of the first byte that cannot be read. */
  | { readonly is: 'unreadable'; readonly problem: string; readonly line: number; readonly column: number };

const utf8Mark = [0xef, 0xbb, 0xbf];
/** The byte order mark in both orders of UTF-16; UTF-32 begins with it as well. */
const utf16Marks = [
  [0xff, 0xfe],
  [0xfe, 0xff],
];
const replacement = '\ufffd';
const replacementBytes = Buffer.from(replacement);

export function documentText(bytes: Uint8Array): DocumentText {
  const marked = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const content = startsWith(marked, utf8Mark) ? marked.subarray(utf8Mark.length) : marked;
  if (utf16Marks.some((mark) => startsWith(content, mark))) return unreadable('', isUtf16);
  const text = content.toString('utf8');
  const zero = text.indexOf('\0');
  // A document begins with ASCII, and in UTF-16 every second byte of ASCII is zero.
  if (zero === 0 || zero === 1) return unreadable('', isUtf16);
  if (!isUtf8(content)) return unreadable(text.slice(0, firstReplaced(content, text)), 'is not UTF-8');
  return zero < 0 ? { is: 'text', text } : unreadable(text.slice(0, zero), 'has a zero byte, which no text has');
}

const isUtf16 = 'is not UTF-8 but probably UTF-16; save it as UTF-8';

/** Index of the first replacement character in the decoded text that is not in the bytes. */
function firstReplaced(content: Buffer, text: string): number {
  let from = 0;
  let bytesBefore = 0;
  for (;;) {
    const at = text.indexOf(replacement, from);
    bytesBefore += Buffer.byteLength(text.slice(from, at));
    const isWritten = content.subarray(bytesBefore, bytesBefore + 3).equals(replacementBytes);
    if (!isWritten || at < 0) return at;
    bytesBefore += 3;
    from = at + 1;
  }
}

function unreadable(before: string, problem: string): DocumentText {
  return { is: 'unreadable', problem, ...placeAfter(before) };
}

/** Both from 1; `column` in UTF-16 code units. */
export function placeAfter(before: string): { readonly line: number; readonly column: number } {
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

function startsWith(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, i) => bytes[i] === byte);
}
