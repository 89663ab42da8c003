/** What is wrong with a text that should be JSON, and where; never its content, which may be a secret. */
import { JsonProblem, JsonScanner } from '../model/json-scan.ts';

export interface JsonFault {
  /** Index into the text. */
  readonly at: number;
  /** `is not JSON: must be ":", but is "x"`: at most one character is repeated. */
  readonly problem: string;
  readonly cause: Error;
}

/** undefined when the text is one JSON value. */
export function jsonFault(text: string): JsonFault | undefined {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes);
  try {
    scanner.space();
    scanner.value();
    scanner.space();
    if (!scanner.isAtEnd()) scanner.fail('the end');
    return undefined;
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const at = bytes.subarray(0, scanner.at).toString('utf8').length;
    return { at, problem: `is not JSON: ${error.message.replace(/^(?:what stands )?at byte \d+ /, '')}`, cause: error };
  }
}

/** Probably meant as JSON: YAML written by people seldom starts like this. */
export function looksLikeJson(text: string): boolean {
  return /^\s*[{[]/.test(text);
}
