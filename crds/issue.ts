/** What is wrong with a pipeline, or suspicious about it, and where. */
import { mr, type MillraceError } from '../model/errors.ts';
import { pathText } from '../model/schema-problem.ts';

export type IssuePath = readonly (string | number)[];

export interface Issue {
  /** Errors are refused; warnings are reported and accepted. */
  readonly severity: 'error' | 'warning';
  readonly path: IssuePath;
  readonly error: MillraceError;
  /** What was probably meant. */
  readonly suggestion?: string;
  /** The issue is about the key at `path`, not about its value. */
  readonly isAboutKey?: boolean;
  /**
   * The value at `path` may be a secret: the message does not repeat it, and nothing else should. With `all`, the
   * same holds for the field names in it.
   */
  readonly hides?: 'value' | 'all';
  /** Characters inside the text at `path`. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** `spec.sources[0].kafka`: how a path reads in messages. */
export function displayPath(path: IssuePath): string {
  return path.length === 0 ? 'the document' : pathText(path);
}

/** `/spec/sources/0/kafka`: RFC 6901. */
export function jsonPointer(path: IssuePath): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The keys of a {@link jsonPointer}, those of lists as text. */
export function pointerKeys(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A value that its field does not accept. */
export function invalid(path: IssuePath, problem: string): Issue {
  return { severity: 'error', path, error: mr('MR_SPEC_INVALID', { path: displayPath(path), problem }) };
}
