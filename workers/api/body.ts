/** Reads a pipeline from a request body: YAML or JSON text, whole or only its spec; checked by the same lint as everywhere. */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { decisionSchema, type Decision, type Issue } from '../../client/wire.ts';
import { decisionChoices } from '../../model/decision.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { sentenceOf, unusableAlias } from '../../crds/yaml-places.ts';
import { jsonFault } from '../../crds/json-text.ts';
import { lint, type LintIssue } from '../../crds/lint.ts';
import { apiVersion, kind } from '../../model/names.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { Refused } from './problem.ts';

export const textTypes = ['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml', 'text/plain'];

const draft = z.looseObject({ metadata: z.looseObject({}).optional() });

/** The pipeline that the body describes; throws {@link Refused} with every error that lint finds. */
export function readPipelineBody(body: unknown, at: { namespace: string; name: string }): PipelineInput {
  const value = complete(body, at);
  const errors = lint(value).filter((issue) => issue.severity === 'error');
  const [first] = errors;
  if (first) {
    const count = errors.length === 1 ? '1 error' : `${errors.length} errors, the first of which is`;
    const refused = mr('MR_SPEC_REFUSED', { name: at.name, errors: count, problem: first.message });
    throw new Refused(refused, errors.map(issueOf));
  }
  return input.parse(value);
}

/** What a person has decided. */
export function readDecisionBody(body: unknown): Decision {
  const decision = decisionSchema.strict().safeParse(body);
  if (decision.success) return decision.data;
  const problem = `it must be an object with \`token\`, a text, and \`choice\`, one of ${decisionChoices.join(', ')}`;
  throw mr('MR_REQUEST_INVALID', { where: 'body', problem });
}

export function issueOf({ path, ...issue }: LintIssue): Issue {
  return { pointer: path, ...issue };
}

/** Lint has checked it: this only tells the compiler. */
const input = z.custom<PipelineInput>((value) => typeof value === 'object' && value !== null);

/**
 * JSON is read as the YAML that it is, after it has been checked as what it says it is. No message repeats the text, which
 * may hold a secret.
 */
export function parseText(text: string, mediaType: string): unknown {
  if (mediaType === 'application/json') {
    const fault = jsonFault(text);
    if (fault) throw unreadable(fault.at, text, fault.problem, fault.cause);
  }
  const document = parseDocument(text, { uniqueKeys: true });
  const [error] = document.errors;
  if (error) throw unreadable(error.pos[0], text, sentenceOf(error));
  try {
    return document.toJS();
  } catch (aliasError) {
    throw unreadable(0, text, unusableAlias, aliasError);
  }
}

function unreadable(at: number, text: string, problem: string, cause?: unknown): MillraceError {
  const before = text.slice(0, at).split('\n');
  const where = `body:${before.length}:${(before.at(-1) ?? '').length + 1}`;
  return mr('MR_REQUEST_INVALID', { where, problem }, { cause });
}

/** The path names the pipeline: what the body leaves out is taken from it, what the body says must agree with it. */
function complete(body: unknown, at: { namespace: string; name: string }): unknown {
  const parsed = draft.safeParse(body);
  if (!parsed.success) throw mr('MR_REQUEST_INVALID', { where: 'body', problem: 'it must be an object with `spec`' });
  const { metadata = {}, ...rest } = parsed.data;
  for (const field of ['namespace', 'name'] as const) {
    const said = metadata[field];
    if (said !== undefined && said !== at[field]) {
      throw mr('MR_REQUEST_INVALID', {
        where: `/metadata/${field}`,
        problem: `must be "${at[field]}" as in the path, but is ${JSON.stringify(said)}`,
      });
    }
  }
  const { labels, annotations } = metadata;
  return {
    apiVersion,
    kind,
    ...rest,
    metadata: {
      ...at,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}
