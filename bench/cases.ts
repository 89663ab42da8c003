/** What is measured: Kafka → ClickHouse, two record sizes, with and without steps. */
import type { PipelineInput } from '../crds/pipeline.ts';
import { shapes, type RecordShape } from './records.ts';

export interface BenchCase {
  readonly name: string;
  readonly shape: RecordShape;
  readonly records: number;
  readonly steps: NonNullable<PipelineInput['spec']['steps']>;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Rows that must be in the table at the end. */
  readonly expectedRows: (records: number) => number;
}

const columns = [
  { name: 'id', type: 'Int64' },
  { name: 'status', type: 'LowCardinality(String)' },
  { name: 'customer', type: 'String' },
  { name: 'amount', type: 'Float64' },
  { name: 'qty', type: 'Int32' },
  { name: 'currency', type: 'LowCardinality(String)' },
  { name: 'at', type: 'DateTime64(3)' },
];

const textFields = (count: number) =>
  Array.from({ length: count }, (_, field) => ({ name: `field_${field}`, type: 'String' }));

/** Two of four statuses are `paid`. */
const filter = { name: 'paid', filter: { where: "record.status == 'paid'" } };

const map8 = {
  name: 'shape',
  map: {
    set: {
      total: 'record.amount * double(record.qty)',
      gross: 'record.amount * 1.19',
      big: 'record.amount > 500.0',
      label: "record.customer + '/' + record.currency",
      source: 'meta.source',
      partition: 'meta.partition',
    },
    rename: { customer: 'client' },
    remove: ['currency'],
  },
};

const mappedColumns = [
  { name: 'id', type: 'Int64' },
  { name: 'status', type: 'LowCardinality(String)' },
  { name: 'client', type: 'String' },
  { name: 'amount', type: 'Float64' },
  { name: 'total', type: 'Float64' },
  { name: 'gross', type: 'Float64' },
  { name: 'big', type: 'Bool' },
  { name: 'label', type: 'String' },
];

export const cases: readonly BenchCase[] = [
  {
    name: '200 B, no steps',
    shape: shapes.small,
    records: 2_000_000,
    steps: [],
    columns,
    expectedRows: (records) => records,
  },
  {
    name: '200 B, filter and map of 8 fields',
    shape: shapes.small,
    records: 2_000_000,
    steps: [filter, map8],
    columns: mappedColumns,
    expectedRows: (records) => records / 2,
  },
  {
    name: '1.2 KB, no steps',
    shape: shapes.large,
    records: 400_000,
    steps: [],
    columns: [...columns, ...textFields(31)],
    expectedRows: (records) => records,
  },
  {
    name: '1.2 KB, filter and map of 8 fields',
    shape: shapes.large,
    records: 400_000,
    steps: [filter, map8],
    columns: [...mappedColumns, ...textFields(31)],
    expectedRows: (records) => records / 2,
  },
];
