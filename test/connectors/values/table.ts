/** Reads `table.txt`. */
import { readFileSync } from 'node:fs';
import { named } from './awkward.ts';
import type { Form } from './judge.ts';

export interface Row {
  readonly sink: string;
  readonly type: string;
  readonly form: Form;
  /** The sink does not start with such a column: the code that it says. */
  readonly door: string | null;
  /** JSON texts that are read back as what they are. */
  isKept(json: string): boolean;
  /** JSON texts that are read back as another text, which means the same. */
  readonly shown: ReadonlyMap<string, string | null>;
  /** All JSON texts that the row names. */
  readonly tried: readonly string[];
}

export const rows: readonly Row[] = sections(readFileSync(new URL('table.txt', import.meta.url), 'utf8'));

function sections(text: string): readonly Row[] {
  return text.split(/^== /m).flatMap((section, i) => {
    if (i === 0) return [];
    const [sink = '', ...types] = section.split(/^-- /m);
    return types.map((one) => rowOf(sink.trim(), one.split('\n')));
  });
}

function rowOf(sink: string, [head = '', ...lines]: readonly string[]): Row {
  const [type = '', form] = head.split(/ : (?=json$|bytes$)/);
  const listed = (label: string) => {
    const line = lines.find((one) => one.startsWith(`${label}: `) || one === `${label}:`);
    return line === undefined
      ? null
      : line
          .slice(label.length + 2)
          .split(' | ')
          .filter(Boolean)
          .map(jsonOf);
  };
  const kept = listed('kept');
  const dead = listed('kept all but');
  const shown = new Map(lines.flatMap((line) => (line.includes(' -> ') ? [shownOf(line)] : [])));
  const door = lines
    .find((line) => line.startsWith('door: '))
    ?.slice(6)
    .split(' ; ')[0];
  return {
    sink,
    type,
    form: form === 'json' || form === 'bytes' ? form : 'plain',
    door: door ?? null,
    isKept: (json) => !shown.has(json) && (kept?.includes(json) ?? dead?.includes(json) === false),
    shown,
    tried: [...(kept ?? []), ...(dead ?? []), ...shown.keys(), ...(listed('tried') ?? [])],
  };
}

function shownOf(line: string): [json: string, text: string | null] {
  const [, json = '', text = '', why] = /^(.*?) -> (.*) ; (.+)$/.exec(line) ?? [];
  if (why === undefined) throw new SyntaxError(`no reason in: ${line}`);
  return [jsonOf(json), text === 'NULL' ? null : text];
}

function jsonOf(text: string): string {
  return named[text] ?? text;
}
