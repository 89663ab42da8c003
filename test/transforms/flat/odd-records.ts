/** Texts that are records, nearly records, and records as only tests write them: many of each shape, in a row. */
import fc from 'fast-check';

const numbers = [
  ...['0', '-0', '1', '-1', '12.5', '0.1', '-0.000001', '123456789012345', '0.00000000000001', '99999.9999999999'],
  ...[
    '1e3',
    '1E+2',
    '-2.5e-3',
    '1e400',
    '1e-400',
    '0e0',
    '1e22',
    '12345.6789012345',
    '9007199254740992',
    '9007199254740993',
  ],
  ...['12345678901234567890', '1.10000000000000000000', '0.1000000000000000055511151231257827', `1${'0'.repeat(60)}`],
  ...[
    '01',
    '-',
    '1.',
    '.5',
    '+1',
    '1e',
    '1e+',
    '--1',
    '0x10',
    'NaN',
    'Infinity',
    '-Infinity',
    '1_000',
    '00',
    '-01',
    '1.e1',
  ],
];
const texts = [
  ...[
    '""',
    '"a"',
    '"abc"',
    '"abcd"',
    '"abcde"',
    '"2026-01-31T12:34:56.789Z"',
    '"2026-01-31"',
    '"12"',
    '"1.5"',
    '"true"',
  ],
  ...[
    '"a\\n"',
    '"\\""',
    '"\\\\"',
    '"\\/\\b\\f\\r\\t"',
    '"\\u0041"',
    '"\\u00e9"',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"\\ude00x"',
  ],
  ...[
    '"é"',
    '"😀"',
    '"日本語のテキスト"',
    '"\u2028"',
    '"\uFFFD"',
    '"\u0000"',
    '"a\tb"',
    '"a\nb"',
    '"\u007f"',
    '"\\x41"',
    '"\\u12"',
    '"\\',
  ],
  ...[
    '"abc',
    'abc"',
    '"a""b"',
    `"${'long '.repeat(60)}"`,
    `"${'é'.repeat(70)}"`,
    '"61f0c404-5cb3-11e7-907b-a6006ad3dba0"',
    '"paid"',
  ],
];
const others = [
  'true',
  'false',
  'null',
  'True',
  'nul',
  'tru',
  'falsehood',
  'nullx',
  '',
  '{}',
  '[]',
  '[1,"a"]',
  '{"a":{"b":1}}',
  '[{]',
  '"a":1',
];

const usual = fc.oneof(
  fc.constantFrom('0', '-0', '12.5', '-0.000001', '123456789012345', '99999.9999999999', '1e3', '12345678901234567890'),
  fc.constantFrom(
    '"paid"',
    '""',
    '"abcde"',
    '"2026-01-31T12:34:56.789Z"',
    '"a\n"',
    '"é"',
    '"日本語のテキスト"',
    'true',
    'false',
    'null',
  ),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.string().map((text) => JSON.stringify(text)),
);
const odd = fc.oneof(
  fc.constantFrom(...numbers, ...texts, ...others),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
);
const value = fc.oneof({ arbitrary: usual, weight: 24 }, { arbitrary: odd, weight: 1 });

const names = ['id', 'text', 'at', 'amount', 'flag', 'kind', 'note', 'a.b', '', 'é', '__proto__', 'constructor', 'id'];
const space = usually('', ' ', '\n\t', '\u00a0');

function usually(usual: string, ...odd: string[]): fc.Arbitrary<string> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 9 }, { arbitrary: fc.constantFrom(...odd), weight: 1 });
}

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ arbitrary: fc.constant(null), weight: 15 }, { arbitrary, weight: 1 });
}

/** The names of a record, and what stands between them. */
const shape = fc.record({
  names: fc.oneof(
    fc.constantFrom<string[]>(['id', 'text', 'at', 'amount', 'flag'], ['text', 'id'], ['note', 'kind', 'id', 'amount']),
    fc.array(fc.constantFrom(...names), { maxLength: 6 }),
  ),
  before: space,
  after: space,
  comma: usually(',', ', ', ' ,', ',,', ''),
  colon: usually(':', ': ', ' :', '::'),
  isEscaped: fc.nat(9).map((n) => n === 0),
});

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function textOf(of: Shape, values: readonly string[]): string {
  const fields = of.names.map((name, i) => {
    const key = of.isEscaped
      ? `"${Array.from(name, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(name);
    return key + of.colon + (values[i] ?? '0');
  });
  return `${of.before}{${of.after}${fields.join(of.comma)}${of.before}}${of.after}`;
}

/** A few shapes and records of them, some with a byte that is another. */
export const oddRecords = fc
  .array(shape, { minLength: 1, maxLength: 3 })
  .chain((shapes) =>
    fc.array(
      fc.record({
        shape: fc.constantFrom(...shapes),
        values: fc.array(value, { minLength: 6, maxLength: 6 }),
        mutation: rarely(fc.record({ at: fc.nat(200), byte: fc.oneof(fc.nat(127), fc.nat(127), fc.nat(255)) })),
        cut: rarely(fc.nat(20)),
      }),
      { minLength: 2, maxLength: 12 },
    ),
  )
  .map((records) =>
    records.map(({ shape: of, values, mutation, cut }) => {
      const bytes = Buffer.from(textOf(of, values));
      if (mutation !== null && mutation.at < bytes.length) bytes[mutation.at] = mutation.byte;
      return cut === null ? bytes : bytes.subarray(0, Math.max(0, bytes.length - cut));
    }),
  );

/** The records in a row, as in a frame, with something behind them. */
export function packed(records: readonly Buffer[]): { bytes: Buffer; starts: number[]; ends: number[]; end: number } {
  const ends: number[] = [];
  let end = 0;
  for (const record of records) ends.push((end += record.length));
  return { bytes: Buffer.concat([...records, Buffer.alloc(16, 0x22)]), starts: [0, ...ends.slice(0, -1)], ends, end };
}
