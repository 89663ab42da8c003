/** Schemas of the API's requests, and the named parts of its OpenAPI document. Answers are in `client/wire.ts`. */
import { z } from 'zod';
import {
  authSchema,
  changeSchema,
  decidedSchema,
  decisionSchema,
  dryRunSchema,
  lintReportSchema,
  operationSchema,
  problemSchema,
} from '../../client/wire.ts';
import { pipelineSchema } from '../../crds/pipeline.ts';

/** Not zod's global registry: other documents are made from the same schemas. */
export const components = z.registry<{ id: string }>();

const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a lower-case DNS label');

export const namespaceParams = z.object({ namespace: dnsLabel.describe('Kubernetes namespace of the pipeline.') });
export const pipelineParams = namespaceParams.extend({ name: dnsLabel.describe('Name of the pipeline.') });
export const operationParams = pipelineParams.extend({
  operation: z.string().min(1).max(1000).describe('Id of the operation, percent-encoded.'),
});
export const recordsParams = pipelineParams.extend({
  source: dnsLabel.describe('Name of the http source.'),
});

const record = z.looseObject({}).describe('A record: its fields.');

export const recordTypes = ['application/json', 'application/x-ndjson'];

/** Documentation only: the pod reads the body. */
export const recordsBody = z
  .union([record, z.array(record).describe('Several records.'), z.string().describe('NDJSON: one record a line.')])
  .describe('One record or a list of records (application/json), or one record a line (application/x-ndjson).');

export const recordsHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('A request that is repeated with the same key is stored once. At most 512 KiB of body then.'),
  'content-encoding': z
    .string()
    .optional()
    .describe('gzip, deflate or zstd. The limit of the source holds for what the body is inflated to.'),
});

export const retryHeaders = z.looseObject({
  'idempotency-key': z.string().min(1).max(255).optional().describe('Repeated with the same key, it is one request.'),
});

/** Typed as unknown: the pod's answer is forwarded as a stream. */
export const recordsTaken: z.ZodType = z
  .object({
    accepted: z.int().describe('How many records were stored.'),
    ids: z
      .array(z.string())
      .describe('Id of each, in order, of the first 1,000; for a duplicate, those of the first request.'),
    lastId: z.string().optional().describe('Id of the last; ids count up to it.'),
    duplicate: z.boolean().optional().describe('True: a request with this Idempotency-Key was stored before.'),
  })
  .describe('The records are stored.');

export const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Most items of one answer.'),
  continue: z.string().max(4096).optional().describe('`continue` of the answer before.'),
  labelSelector: z.string().max(1024).optional().describe('Kubernetes label selector, such as team=shop.'),
});

const flag = z.enum(['true', 'false']).default('false');

const dryRun = flag.describe(
  'true: Kubernetes checks it, nothing is stored, and the answer (200) says what would change.',
);

export const applyQuery = z.strictObject({
  dryRun,
  force: flag.describe(
    'true: the spec becomes what the document says, and fields that another tool manages are taken over; else they are refused with 409.',
  ),
});

export const stateQuery = z.strictObject({ dryRun });

/** The query of a route that takes none. */
export const noQuery = z.strictObject({});

export const deleteQuery = z.strictObject({
  force: flag.describe(
    'true: sets `deletionPolicy: Orphan` first, so that nothing is waited for and workloads stay behind.',
  ),
});

export const pipelineResource = pipelineSchema.describe('A pipeline with its status.');

/** Body of a PUT: the path names the pipeline, so the spec alone is enough. */
export const pipelineBody = pipelineSchema
  .omit({ status: true })
  .partial({ apiVersion: true, kind: true, metadata: true })
  .describe('A pipeline as a person writes it. Only `spec` is required.');

export const pipelineList = z
  .object({
    items: z.array(pipelineResource).describe('The pipelines, by name.'),
    continue: z.string().optional().describe('Ask again with it for more. Absent: these are all.'),
  })
  .describe('Some pipelines.');

export const errorEntry = z
  .object({
    code: z.string().describe('Row of the error table.'),
    message: z.string().describe('With {parameters}.'),
    fix: z.string().describe('What to do.'),
    status: z.int().describe('HTTP status of the problem.'),
    handling: z.enum(['refuse', 'retry', 'deadLetter', 'fence']).describe('Who acts on it.'),
  })
  .describe('A row of the error table.');

export const versionInfo = z
  .object({
    version: z.string().describe('Version of Millrace.'),
    apiVersion: z.string().describe('Version of the Pipeline resource.'),
  })
  .describe('What runs here.');

export const health = z.object({ status: z.string().describe('ok, or why not.') }).describe('How it is.');

components.add(problemSchema, { id: 'Problem' });
components.add(pipelineBody, { id: 'PipelineBody' });
components.add(pipelineResource, { id: 'Pipeline' });
components.add(pipelineList, { id: 'PipelineList' });
components.add(recordsTaken, { id: 'RecordsTaken' });
components.add(operationSchema, { id: 'Operation' });
components.add(changeSchema, { id: 'Change' });
components.add(dryRunSchema, { id: 'DryRun' });
components.add(decisionSchema, { id: 'Decision' });
components.add(decidedSchema, { id: 'Decided' });
components.add(authSchema, { id: 'AuthInfo' });
components.add(lintReportSchema, { id: 'LintReport' });

const problem = { 'application/problem+json': { schema: problemSchema } };

/** Answers that every route may give. */
export const problems = {
  '4xx': { description: 'The request cannot be carried out.', content: problem },
  '5xx': { description: 'Something that Millrace needs does not answer.', content: problem },
} as const;
