/** What a person writes under `postgres:` in a sink. */
import { z } from 'zod';
import { durationField, pemText, referenceText } from '../../schema/fields.ts';
import { columnField, createTableField } from '../create-table.ts';

const identifier = (description: string) => z.string().min(1).max(63).describe(description);

const column = columnField(
  identifier,
  z
    .string()
    .min(1)
    .max(200)
    .describe('Type and constraints as PostgreSQL writes them, for example text, bigint not null, timestamptz.'),
);

const createTable = createTableField(column, {
  primaryKey: z.array(identifier('Name of a column.')).max(32).default([]).describe('Columns of the primary key.'),
});

const tls = z
  .strictObject({
    mode: z
      .enum(['Disable', 'Require', 'VerifyCa', 'VerifyFull'])
      .default('VerifyFull')
      .describe(
        'Disable: no TLS. Require: TLS with any certificate. VerifyCa: signed by a known authority. VerifyFull: and for this host.',
      ),
    ca: pemText('Certificates of the authorities that may have signed the server certificate.').optional(),
  })
  .describe('TLS to the server.');

export const postgresSinkSpec = z
  .strictObject({
    host: referenceText('Host name or address of the server.'),
    port: z.int().min(1).max(65535).default(5432).describe('Port of the server.'),
    database: referenceText('Database to connect to.').default('postgres'),
    username: referenceText('User of PostgreSQL.').default('postgres'),
    password: referenceText('Password of the user. Use a secret reference.').optional(),
    tls: tls.default({ mode: 'Disable' }),
    schema: identifier('Schema of the table and of the table millrace_positions.').default('public'),
    table: identifier('Table that receives the rows. It may be altered while the sink runs.'),
    upsertKey: z
      .array(identifier('Name of a column.'))
      .max(32)
      .default([])
      .describe(
        'Columns of a unique key: a record whose key exists replaces the row. Empty: each record is a new row.',
      ),
    createTable: createTable.optional(),
    onPositionLost: z
      .enum(['Stop', 'Reread', 'Continue'])
      .default('Stop')
      .describe(
        'When millrace_positions is behind what was committed, or of another edge (failover to a replica that lagged, restored backup): Stop and show SinkPositionLost, Reread from there what the edge still holds, or Continue without what is missing.',
      ),
    statementTimeout: durationField('How long one transaction may take before it is tried again.').default('60s'),
  })
  .describe('Writes records as rows of a PostgreSQL table, each exactly once.');

export type PostgresSinkConfig = z.infer<typeof postgresSinkSpec>;
export type CreateTable = z.infer<typeof createTable>;
