/** What a person writes under `clickhouse:` in a sink. */
import { z } from 'zod';
import { durationField, httpUrlText, namedList, pemText, referenceText } from '../../schema/fields.ts';
import { columnField, createTableField } from '../create-table.ts';
import { contradictions } from './settings.ts';

const identifier = (description: string) =>
  z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^`\\]+$/)
    .describe(`${description} Without back-quote and backslash.`);

const column = columnField(
  identifier,
  z
    .string()
    .min(1)
    .max(500)
    .describe('Type as ClickHouse writes it, for example String, Nullable(Int64), DateTime64(3).'),
);

const createTable = createTableField(column, {
  orderBy: z
    .array(z.string().min(1).max(500))
    .max(50)
    .default([])
    .describe('Sorting key: columns or ClickHouse expressions. Empty: no order.'),
  partitionBy: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('Partition key: a ClickHouse expression, for example toYYYYMM(at).'),
  engine: z
    .string()
    .min(1)
    .max(500)
    .default('MergeTree')
    .describe('Table engine of the MergeTree family, with its arguments if it has any.'),
});

const setting = z
  .strictObject({
    name: z
      .string()
      .max(100)
      .regex(/^[a-z][a-z0-9_]*$/)
      .describe('Name of the ClickHouse setting.'),
    value: z.string().max(500).describe('Value of the setting, as text.'),
  })
  .describe('One ClickHouse setting.');

const tls = z
  .strictObject({
    ca: pemText('Certificates of the authorities that may have signed the server certificate.').optional(),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe('Accept any server certificate. For trials only: the connection can then be read by others.'),
  })
  .describe('How to verify the server when the url begins with https.');

export const clickhouseSinkSpec = z
  .strictObject({
    url: httpUrlText('Address of the HTTP interface, for example http://clickhouse:8123 or https://ch:8443.'),
    database: identifier('Database of the table.').default('default'),
    table: identifier(
      'Table that receives the rows. Its columns are read when the sink starts, and again within seconds of a change; fields without a column are left out of the row, and a column without a field gets its DEFAULT, which in ClickHouse is 0 or empty when the table names none. A plain MergeTree that exists already needs the setting non_replicated_deduplication_window (10000 is enough); one made by createTable has it.',
    ),
    username: referenceText('User of ClickHouse.').default('default'),
    password: referenceText('Password of the user. Use a secret reference.').optional(),
    createTable: createTable.optional(),
    compression: z
      .enum(['None', 'Gzip'])
      .default('None')
      .describe('Compression of request bodies. Gzip costs CPU and saves network.'),
    requestTimeout: durationField('How long one request may take before it is tried again.').default('60s'),
    onUncertain: z
      .enum(['Stop', 'Repeat', 'Skip'])
      .default('Stop')
      .describe(
        'When it cannot be told any more whether a batch is in the table (a failure outlasted what the table remembers): Stop and show SinkOutcomeUnknown, Repeat it, which may store it twice, or Skip it, which may lose it.',
      ),
    settings: namedList(setting)
      .max(50)
      .default([])
      .superRefine((settings, context) => {
        for (const { index, problem } of contradictions(settings)) {
          context.addIssue({ code: 'custom', path: [index, 'value'], message: problem });
        }
      })
      .describe(
        'More settings for the insert, by name. One that an exactly-once insert rests on is refused if it has another value. max_partitions_per_insert_block (100) is how many partitions a batch may reach.',
      ),
    tls: tls.optional(),
  })
  .describe('Writes records as rows of a ClickHouse table, each exactly once.');

export type ClickHouseSinkConfig = z.infer<typeof clickhouseSinkSpec>;
export type CreateTable = z.infer<typeof createTable>;
