/** Texts with `{name}` in them: the names are part of the type, so that no value can be forgotten. */

/** The names in a text: `'{a} of {b}'` → `'a' | 'b'`. */
export type ParamNames<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? P | ParamNames<Rest>
  : never;

export type TemplateParams<T extends string> = Record<ParamNames<T>, string | number>;

/**
 * A name without a value stays as it is: a text that says too little is better than an error about the text. A value that
 * ends a sentence itself ends that of the text: nothing is ended twice (`did you mean "Paused"?.`). One is one: `{left} pods` becomes `1 pod`.
 */
export function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(parameter, (_, name: string, unit: string = '', end: string = '') => {
    const value = String(params[name] ?? `{${name}}`);
    const agreed = value === '1' ? unit.slice(0, -1) : unit;
    return agreed === '' && /[.?!]$/.test(value) ? value : `${value}${agreed}${end}`;
  });
}

/** With what it counts, and the end of the sentence. */
const parameter = /\{(\w+)\}( (?:bytes|characters|items|keys|pods|records|rows|shards|slots)\b)?(\.(?!\w))?/g;
