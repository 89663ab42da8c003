/**
 * Whether a text is one that may be parsed: the parser's work grows faster than the length of some texts, and with it stands
 * everything else that the process does.
 *
 * X1  Only tokens are looked at, in their order, and no more than {@link mostTokens} of them.
 * X2  What passes has no more tokens than that, and brackets no deeper than {@link maxDepth}.
 */
import { CST, Lexer } from 'yaml';
import { maxDepth } from '../model/value.ts';

/** A pipeline with a thousand columns has a tenth of it. */
export const mostTokens = 100_000;

export interface TextFault {
  readonly problem: string;
  /** Index into the text. */
  readonly at: number;
}

export const tooDeep = 'it is nested too deep';

/** Undefined: it may be parsed. */
export function boundsFault(text: string, tokens: Iterable<string> = new Lexer().lex(text)): TextFault | undefined {
  let at = 0;
  let count = 0;
  let depth = 0;
  /** Of lists and names that begin on one line. */
  let inLine = 0;
  let isText = false;
  for (const token of tokens) {
    if (++count > mostTokens) return { problem: `it is too large: it has more than ${mostTokens} words and signs`, at };
    const type: CST.TokenType | null = isText ? 'scalar' : CST.tokenType(token);
    if (!isText && (type === 'scalar' || type === 'doc-mode' || type === 'flow-error-end')) {
      // Signs of the lexer, which stand for nothing in the text; the first announces a text without quotes.
      isText = type === 'scalar';
      continue;
    }
    isText = false;
    if (type === 'flow-seq-start' || type === 'flow-map-start') depth++;
    // One that closes nothing must not make room for others.
    if (type === 'flow-seq-end' || type === 'flow-map-end') depth = Math.max(0, depth - 1);
    if (type === 'newline') inLine = 0;
    if (type === 'seq-item-ind' || type === 'explicit-key-ind') inLine++;
    if (depth > maxDepth || inLine > maxDepth) return { problem: tooDeep, at };
    at += token.length;
  }
  return undefined;
}
