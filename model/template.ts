/** Texts with `{name}` in them: the names are part of the type, so that a text cannot be filled with less than it needs. */

/** The names in a text: `'{a} of {b}'` → `'a' | 'b'`. */
export type ParamNames<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? P | ParamNames<Rest>
  : never;

export type TemplateParams<T extends string> = Record<ParamNames<T>, string | number>;

/** A name without a value stays as it is: a text that says too little is better than an error about the text. */
export function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? `{${name}}`));
}
