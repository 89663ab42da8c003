/**
 * What the value of a record is while steps and sinks look at it: JSON, with numbers that keep their digits.
 *
 * A JSON number becomes a JavaScript `number` when that loses nothing, else an {@link ExactNumber} that carries the
 * digits as written. A step that computes makes `number` or `bigint`; a sink accepts all three.
 */

/** No record is nested deeper: a source or the decoder refuses it. */
export const maxDepth = 256;

/** A JSON number that a double cannot hold, as it was written. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  /** JSON.stringify writes the digits. */
  toJSON(): object {
    return JSON.rawJSON(this.text);
  }
}

export type RecordValue =
  null | boolean | string | number | bigint | ExactNumber | readonly RecordValue[] | RecordObject;

export interface RecordObject {
  /** undefined is as good as absent: that is what a step that removes a field leaves. JSON.stringify skips it. */
  [field: string]: RecordValue | undefined;
}

/** What expressions call `meta`. */
export interface RecordMeta {
  /** Name of the source in the spec. */
  readonly source: string;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: bigint | null;
  /** The key as text (UTF-8), or null. */
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Source time, milliseconds since 1970. */
  readonly timestamp: number;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** JSON text of a value, with exact numbers as they were written. */
export function encodeJson(value: RecordValue): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'bigint' ? JSON.rawJSON(String(member)) : member,
    );
  }
}
