/**
 * docs/reference/expressions.md: what expressions can see and call, generated from the environment that checks them.
 */
import { maxSourceLength, recordEnvironment, timestampType } from '../transforms/expression/environment.ts';
import { metaFields } from '../transforms/expression/variables.ts';

const durationType = 'google.protobuf.Duration';

export function expressionsPage(generated: string): string {
  return `${generated}
# Expressions

Expressions are [CEL](https://cel.dev). \`millrace lint\` checks them, with types when the source has a \`schema\`.

| name | what it is |
| --- | --- |
| \`record\` | the record: \`record.amount\`, \`record.customer.city\`, \`record["a b"]\`, \`record.items[0]\` |
| \`meta\` | where it comes from: ${[...metaFields.keys()].map((name) => `\`meta.${name}\``).join(', ')} |
| \`now\` | when its frame was stored, as a timestamp: the same each time the record is processed |

- A field that is absent is an error, and the record becomes a dead letter. Ask first: \`has(record.amount) && record.amount > 1\`.
- A field that no record has, because a generator does not make it or a step has taken it away, is refused by lint; one that
  a schema does not name is a warning, as it may be there.
- Numbers of a record are doubles; \`1\` in an expression is an int. Between the two Millrace computes in doubles:
  \`record.count + 1\`. Two ints divide to an int: \`1 / 2\` is \`0\`.
- Integers beyond 2^53 compute as 64-bit ints. Decimals with more digits than a double holds become doubles when a step
  computes on them, and keep their digits when it only copies them.
- \`==\` between different types is false; \`<\` between different types is an error.
- A timestamp that is put into a record becomes RFC 3339 text. Dates in a record are text: \`timestamp(record.at) < now\`.
- At most ${maxSourceLength} characters. Macros over lists nest two deep at most. The pattern of \`matches\` is a constant without
  look-around and back-references; it is matched in linear time. On one record, an expression with macros takes a million
  steps at most (a round of a macro, an element that is compared or copied, 64 characters of a text): beyond, the record is
  a dead letter.

## Macros

| macro | result |
| --- | --- |
| \`has(record.field)\` | true when the field is there |
| \`list.all(x, condition)\`, \`list.exists(x, condition)\`, \`list.exists_one(x, condition)\` | true when it holds for all, any, exactly one |
| \`list.filter(x, condition)\` | those for which it holds |
| \`list.map(x, value)\`, \`list.map(x, condition, value)\` | a value for each |
| \`cel.bind(x, value, result)\` | \`result\`, in which \`x\` is \`value\` |

## Functions

| function | result |
| --- | --- |
${functionRows().join('\n')}
`;
}

/** One row for each name and result type, with all argument types. */
function functionRows(): readonly string[] {
  const rows = new Map<string, string[]>();
  for (const { signature, returnType } of recordEnvironment.getDefinitions().functions) {
    if (/\bast\b|optional|Namespace|uint|^dyn\(|^type\(/.test(signature)) continue;
    const call = shortened(signature.slice(0, signature.lastIndexOf(':')));
    const row = `${call.slice(0, call.indexOf('('))} ${shortened(returnType)}`.replace(/^.*\./, '');
    rows.set(row, [...(rows.get(row) ?? []), call]);
  }
  return [...rows].map(([row, calls]) => `| ${calls.map((call) => `\`${call}\``).join(', ')} | ${row.split(' ')[1]} |`);
}

function shortened(type: string): string {
  return type
    .replaceAll(timestampType, 'timestamp')
    .replaceAll(durationType, 'duration')
    .replaceAll(/list<dyn>/g, 'list')
    .replaceAll(/map<dyn, dyn>/g, 'map');
}
