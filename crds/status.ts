/** The schema of a status: it becomes the CRD's. The types are those of `model/status.ts`, and the compiler compares them. */
import { z } from 'zod';
import { conditionTypes } from '../model/conditions.ts';
import { mergedByName } from '../schema/fields.ts';
import {
  phases,
  type Condition,
  type OperationStatus,
  type PipelineStatus,
  type StageStatus,
} from '../model/status.ts';

const text = (max: number, description: string) => z.string().max(max).describe(description);
const count = (description: string) => z.int().min(0).describe(description);
const moment = (description: string) =>
  z.string().max(40).describe(`${description} RFC 3339.`).meta({ format: 'date-time' });

export const conditionSchema = z
  .object({
    type: text(64, `What the condition is about: ${conditionTypes.join(', ')}.`).min(1),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    observedGeneration: count('Generation of the spec that this condition speaks about.').optional(),
    reason: text(128, 'Why, as one word for programs.').min(1),
    message: text(32768, 'Why, as a sentence for people.'),
    lastTransitionTime: moment('When `status` changed last.'),
  })
  .describe('One claim about the pipeline.') satisfies z.ZodType<Condition>;

const stageStatus = z
  .object({
    name: text(64, 'Name of the stage, such as ingestor-orders.').min(1),
    // Defaults, because the two numbers have different writers and either may come first.
    replicas: count('Pods that are wanted.').default(0),
    ready: count('Pods that are ready now.').default(0),
  })
  .describe('One stage of the plan.') satisfies z.ZodType<StageStatus>;

const operationStatus = z
  .object({
    id: text(1024, 'Temporal workflow id of the operation.'),
    type: text(64, 'What it does: provision, reconfigure, repair, pause, stop, resume or teardown.'),
    step: text(256, 'The step it is at.'),
    startedAt: moment('When it began.'),
    attempt: count('Attempt of the current step, when it is being retried.').optional(),
    lastError: text(4096, 'Why the last attempt of the step failed.').optional(),
  })
  .describe('The change that is being carried out. Absent when there is none.') satisfies z.ZodType<OperationStatus>;

export const statusSchema = z
  .object({
    observedGeneration: count('Last generation of the spec that was carried out or refused.').optional(),
    acceptedGeneration: count('Last generation of the spec that was found valid.').optional(),
    phase: z.enum(phases).describe('One word for people. Programs read `conditions`.').optional(),
    revision: text(253, 'Name of the ControllerRevision that holds the spec in force.').optional(),
    conditions: z
      .array(conditionSchema)
      .max(32)
      .describe('Claims about the pipeline, one for each type.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
      .optional(),
    stages: z.array(stageStatus).max(64).describe('Stages of the plan and their pods.').meta(mergedByName).optional(),
    operation: operationStatus.optional(),
    deadLetters: z
      .object({ records: count('Dead letters that wait to be looked at.') })
      .describe('Records that could not be processed.')
      .optional(),
    workflow: z
      .object({
        id: text(1024, 'Workflow id.'),
        runId: text(128, 'Run id.').optional(),
        url: text(2048, 'Where to look at it in Temporal UI.').optional(),
      })
      .describe('The Temporal workflow that looks after the pipeline.')
      .optional(),
    opSeq: count('Sequence of the last operation.').optional(),
  })
  .describe('What is. Written by Millrace.') satisfies z.ZodType<PipelineStatus>;
