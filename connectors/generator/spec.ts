/** What a person may say about a generator source. Becomes a part of the CRD, of lint and of the reference. */
import { z } from 'zod';
import { namedList } from '../../schema/fields.ts';

const limit = Number.MAX_SAFE_INTEGER;

const field = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/)
      .describe('Name of the field in the record.'),
    kind: z
      .enum(['Sequence', 'Integer', 'Float', 'Choice', 'Text', 'Timestamp', 'Uuid'])
      .default('Integer')
      .describe(
        'Sequence: min, min + step, …; Integer and Float: between min and max; Choice: one of choices; Text: letters, min to max of them; Timestamp: ISO 8601, min (ms since 1970) plus step ms a record; Uuid: version 4 in form.',
      ),
    min: z
      .number()
      .min(-limit)
      .max(limit)
      .optional()
      .describe('Least value. Default: Text 16, Timestamp 2026-01-01, others 0.'),
    max: z
      .number()
      .min(-limit)
      .max(limit)
      .optional()
      .describe('Greatest value; counts as min when it is less. Default: Integer 999999, Float 1, Text min.'),
    step: z
      .number()
      .min(0)
      .max(86_400_000)
      .optional()
      .describe('Sequence and Timestamp: distance between two records. Default: 1.'),
    decimals: z.int().min(0).max(9).optional().describe('Float: digits after the point. Default: 3.'),
    choices: z
      .array(z.string().max(256).describe('A value.'))
      .min(1)
      .max(256)
      .optional()
      .describe(
        'Choice: the values, each as likely as the others; a value may stand more than once. Default: red, green, blue.',
      ),
  })
  .describe('One field of each record.');

export const generatorSourceSpec = z
  .strictObject({
    fields: namedList(field)
      .min(1)
      .max(64)
      .default([
        { name: 'id', kind: 'Sequence' },
        { name: 'at', kind: 'Timestamp' },
        { name: 'colour', kind: 'Choice' },
        { name: 'amount', kind: 'Float', min: 0, max: 100, decimals: 2 },
      ])
      .describe('Fields of each record, in this order.'),
    rate: z
      .int()
      .min(0)
      .max(100_000_000)
      .default(1000)
      .describe('Records a second, over all slots; 0 = as fast as they are taken.'),
    count: z
      .int()
      .min(0)
      .max(limit)
      .optional()
      .describe('How many records there are; the source ends after them. Without it, it never ends.'),
    seed: z.int().min(0).max(4_294_967_295).default(1).describe('The same seed makes the same records.'),
  })
  .describe(
    'Makes records up: record number i depends on the seed and i alone, so a restart makes the same ones again.',
  );

export type GeneratorSourceConfig = z.output<typeof generatorSourceSpec>;
export type GeneratorField = GeneratorSourceConfig['fields'][number];
