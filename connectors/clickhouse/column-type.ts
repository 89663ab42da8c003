/** ClickHouse's type names, parsed: `Nullable(DateTime64(3, 'UTC'))` → a tree. Pure. */

export interface TypeName {
  readonly name: string;
  readonly args: readonly TypeArg[];
}

export type TypeArg =
  | { readonly kind: 'type'; readonly type: TypeName }
  /** A member of a named tuple. */
  | { readonly kind: 'named'; readonly name: string; readonly type: TypeName }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'enum'; readonly name: string; readonly value: number };

/** The tree of a type, or null for text that is no type that can be read here. */
export function parseType(text: string): TypeName | null {
  const parser = new Parser(text);
  const type = parser.type();
  return type !== null && parser.isAtEnd() ? type : null;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  type(): TypeName | null {
    const name = this.#match(/[A-Za-z][A-Za-z0-9_]*/y);
    if (name === null) return null;
    if (!this.#eat('(')) return { name, args: [] };
    const args: TypeArg[] = [];
    if (this.#eat(')')) return { name, args };
    do {
      const arg = this.#argument();
      if (arg === null) return null;
      args.push(arg);
    } while (this.#eat(','));
    return this.#eat(')') ? { name, args } : null;
  }

  #argument(): TypeArg | null {
    const quoted = this.#match(/'(?:[^'\\]|\\.)*'/y);
    if (quoted !== null) {
      const text = unescape(quoted.slice(1, -1));
      if (!this.#eat('=')) return { kind: 'text', value: text };
      const value = this.#match(/-?[0-9]+/y);
      return value === null ? null : { kind: 'enum', name: text, value: Number(value) };
    }
    const number = this.#match(/-?[0-9]+(?![A-Za-z_])/y);
    if (number !== null) return { kind: 'number', value: Number(number) };
    const named = this.#match(/(?:`(?:[^`\\]|\\.)*`|[A-Za-z_][A-Za-z0-9_]*)(?=\s+[A-Za-z])/y);
    const type = this.type();
    if (type === null) return null;
    if (named === null) return { kind: 'type', type };
    return { kind: 'named', name: named.startsWith('`') ? unescape(named.slice(1, -1)) : named, type };
  }

  #eat(mark: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(mark, this.#at)) return false;
    this.#at += mark.length;
    return true;
  }

  #match(pattern: RegExp): string | null {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (this.#text.charAt(this.#at) === ' ') this.#at++;
  }
}

function unescape(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0' };
  return text.replaceAll(/\\(.)/gs, (_, char: string) => named[char] ?? char);
}
