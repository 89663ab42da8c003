/**
 * ClickHouse's type names, parsed: `Nullable(DateTime64(3, 'UTC'))` → a tree. Pure.
 *
 * G1  Every type that `system.columns` can show is read: parameters of aggregate functions, settings (`max_types=5`),
 *     the paths of JSON with their types and what it skips.
 */

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
  | { readonly kind: 'enum'; readonly name: string; readonly value: number }
  /** `max_dynamic_paths=16`. */
  | { readonly kind: 'setting'; readonly name: string; readonly value: number }
  /** `SKIP a.b`, `SKIP REGEXP '…'`. */
  | { readonly kind: 'skip' };

/** The tree of a type, or null for text that is no type that can be read here. */
export function parseType(text: string): TypeName | null {
  const parser = new Parser(text);
  const type = parser.type();
  return type !== null && parser.isAtEnd() ? type : null;
}

// Each begins at the place of the parser, and no part of one can match what the part before it leaves: linear.
const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const text = /'(?:[^'\\]|\\.)*'/sy;
const numberAlone = /-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z_0-9])/y;
const settingName = /[A-Za-z_][A-Za-z0-9_]*(?=\s*=)/y;
const quotedName = '`(?:[^`\\\\]|\\\\.)*`';
const plainName = '[A-Za-z_][A-Za-z0-9_]*';
const path = new RegExp(`(?:${quotedName}|${plainName})(?:\\.(?:${quotedName}|${plainName}))*`, 'sy');
/** Of a tuple, a Nested or a path of JSON: a type follows. */
const memberName = new RegExp(`${path.source}(?=\\s+[A-Za-z])`, 'sy');
const skip = /SKIP(?=\s)/y;
const skippedRegexp = /REGEXP\s*'(?:[^'\\]|\\.)*'/sy;

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
    const name = this.#match(word);
    if (name === null) return null;
    if (!this.#eat('(')) return { name, args: [] };
    const args: TypeArg[] = [];
    if (this.#eat(')')) return { name, args };
    do {
      const arg = this.#argument(name);
      if (arg === null) return null;
      args.push(arg);
    } while (this.#eat(','));
    return this.#eat(')') ? { name, args } : null;
  }

  /** `of` is the type whose argument it is. */
  #argument(of: string): TypeArg | null {
    const quoted = this.#match(text);
    if (quoted !== null) return this.#textOrEnum(unescape(quoted.slice(1, -1)));
    const number = this.#match(numberAlone);
    if (number !== null) return { kind: 'number', value: Number(number) };
    if (of === 'JSON' && this.#match(skip) !== null) return this.#skipped();
    const setting = this.#match(settingName);
    if (setting !== null) {
      this.#eat('=');
      const value = this.#match(numberAlone);
      return value === null ? null : { kind: 'setting', name: setting, value: Number(value) };
    }
    const named = this.#match(memberName);
    const type = this.type();
    if (type === null) return null;
    if (named === null) return { kind: 'type', type };
    return { kind: 'named', name: named.startsWith('`') ? unescape(named.slice(1, -1)) : named, type };
  }

  #textOrEnum(name: string): TypeArg | null {
    if (!this.#eat('=')) return { kind: 'text', value: name };
    const value = this.#match(numberAlone);
    return value === null ? null : { kind: 'enum', name, value: Number(value) };
  }

  #skipped(): TypeArg | null {
    const what = this.#match(skippedRegexp) ?? this.#match(path);
    return what === null ? null : { kind: 'skip' };
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
