/**
 * The two pipelines under fire. What must arrive can be told from the input alone, whatever was edited meanwhile:
 *
 * - `orders`: Kafka → filter, map → ClickHouse or PostgreSQL by a route. Every paid order is in exactly one of the two.
 *   Each edit moves the route's threshold and the `edition` that rows carry, so rows tell under which plan they were
 *   written (E9): along a partition the edition never falls.
 * - `events`: HTTP with idempotency keys → PostgreSQL.
 */
import type { PipelineInput } from '../../crds/pipeline.ts';
import { apiVersion, kind } from '../../model/names.ts';

export interface Targets {
  readonly brokers: readonly string[];
  readonly clickhousePort: number;
  readonly postgresPort: number;
  readonly postgresUrl: URL;
}

export const topic = 'orders';
export const partitions = 4;

const secretName = 'postgres';

export function passwordSecret({ postgresUrl }: Targets): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName, namespace: 'default' },
    stringData: { password: decodeURIComponent(postgresUrl.password) },
  };
}

export function ordersPipeline(targets: Targets, edition: number, replicas: number): PipelineInput {
  return {
    apiVersion,
    kind,
    metadata: { name: 'orders', namespace: 'default' },
    spec: {
      sources: [{ name: 'orders', kafka: { brokers: [...targets.brokers], topic }, replicas, slots: 2 }],
      steps: [
        { name: 'paid', filter: { where: "record.status == 'paid'" } },
        {
          name: 'shape',
          map: {
            set: { edition: String(edition), partition: 'meta.partition', offset: 'meta.offset' },
            remove: ['note'],
          },
        },
      ],
      sinks: [
        {
          name: 'warehouse',
          clickhouse: {
            url: `http://127.0.0.1:${targets.clickhousePort}`,
            table: 'orders',
            createTable: { columns: columns.clickhouse, orderBy: [] },
          },
          when: `record.amount < ${(edition * 37) % 100}.0`,
          batch: { maxDelay: '200ms' },
        },
        {
          name: 'ledger',
          postgres: { ...postgres(targets), table: 'orders', createTable: { columns: columns.postgres } },
          otherwise: true,
          batch: { maxDelay: '200ms' },
        },
      ],
    },
  };
}

export function eventsPipeline(targets: Targets): PipelineInput {
  return {
    apiVersion,
    kind,
    metadata: { name: 'events', namespace: 'default' },
    spec: {
      sources: [{ name: 'web', http: {} }],
      sinks: [
        {
          name: 'store',
          postgres: {
            ...postgres(targets),
            table: 'events',
            createTable: {
              columns: [
                { name: 'id', type: 'bigint' },
                { name: 'seq', type: 'bigint' },
              ],
            },
          },
          batch: { maxDelay: '200ms' },
        },
      ],
    },
  };
}

function postgres({ postgresPort, postgresUrl }: Targets) {
  return {
    host: '127.0.0.1',
    port: postgresPort,
    database: postgresUrl.pathname.slice(1),
    username: postgresUrl.username,
    password: `$(secret:${secretName}/password)`,
  };
}

const columns = {
  clickhouse: [
    { name: 'id', type: 'Int64' },
    { name: 'amount', type: 'Float64' },
    { name: 'edition', type: 'Int32' },
    { name: 'partition', type: 'Int32' },
    { name: 'offset', type: 'Int64' },
  ],
  postgres: [
    { name: 'id', type: 'bigint' },
    { name: 'amount', type: 'double precision' },
    { name: 'edition', type: 'integer' },
    { name: 'partition', type: 'integer' },
    { name: 'offset', type: 'bigint' },
  ],
};
