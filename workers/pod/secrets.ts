/**
 * Knows the values of Secrets that this process has read, and removes them from texts.
 *
 * S1  Every text that leaves the pod for people passes through here: reports, the log, answers of an HTTP source, texts
 *     of dead letters and of refused rows in the commit log. Servers repeat what they were sent, so a value can get
 *     into any text.
 * S2  A value, or a form of it that programs make, is replaced by its reference: `$(secret:pg/host)`. A part of an
 *     address counts as the address.
 * S3  Values and parts shorter than four characters are not replaced: they would match within words.
 * S4  Values of ConfigMaps are not secret.
 */
import type { CredentialRef } from '../../model/plan.ts';
import { jsonOrNothing } from '../../model/json-or-nothing.ts';
import { withoutAmounts, withoutPassing } from '../../connectors/stable-text.ts';

const minLength = 4;

export class Secrets {
  /**
   * References by what may occur in a text. Values are never forgotten: an error may be older than the present value.
   */
  readonly #references = new Map<string, string>();
  #pattern: RegExp | undefined;

  learn({ kind, name, key }: CredentialRef, value: string): void {
    if (kind !== 'secret') return;
    for (const form of [value, ...partsOf(value)].flatMap(formsOf)) {
      if (form.length >= minLength && !this.#references.has(form)) {
        this.#references.set(form, `$(secret:${name}/${key})`);
        this.#pattern = undefined;
      }
    }
  }

  /** S2. */
  hide(text: string): string {
    if (this.#references.size === 0) return text;
    this.#pattern ??= anyOf([...this.#references.keys()]);
    const hidden = text.replaceAll(this.#pattern, (found) => this.#references.get(found) ?? '(hidden)');
    return this.#withoutCut(hidden);
  }

  /** The same in the strings of a JSON log line, whose structure stays. */
  hideInLine(line: string): string {
    if (this.#references.size === 0) return line;
    const parsed = jsonOrNothing(line);
    return parsed === undefined ? this.hide(line) : `${JSON.stringify(this.#hideIn(parsed))}\n`;
  }

  #hideIn(value: unknown): unknown {
    if (typeof value === 'string') return this.hide(value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((member: unknown) => this.#hideIn(member));
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#hideIn(member)]));
  }

  /**
   * A long message is cut (model/text.ts), maybe within a value: then the beginning of the value is removed as well.
   */
  #withoutCut(text: string): string {
    const [last = '', ...before] = text.split('…').toReversed();
    return [...before.toReversed().map((piece) => this.#withoutBeginning(piece)), last].join('…');
  }

  /** Removes the beginning of a value at the end of a text. */
  #withoutBeginning(text: string): string {
    for (const [form, reference] of this.#references) {
      for (let length = Math.min(form.length - 1, text.length); length >= minLength; length--) {
        if (text.endsWith(form.slice(0, length))) return `${text.slice(0, -length)}${reference}`;
      }
    }
    return text;
  }
}

/** The value as it is, as in an address, a header, JSON and SQL, and as `stable-text.ts` leaves it. */
function formsOf(value: string): readonly string[] {
  const encoded = encodeURIComponent(value);
  return [
    value,
    encoded,
    encoded.replaceAll('%20', '+'),
    encoded.replaceAll(/%../g, (byte) => byte.toLowerCase()),
    Buffer.from(value).toString('base64').replace(/=+$/, ''),
    Buffer.from(value).toString('base64url'),
    JSON.stringify(value).slice(1, -1),
    value.replaceAll("'", "''"),
    value.replaceAll(/[\\']/g, '\\$&'),
    withoutPassing(value),
    withoutAmounts(value),
  ];
}

/** Parts of a value that programs use: its lines, and host, user and password of addresses. */
function partsOf(value: string): readonly string[] {
  const lines = value.split(/[\r\n]+/).filter((line) => !line.startsWith('-----'));
  const words = value.split(/[\s,]+/);
  return [value.trim(), ...lines, ...words.flatMap(addressParts)];
}

function addressParts(text: string): readonly string[] {
  const hostOfPair = /^([^:/]+|\[[^\]]+\]):\d+$/.exec(text)?.[1];
  if (hostOfPair !== undefined) return [text, hostOfPair];
  if (!text.includes('://') || !URL.canParse(text)) return [];
  const { host, hostname, username, password } = new URL(text);
  return [text, host, hostname, username, password, decoded(username), decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that encodes nothing.
    return text;
  }
}

/** Longest first, because a value may begin with another one. */
function anyOf(texts: readonly string[]): RegExp {
  const sorted = texts.toSorted((a, b) => b.length - a.length);
  return new RegExp(sorted.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
}
