/** The API server's question and the answer to it: AdmissionReview of admission.k8s.io/v1. */
import { z } from 'zod';
import { objectSchema } from '../../../kubernetes/objects.ts';
import { jsonOrNothing } from '../../../model/json-or-nothing.ts';
import { group, kind } from '../../../model/names.ts';
import { cut } from '../../../model/text.ts';

const reviewVersion = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' } as const;

const requestSchema = z.looseObject({
  uid: z.string().min(1),
  kind: z.looseObject({ group: z.string(), kind: z.string() }),
  subResource: z.string().default(''),
  operation: z.string(),
  namespace: z.string().default(''),
  object: objectSchema.nullish(),
  oldObject: objectSchema.nullish(),
});
const reviewSchema = z.looseObject({
  apiVersion: z.literal(reviewVersion.apiVersion),
  kind: z.literal(reviewVersion.kind),
  request: requestSchema,
});

export type AdmissionRequest = z.output<typeof requestSchema>;

/** One thing for which a pipeline is refused. */
export interface Problem {
  /** `spec.sinks[0].when`. */
  readonly field: string;
  /** A sentence that names the field. */
  readonly message: string;
}

/** Refused when it has problems. */
export interface Verdict {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** Undefined: it is no review. */
export function parseReview(text: string): AdmissionRequest | undefined {
  const parsed = reviewSchema.safeParse(jsonOrNothing(text));
  return parsed.success ? parsed.data.request : undefined;
}

/** People correct one after the other, and what is behind the first few often goes with them. */
const problemsShown = 5;
/** The API server shows 256 characters of each warning, and 4096 of all together. */
const longestWarning = 250;
const warningsShown = 15;

export function answerTo({ uid, object }: AdmissionRequest, { problems, warnings }: Verdict): object {
  const isAllowed = problems.length === 0;
  return {
    ...reviewVersion,
    response: {
      uid,
      allowed: isAllowed,
      ...(isAllowed ? {} : { status: refusal(problems, object?.metadata.name ?? '') }),
      ...(warnings.length === 0 ? {} : { warnings: warnings.slice(0, warningsShown).map(headerText) }),
    },
  };
}

/** As the API server itself refuses what the CRD does not allow: kubectl then lists the causes, each with its field. */
function refusal(problems: readonly Problem[], name: string): object {
  const shown = problems.slice(0, problemsShown);
  const more = problems.length - shown.length;
  return {
    code: 422,
    reason: 'Invalid',
    message: [...shown.map(({ message }) => message), ...(more > 0 ? [`And ${more} more.`] : [])].join(' '),
    details: {
      ...{ name, group, kind },
      causes: shown.map(({ field, message }) => ({
        ...{ reason: 'FieldValueInvalid', field },
        // kubectl puts the field before it.
        message: message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message,
      })),
    },
  };
}

/** A warning is sent in a header, which has no line breaks. */
function headerText(warning: string): string {
  return cut(warning.replaceAll(/\s+/g, ' '), longestWarning);
}
