/**
 * What goes over the wire between the API and those who call it. The API answers by these schemas, OpenAPI is made of
 * them, and the client reads with them.
 */
import { z } from 'zod';
import { decisionChoices } from '../model/decision.ts';
import { apiVersion, kind } from '../model/names.ts';
import type { PipelineStatus } from '../model/status.ts';
import type { Stored } from '../model/stored-pipeline.ts';
import { visible } from '../model/text.ts';
import type { PipelineSpec } from '../crds/pipeline.ts';

const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  generation: z.int().optional(),
  resourceVersion: z.string().optional(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

/**
 * A pipeline as it is stored. The API server has checked spec and status against the CRD, which is made of their schemas;
 * checking again here would make a resource unreadable whose schema is newer than this program.
 */
export const storedPipeline = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  metadata,
  spec: z.custom<PipelineSpec>((value) => typeof value === 'object' && value !== null),
  status: z.custom<PipelineStatus>((value) => typeof value === 'object' && value !== null).optional(),
});

/** A pipeline with its defaults and its status. */
export type StoredPipeline = Stored<PipelineSpec>;

export const storedPipelines = z.object({
  items: z.array(storedPipeline),
  continue: z.string().optional(),
});

const operationStates = ['Accepted', 'Running', 'Succeeded', 'Failed', 'Cancelled'] as const;

export const operationSchema = z
  .object({
    id: z.string().describe('Id of the operation: the Temporal workflow id once there is one.'),
    kind: z
      .string()
      .nullable()
      .describe('provision, reconfigure, repair, pause, stop, resume or teardown; null until it is planned.'),
    state: z
      .enum(operationStates)
      .describe('Accepted: stored, not planned yet. Then Running, and in the end Succeeded, Failed or Cancelled.'),
    generation: z.int().describe('Generation of the spec that it carries out.'),
    step: z.string().optional().describe('The step it is at.'),
    attempt: z.int().optional().describe('Attempt of the step, when it is being retried.'),
    message: z.string().optional().describe('Why the last attempt failed, or how it ended.'),
    startedAt: z.string().optional().describe('When it began.'),
    finishedAt: z.string().optional().describe('When it ended.'),
    href: z.string().describe('Where to ask again.'),
    url: z.string().optional().describe('Where to look at it in Temporal UI.'),
  })
  .describe('One change of a pipeline.');

export const changeSchema = z
  .object({
    operation: operationSchema.nullable().describe('The change; null: the request changed nothing.'),
    generation: z.int().describe('Generation of the spec after the request.'),
  })
  .describe('A change that is stored and will be carried out, whatever crashes.');

export const dryRunSchema = z
  .object({
    effect: z.enum(['created', 'configured', 'unchanged']).describe('What would become of it.'),
    changes: z.array(z.string()).describe('What would change and what that takes, in sentences; no value is in them.'),
  })
  .describe('What a request would change, of which nothing is stored.');

export const decisionSchema = z
  .object({
    token: z.string().describe('From the message that asks, such as records.1.'),
    choice: z
      .enum(decisionChoices)
      .describe(
        'accept-loss: go on with what comes next, and give up what is missing. reread: read all that is there again. With either a source whose frames are gone is read again from what is left.',
      ),
  })
  .describe('How to go on after a loss.');

export const decidedSchema = z
  .object({
    decision: z.string().describe('As the annotation millrace.io/decision and `status.decision.text` have it.'),
    state: z
      .enum(['Accepted', 'CarriedOut'])
      .describe('Accepted: stored, not looked at yet; `status.decision` says what became of it.'),
  })
  .describe('A decision that is stored and will be carried out, whatever crashes.');

const issueSchema = z
  .object({
    pointer: z.string().describe('JSON pointer to the field.'),
    message: z.string().describe('What is wrong.'),
    severity: z.enum(['error', 'warning']).describe('An error is refused, a warning is not.'),
    code: z.string().describe('Row of the error table.'),
    suggestion: z.string().optional().describe('What was probably meant, or what to do.'),
    line: z.int().optional().describe('Line of the text, from 1.'),
    column: z.int().optional().describe('Column of the text, from 1.'),
    endColumn: z.int().optional().describe('Column after the last character, when the place is within one line.'),
  })
  .describe('One thing that is wrong.');

export const lintReportSchema = z
  .object({
    valid: z.boolean().describe('False: it would be refused.'),
    issues: z.array(issueSchema).describe('What is wrong.'),
  })
  .describe('What lint says.');

export const problemSchema = z
  .object({
    type: z.string().describe('Where the error is documented, relative to the API.'),
    title: z.string().describe('What kind of error it is; the same for every occurrence.'),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('What happened and what to do.'),
    instance: z.string().describe('Id of the request; the log of the API names it.'),
    code: z.string().describe('Row of the error table, for programs.'),
    retryable: z.boolean().describe('True: the same request may succeed later.'),
    errors: z.array(issueSchema).optional().describe('Each thing that is wrong, when there may be several.'),
  })
  .describe('What went wrong: RFC 9457.');

/** Of an API that is not trusted yet, for the terminal of who logs in. */
const shownText = z
  .string()
  .refine((text) => visible(text) === text, 'must have no control characters, and none that cannot be seen');

export const authSchema = z
  .object({
    mode: z
      .enum(['none', 'token', 'kubernetes', 'oidc'])
      .describe(
        'none: it asks nobody. token: for its own. kubernetes: for one that Kubernetes knows. oidc: for one of an issuer.',
      ),
    audiences: z.array(shownText).optional().describe('For whom a token must be made: one of these.'),
    issuer: shownText.optional().describe('Of oidc.'),
    clientId: shownText.optional().describe('Of oidc: a public client with the device flow.'),
    scopes: shownText.optional().describe('Of oidc: what to ask the issuer for.'),
  })
  .describe('How callers show who they are.');

export type AuthInfo = z.output<typeof authSchema>;
export type Operation = z.output<typeof operationSchema>;
export type Change = z.output<typeof changeSchema>;
export type Decision = z.output<typeof decisionSchema>;
export type Decided = z.output<typeof decidedSchema>;
export type Issue = z.output<typeof issueSchema>;
export type LintReport = z.output<typeof lintReportSchema>;
export type Problem = z.output<typeof problemSchema>;
