/** Texts with `{name}` in them: the names are part of the type, so that no value can be forgotten. */

/** The names in a text: `'{a} of {b}'` → `'a' | 'b'`. */
export type ParamNames<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? P | ParamNames<Rest>
  : never;

export type TemplateParams<T extends string> = Record<ParamNames<T>, string | number>;

/** A name without a value is left as it is: an incomplete text is better than an error about the text. */
export function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? `{${name}}`));
}
