import { deepStrictEqual, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { compileEncoder } from '../../../connectors/clickhouse/encoders.ts';
import { ClickHouseRows } from '../../../connectors/clickhouse/row-buffer.ts';
import { problemOf } from '../../../model/errors.ts';
import type { SinkStage } from '../../../model/plan.ts';
import type { Json } from '../../../model/value.ts';
import { tombstone } from '../../../stream/sink-port.ts';
import { sinkProgram } from '../../../workers/sink/program.ts';
import { oddRecords, packed } from '../../transforms/flat/odd-records.ts';
import { meta } from '../../transforms/support/records.ts';
import { sinkStage } from './stage.ts';

type Part = Pick<SinkStage, 'steps' | 'route' | 'sources' | 'ownsStepFailures'>;

const step = (kind: string, config: Json, when: string | null = null) => ({ name: kind, kind, config, when });

const someSteps = fc.subarray([
  step('filter', { where: "record.text != 'paid'" }),
  step('filter', { where: 'has(record.id) && record.id > 0' }),
  step('map', { set: { text: "string(record.id) + '/' + meta.source", 'note.deep': 'record.flag' } }),
  step('map', { rename: { id: 'amount', note: 'text' }, remove: ['at', 'kind.x'] }),
  step('map', { set: { kind: '[record.id, record.text]' } }, 'has(record.text)'),
  step('map', { set: { kind: 'size(record)' } }),
  step('filter', { where: 'record.items.all(x, x > 0)' }),
]);

function rarely<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 3 }, { arbitrary: fc.constantFrom(...others), weight: 1 });
}

const part: fc.Arbitrary<Part> = fc.record({
  steps: fc.oneof(fc.constant([]), someSteps),
  route: fc.record({
    unless: rarely([], ["record.kind == 'other'"]),
    when: rarely<string | null>(null, 'record.amount > 1', "'id' in record"),
  }),
  sources: rarely<Part['sources']>(
    { orders: { topic: null, schema: null } },
    { orders: { topic: null, schema: [{ name: 'id', type: 'int64', optional: true }] } },
    { other: { topic: null, schema: [{ name: 'text', type: 'bool', optional: false }] } },
  ),
  ownsStepFailures: fc.boolean(),
});

const types = [
  'String',
  'Int64',
  'UInt8',
  'Float64',
  'Float32',
  'Decimal(18, 4)',
  'Bool',
  'DateTime64(3)',
  'DateTime',
  'Date',
  'JSON',
];
const type = fc.oneof(
  fc.constant('String'),
  fc.constant('String'),
  fc.constantFrom(...types),
  fc.constantFrom(
    'Nullable(String)',
    'LowCardinality(String)',
    'Nullable(Float64)',
    'Array(String)',
    'FixedString(5)',
    'UUID',
    "Enum8('paid' = 1)",
    'Dynamic',
    'Variant(Int64, String)',
    'Map(String, String)',
  ),
);
const table = fc.record({
  columns: fc.uniqueArray(
    fc.record({
      name: fc.oneof(
        { arbitrary: fc.constantFrom('id', 'text', 'at', 'amount', 'flag', 'kind', 'note', 'absent', 'é'), weight: 40 },
        { arbitrary: fc.constantFrom('a.b', 'constructor'), weight: 1 },
      ),
      type,
      hasDefault: fc.nat(9).map((n) => n === 0),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 7 },
  ),
  closed: rarely([], [{ name: 'flag', kind: 'ALIAS' }]),
});

type TableOf = typeof table extends fc.Arbitrary<infer T> ? T : never;

function rowsOf({ columns, closed }: TableOf): ClickHouseRows {
  const encoded = columns.map((column) => ({ ...column, encoder: compileEncoder(column.type)! }));
  return new ClickHouseRows(
    encoded,
    columns.some(({ hasDefault }) => hasDefault),
    closed.filter(({ name }) => !columns.some((column) => column.name === name)),
  );
}

/** What became of each record: bytes of a row, dropped, or what was said of it. */
function outcomes(part: Part, table: TableOf, records: readonly Buffer[], isFlat: boolean): [string[], number] {
  const program = sinkProgram({ ...sinkStage, ...part });
  const rows = rowsOf(table);
  const { bytes, starts, ends, end } = packed(records);
  const { flat } = program;
  flat?.open(bytes, end);
  let taken = 0;
  const row = () => rows.slice(rows.rows - 1, rows.rows).toString('hex');
  const all = starts.map((start, i) => {
    if (isFlat && flat !== undefined) {
      const record = flat.run(start, ends[i]!, meta, 1_000);
      if (record === 'drop') return 'drop';
      if (record !== undefined && rows.addFlat(record)) {
        taken++;
        return row();
      }
    }
    try {
      const value = program.run(bytes, start, ends[i]!, meta, 1_000);
      if (value === undefined || value === tombstone) return 'drop';
      rows.add(value);
      return row();
    } catch (error) {
      return problemOf(error);
    }
  });
  return [[...all, rows.slice(0, rows.rows).toString('hex')], taken];
}

describe('rows of records that are not decoded', () => {
  it('L1, I4: are byte for byte those of decoded records, and what is wrong is told in the same words', () => {
    let count = 0;
    fc.assert(
      fc.property(part, table, oddRecords, (part, table, records) => {
        const [flat, taken] = outcomes(part, table, records, true);
        deepStrictEqual(flat, outcomes(part, table, records, false)[0]);
        count += taken;
      }),
      { numRuns: 1_500 },
    );
    ok(count > 500, `only ${count} records were taken`);
  });
});
