/** The schema of a status: it becomes the CRD's. The types are those of `model/status.ts`, and the compiler compares them. */
import { z } from 'zod';
import { conditionTypes } from '../model/conditions.ts';
import { mergedByName } from '../schema/fields.ts';
import {
  phases,
  type Condition,
  type DecisionStatus,
  type OperationStatus,
  type PipelineStatus,
  type PlanInForceStatus,
  type StageStatus,
  type StreamStatus,
} from '../model/status.ts';

const text = (max: number, description: string) => z.string().max(max).describe(description);
const count = (description: string) => z.int().min(0).describe(description);
const moment = (description: string) =>
  z.string().max(40).describe(`${description} RFC 3339.`).meta({ format: 'date-time' });

const conditionSchema = z
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

const planInForce = z
  .object({
    generation: count('Generation of the spec.'),
    from: z
      .array(
        z
          .object({
            writer: text(64, 'A slot of a source, such as orders-3.').min(1),
            sequence: count('Number of its first frame under this plan, in the stream of the edge.'),
          })
          .describe('One writer.'),
      )
      .max(64)
      .describe('The frame of each writer from which on the plan holds: the first 64 writers.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['writer'] }),
  })
  .describe('The plan by which records are processed now.') satisfies z.ZodType<PlanInForceStatus>;

const streamStatus = z
  .object({
    name: text(128, 'Name in JetStream.').min(1),
    created: moment('When it was made: another time means another stream.'),
  })
  .describe('One stream.') satisfies z.ZodType<StreamStatus>;

const decisionStatus = z
  .object({
    text: text(256, 'The decision, as the annotation millrace.io/decision has it.'),
    at: moment('When it was looked at.'),
    problem: text(4096, 'Why it was not carried out. Absent when it was.').optional(),
  })
  .describe('What became of the decision that a person took last.') satisfies z.ZodType<DecisionStatus>;

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
    planInForce: planInForce.optional(),
    streams: z
      .array(streamStatus)
      .max(32)
      .describe(
        'The streams that hold what was read and how far it was written. One that is gone is not made again silently.',
      )
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    decision: decisionStatus.optional(),
    deadLetters: z
      .object({
        records: count('Dead letters that wait to be looked at.'),
        dropped: count(
          'Dead letters that were removed to make room for later ones (deadLetters.whenFull: DropOldest).',
        ).optional(),
      })
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
