/** "JSON.parse source text access" (ECMAScript 2026): Node 24 has it, the compiler's library does not know it yet. */
interface JSON {
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  /** A value that JSON.stringify writes as `text`, which is the JSON text of a primitive. */
  rawJSON(text: string): object;
}
