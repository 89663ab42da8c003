/** Reads a pipeline from a request body: YAML or JSON, the whole resource or its spec, checked by the common lint. */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { decisionSchema, type Decision, type Issue } from '../../client/wire.ts';
import { encodingOf, encodings, inflateBody, InflatedTooLarge } from '../../connectors/http/inflate.ts';
import { decisionChoices } from '../../model/decision.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { faultIn } from '../../crds/document-fault.ts';
import { documentText, placeAfter } from '../../crds/document-text.ts';
import { sentenceOf, unusableAlias } from '../../crds/yaml-places.ts';
import { boundsFault } from '../../crds/text-bounds.ts';
import { jsonFault } from '../../crds/json-text.ts';
import { lint, type LintIssue } from '../../crds/lint.ts';
import { apiVersion, kind } from '../../model/names.ts';
import { cut } from '../../model/text.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { Refused } from './problem.ts';

export const maxBodyBytes = 1024 * 1024;
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

/** The decision in a body. Throws {@link Refused}. */
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

/** Decompresses a body and decodes its text. */
export async function bodyText(bytes: Uint8Array, headers: BodyHeaders): Promise<string> {
  const plain = await inflated(bytes, headers['content-encoding']);
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  const read = documentText(plain);
  // Bytes that claim to be UTF-8 and are not are refused with their place; another charset with the ones that are
  // accepted.
  if (!utf8Names.has(charset.toLowerCase())) {
    throw notTaken(`in the character set ${JSON.stringify(cut(charset, 40))}`, ['utf-8']);
  }
  if (read.is === 'text') return read.text;
  throw mr('MR_REQUEST_INVALID', { where: `body:${read.line}:${read.column}`, problem: read.problem });
}

export interface BodyHeaders {
  readonly 'content-type'?: string | undefined;
  readonly 'content-encoding'?: string | undefined;
}

/** ASCII is a part of UTF-8. */
const utf8Names: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

async function inflated(bytes: Uint8Array, header: string | undefined): Promise<Uint8Array> {
  const encoding = encodingOf(header);
  if (encoding === undefined) return bytes;
  if (encoding === null) throw notTaken(`encoded as ${JSON.stringify(cut(header ?? '', 40))}`, encodings);
  try {
    return await inflateBody(bytes, encoding, maxBodyBytes);
  } catch (error) {
    if (error instanceof InflatedTooLarge) throw mr('MR_BODY_TOO_LARGE', { limit: maxBodyBytes }, { cause: error });
    const problem = `it is not ${encoding}, as its Content-Encoding says`;
    throw mr('MR_REQUEST_INVALID', { where: 'body', problem }, { cause: error });
  }
}

function notTaken(actual: string, taken: readonly string[]): MillraceError {
  return mr('MR_MEDIA_TYPE', { actual, types: taken.join(', ') });
}

/**
 * A body that is declared as JSON is checked as JSON, then read by the YAML parser like any other. No message repeats
 * the text, which may hold a secret.
 */
export function parseText(text: string, mediaType: string): unknown {
  if (mediaType === 'application/json') {
    const fault = jsonFault(text);
    if (fault) throw unreadable(fault.at, text, fault.problem, fault.cause);
  }
  const tooMuch = boundsFault(text);
  if (tooMuch) throw unreadable(tooMuch.at, text, tooMuch.problem);
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false });
  const [error] = document.errors;
  if (error) throw unreadable(error.pos[0], text, sentenceOf(error));
  const hidden = faultIn(document);
  if (hidden) throw unreadable(hidden.at, text, sentenceOf(hidden));
  try {
    return document.toJS();
  } catch (aliasError) {
    throw unreadable(0, text, unusableAlias, aliasError);
  }
}

function unreadable(at: number, text: string, problem: string, cause?: unknown): MillraceError {
  const { line, column } = placeAfter(text.slice(0, at));
  return mr('MR_REQUEST_INVALID', { where: `body:${line}:${column}`, problem }, { cause });
}

/** Fills in name and namespace from the path; if the body has them, they must agree. */
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
