/**
 * The Pipeline resource: one zod schema that is the TypeScript types, the CRD, lint, and the reference pages.
 *
 * S1  Objects of the spec are strict: an unknown field is an error, never ignored.
 * S2  Every field has a description and a bound; a field that may be left out has a default or means "not asked for".
 * S3  A union is a set of optional member fields of which exactly one is given: `kafka: {…}`, never `type: kafka`.
 *
 * Rules that need two fields are in `./rules.ts`. Connector and step schemas come from their registries, so this file
 * knows none of them by name.
 */
import { z } from 'zod';
import { connectors } from '../connectors/registry.ts';
import { transforms } from '../transforms/registry.ts';
import { bytesField, durationField, expressionField, nameField, namedList } from '../schema/fields.ts';
import { members } from './members.ts';
import { apiVersion, kind } from '../model/names.ts';
import type { FieldType } from '../model/plan.ts';
import { statusSchema } from './status.ts';

export type { ConditionType } from '../model/conditions.ts';
export type { Condition, Phase, PipelineStatus } from '../model/status.ts';

export const maxSlots = 64;

const fieldTypes = [
  'string',
  'bool',
  'int64',
  'uint64',
  'float64',
  'decimal',
  'timestamp',
  'object',
  'array',
  'any',
] as const satisfies readonly FieldType[];

const fieldShape = z
  .strictObject({
    name: z.string().min(1).max(253).describe('Name of a field at the top of the record.'),
    type: z
      .enum(fieldTypes)
      .describe(
        'Type of its value. decimal takes a number or text that holds one; timestamp takes RFC 3339 text or a number.',
      ),
    optional: z.boolean().default(false).describe('True: the field may be absent or null.'),
  })
  .describe('One field of the records.');

export const sourceSpec = z
  .strictObject({
    name: nameField('Name of the source'),
    ...members(connectors, 'source'),
    replicas: z.int().min(1).max(maxSlots).default(1).describe('Pods that read the source. At most `slots`.'),
    slots: z
      .int()
      .min(1)
      .max(maxSlots)
      .default(4)
      .describe(
        'Fixed shares into which the source is divided; the largest number of replicas it can ever have. Immutable.',
      ),
    schema: namedList(fieldShape)
      .min(1)
      .max(512)
      .describe(
        'Fields that a record must have. A record that does not fit becomes a dead letter. Absent: any JSON object fits.',
      )
      .optional(),
  })
  .describe('Where records come from. Exactly one connector is given.');

export const stepSpec = z
  .strictObject({
    name: nameField('Name of the step'),
    ...members(transforms, 'spec'),
    when: expressionField(
      'The step is applied to records for which this is true; the others pass unchanged.',
    ).optional(),
  })
  .describe('What happens to each record. Exactly one kind of step is given.');

export const sinkSpec = z
  .strictObject({
    name: nameField('Name of the sink'),
    ...members(connectors, 'sink'),
    replicas: z.int().min(1).max(maxSlots).default(1).describe('Pods that write to the sink. At most `buffer.shards`.'),
    when: expressionField(
      'Sinks with `when` are tried in order, on the record as it is after the steps; the first for which it is true takes the record. Absent: the sink takes a copy of every record.',
    ).optional(),
    otherwise: z
      .boolean()
      .default(false)
      .describe(
        'The sink takes the records that no sink with `when` took. Only on the last sink, and not together with `when`.',
      ),
    tombstones: z
      .enum(['Drop', 'Delete', 'DeadLetter'])
      .default('Drop')
      .describe(
        'What a record without a value (a tombstone of a compacted topic) does here. It passes by steps and routes. Drop: nothing, and is counted. Delete: deletes the row with its key; needs postgres with upsertKey. DeadLetter: becomes a dead letter.',
      ),
    batch: z
      .strictObject({
        maxRecords: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(50_000)
          .describe('A batch is written when it holds this many records,'),
        maxBytes: bytesField('or this many bytes,').default('16Mi'),
        maxDelay: durationField('or when its first record has waited this long.').default('1s'),
      })
      .prefault({})
      .describe('How many records are written at once.'),
  })
  .describe('Where records go. Exactly one connector is given.');

const quantity = (description: string) =>
  z
    .string()
    .max(16)
    .regex(/^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$/)
    .describe(description);

