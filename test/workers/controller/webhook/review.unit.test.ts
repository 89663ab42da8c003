import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { z } from 'zod';
import {
  answerTo,
  parseReview,
  type AdmissionRequest,
  type Verdict,
} from '../../../../workers/controller/webhook/review.ts';

const review = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u',
    kind: { group: 'millrace.io', version: 'v1alpha1', kind: 'Pipeline' },
    operation: 'CREATE',
    namespace: 'shop',
    object: { metadata: { name: 'orders' } },
  },
};
const answerSchema = z.looseObject({
  response: z.looseObject({
    uid: z.string(),
    allowed: z.boolean(),
    warnings: z.array(z.string()).optional(),
    status: z
      .looseObject({
        code: z.number(),
        message: z.string(),
        details: z.looseObject({ causes: z.array(z.looseObject({ field: z.string(), message: z.string() })) }),
      })
      .optional(),
  }),
});

function read(): AdmissionRequest {
  const parsed = parseReview(JSON.stringify(review));
  ok(parsed);
  return parsed;
}

const answer = (verdict: Partial<Verdict>) =>
  answerSchema.parse(answerTo(read(), { problems: [], warnings: [], ...verdict })).response;
const problem = (i: number) => ({ field: `spec.steps[${i}]`, message: `spec.steps[${i}]: is wrong.` });

describe('a review of the API server', () => {
  it('is answered under its uid, allowed without a status', () => {
    deepEqual(answer({}), { uid: 'u', allowed: true });
  });

  it('is refused with the first few problems, each with its field, and how many more there are', () => {
    const { allowed, status } = answer({ problems: [0, 1, 2, 3, 4, 5, 6].map(problem) });
    equal(allowed, false);
    equal(status?.code, 422);
    match(status.message, /^spec\.steps\[0\]: is wrong\. spec\.steps\[1\]: .* And 2 more\.$/);
    deepEqual(status.details.causes[1], { reason: 'FieldValueInvalid', field: 'spec.steps[1]', message: 'is wrong.' });
    equal(status.details.causes.length, 5);
  });

  it('keeps a sentence whole that does not begin with its field', () => {
    const message = 'spec.sinks[0] must name exactly one of a, b.';
    equal(answer({ problems: [{ field: 'spec.sinks[0]', message }] }).status?.details.causes[0]?.message, message);
  });

  it('sends warnings that fit into a header', () => {
    const { warnings = [] } = answer({ warnings: [`a\n  b`, 'c'.repeat(400), ...Array<string>(40).fill('d')] });
    equal(warnings[0], 'a b');
    equal(warnings[1]?.length, 250);
    equal(warnings.length, 15);
  });

  for (const [what, text] of [
    ['text that is no JSON', '{'],
    ['another version', JSON.stringify({ ...review, apiVersion: 'admission.k8s.io/v1beta1' })],
    ['an answer', JSON.stringify({ ...review, request: undefined })],
    ['an object without metadata', JSON.stringify({ ...review, request: { ...review.request, object: {} } })],
  ] as const)
    it(`is not ${what}`, () => equal(parseReview(text), undefined));
});
