/** Pipelines of the end-to-end tests, as a user would write them. */
import { apiVersion, kind } from '../../../model/names.ts';
import type { PipelineInput } from '../../../crds/pipeline.ts';

export interface OrdersPipeline {
  readonly name: string;
  readonly namespace?: string;
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clickhouseUrl: string;
  readonly table: string;
  readonly where?: string;
  readonly createTable?: boolean;
}

type Spec = PipelineInput['spec'];

/** Kafka → filter, map → ClickHouse. The table keeps the order of inserts (`orderBy` is empty). */
export function ordersPipeline(options: OrdersPipeline): PipelineInput {
  return {
    apiVersion,
    kind,
    metadata: { name: options.name, namespace: options.namespace ?? 'default' },
    spec: ordersSpec(options),
  };
}

export function ordersSpec(options: OrdersPipeline): Spec {
  return {
    sources: [{ name: 'orders', kafka: { brokers: [...options.brokers], topic: options.topic } }],
    steps: [
      { name: 'paid', filter: { where: options.where ?? "record.status == 'paid'" } },
      {
        name: 'shape',
        map: {
          set: {
            total: 'record.amount * double(record.qty)',
            partition: 'meta.partition',
            offset: 'meta.offset',
          },
          remove: ['internal'],
        },
      },
    ],
    sinks: [
      {
        name: 'warehouse',
        clickhouse: {
          url: options.clickhouseUrl,
          table: options.table,
          ...(options.createTable === false ? {} : { createTable: { columns: ordersColumns, orderBy: [] } }),
        },
        batch: { maxDelay: '200ms' },
      },
    ],
  };
}

export const ordersColumns = [
  { name: 'id', type: 'Int64' },
  { name: 'status', type: 'LowCardinality(String)' },
  { name: 'customer', type: 'String' },
  { name: 'total', type: 'Float64' },
  { name: 'partition', type: 'Int32' },
  { name: 'offset', type: 'Int64' },
];
