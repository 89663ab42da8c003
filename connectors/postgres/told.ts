/**
 * The same trouble is told in the same words while it lasts.
 *
 * Y1  Which trouble it is follows from codes and names that PostgreSQL sends beside its text, and from the words without
 *     those that have digits: times, ids and counts differ each time. The text is the one of the first time.
 */
import pg from 'pg';
import { MillraceError } from '../../model/errors.ts';

/** What is missing or not allowed is named in the text alone, and such a text has nothing that passes. */
const namesInText = /^(?:28|3D|3F|42)/;
const withDigits = /[^\s"'(),;=]*[0-9][^\s"'(),;=]*/g;

export class Told {
  #kind = '';
  #error: MillraceError | undefined;

  /** The error as it is told. */
  again(error: MillraceError): MillraceError {
    const kind = kindOf(error);
    if (this.#error === undefined || kind !== this.#kind) {
      this.#kind = kind;
      this.#error = error;
    }
    return this.#error === error ? error : new MillraceError(error.code, this.#error.params, { cause: error.cause });
  }

  over(): void {
    this.#error = undefined;
  }
}

function kindOf({ code, cause, sentence }: MillraceError): string {
  if (!(cause instanceof pg.DatabaseError)) return `${code} ${sentence.replaceAll(withDigits, '…')}`;
  const { code: state = '', schema, table, column, constraint, routine } = cause;
  // What a function says may be anything.
  const said = routine === 'exec_stmt_raise' ? '' : sentence;
  const words = namesInText.test(state) ? said : said.replaceAll(withDigits, '…');
  return JSON.stringify([code, state, schema, table, column, constraint, routine, words]);
}