const resourcesSpec = z
  .strictObject({
    requests: z
      .strictObject({
        cpu: quantity('CPU, such as 100m or 2.').default('100m'),
        memory: quantity('Memory, such as 128Mi.').default('128Mi'),
      })
      .prefault({})
      .describe('What each pod is sure to get.'),
    limits: z
      .strictObject({
        cpu: quantity('CPU, such as 500m or 2. Absent: no limit.').optional(),
        memory: quantity('Memory, such as 512Mi.').default('512Mi'),
      })
      .prefault({})
      .describe('What each pod may use at most.'),
  })
  .prefault({})
  .describe('Resources of each pod of the pipeline.');

export const specSchema = z
  .strictObject({
    desiredState: z
      .enum(['Running', 'Paused', 'Stopped'])
      .default('Running')
      .describe(
        'Running: records move. Paused: everything stops at once and is kept. Stopped: sources stop, what was read is written, then the rest stops.',
      ),
    isolation: z
      .enum(['Namespace', 'Shared'])
      .default('Namespace')
      .describe(
        'Namespace: the workloads get a namespace of their own. Shared: they run beside this resource. Immutable.',
      ),
    sources: namedList(sourceSpec).min(1).max(16).describe('Where records come from. One or more.'),
    steps: namedList(stepSpec).max(64).default([]).describe('What happens to each record, in this order.'),
    sinks: namedList(sinkSpec).min(1).max(16).describe('Where records go. One or more.'),
    buffer: z
      .strictObject({
        shards: z
          .int()
          .min(1)
          .max(maxSlots)
          .default(2)
          .describe('Fixed shares of the buffer; the largest number of replicas a sink can have. Immutable.'),
        maxBytes: bytesField(
          'Size of the buffer: at least twice frame.maxBytes. When it is full, the sources wait. Sinks write when a quarter of it is full, if their batches are larger.',
        ).default('1Gi'),
      })
      .prefault({})
      .describe('The durable buffer between sources and sinks.'),
    frame: z
      .strictObject({
        maxRecords: z
          .int()
          .min(1)
          .max(10_000)
          .default(1_000)
          .describe('A frame is stored when it holds this many records,'),
        maxBytes: bytesField('or this many bytes,').default('256Ki'),
        linger: durationField('or when its first record has waited this long.').default('10ms'),
      })
      .prefault({})
      .describe('How many records travel together.'),
    deadLetters: z
      .strictObject({
        maxBytes: bytesField('How much is kept.').default('1Gi'),
        whenFull: z
          .enum(['Block', 'DropOldest'])
          .default('Block')
          .describe('Block: the pipeline waits. DropOldest: the oldest is dropped, counted and reported.'),
      })
      .prefault({})
      .describe('Records that cannot be processed are kept here with their reason.'),
    resources: resourcesSpec,
    deletionPolicy: z
      .enum(['Drain', 'Immediate', 'Orphan'])
      .default('Drain')
      .describe(
        'When the resource is deleted. Drain: what was read is written first. Immediate: at once. Orphan: workloads and streams are left as they are.',
      ),
  })
  .describe('What is wanted.');

const metadataSchema = z.looseObject({
  name: nameField('Name of the pipeline'),
  namespace: z.string().min(1).max(63).describe('Namespace of the resource.').optional(),
  uid: z.string().min(1).max(64).describe('Set by Kubernetes.').optional(),
  generation: z.int().min(0).describe('Set by Kubernetes: counts the changes of the spec.').optional(),
  resourceVersion: z.string().max(64).describe('Set by Kubernetes.').optional(),
  creationTimestamp: z.string().max(64).nullable().describe('Set by Kubernetes.').optional(),
  deletionTimestamp: z.string().max(64).describe('Set by Kubernetes.').optional(),
  finalizers: z.array(z.string().max(253)).max(64).describe('What must happen before the object is gone.').optional(),
  labels: z.record(z.string(), z.string()).describe('Labels.').optional(),
  annotations: z.record(z.string(), z.string()).describe('Annotations.').optional(),
});

export const pipelineSchema = z.strictObject({
  apiVersion: z.literal(apiVersion).describe('Version of this resource.'),
  kind: z.literal(kind).describe('Kind of this resource.'),
  metadata: metadataSchema,
  spec: specSchema,
  status: statusSchema.optional(),
});

/** A pipeline with its defaults filled in: what Kubernetes returns. */
export type Pipeline = z.output<typeof pipelineSchema>;
/** A pipeline as a person writes it. */
export type PipelineInput = z.input<typeof pipelineSchema>;
export type PipelineSpec = Pipeline['spec'];
export type SourceSpec = PipelineSpec['sources'][number];
export type StepSpec = PipelineSpec['steps'][number];
export type SinkSpec = PipelineSpec['sinks'][number];
