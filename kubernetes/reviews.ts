/**
 * What Kubernetes knows about others: whose a token is (TokenReview), and what somebody may do (SubjectAccessReview).
 *
 * R1  Only a clear yes is one. What cannot be asked, or has no clear answer, is a KubeError: the caller is neither let in nor
 *     told that nothing is allowed.
 * R2  A token that was made for somebody else is nobody's: where audiences are asked for, the answer must name one of them.
 */
import { z } from 'zod';
import type { Caller } from '../model/caller.ts';
import { ask } from './ask.ts';
import type { KubeTransport } from './transport.ts';

/** What somebody wants to do: with objects, or with a path that is none of Kubernetes' own (`/metrics`). */
export type Act =
  | {
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource?: string | undefined;
      /** Undefined: all namespaces. */
      readonly namespace?: string | undefined;
      /** Undefined: all of them. */
      readonly name?: string | undefined;
    }
  | { readonly verb: string; readonly path: string };

const words = z.array(z.string()).nullish();
const tokenReview = z.looseObject({
  kind: z.literal('TokenReview'),
  status: z.looseObject({
    authenticated: z.boolean().default(false),
    audiences: words,
    user: z
      .looseObject({
        username: z.string().default(''),
        uid: z.string().default(''),
        groups: words,
        extra: z.record(z.string(), z.array(z.string())).nullish(),
      })
      .optional(),
  }),
});
const accessReview = z.looseObject({
  kind: z.literal('SubjectAccessReview'),
  status: z.looseObject({ allowed: z.boolean(), denied: z.boolean().nullish() }),
});

/** Undefined: Kubernetes knows nobody with this token. `audiences` empty: it must be one for the API server. Throws KubeError. */
export async function reviewToken(
  transport: KubeTransport,
  token: string,
  audiences: readonly string[],
): Promise<Caller | undefined> {
  const spec = { token, ...(audiences.length === 0 ? {} : { audiences }) };
  const { status } = await ask(
    transport,
    reviewOf('authentication.k8s.io', 'TokenReview', spec),
    tokenReview,
    () => true,
  );
  const { authenticated, user } = status;
  if (!authenticated || user === undefined) return undefined;
  // R2. An API server that knows no audiences names none.
  const isForUs = audiences.length === 0 || audiences.some((one) => status.audiences?.includes(one));
  if (!isForUs) return undefined;
  const { username, uid, groups, extra } = user;
  return { name: username, ...(uid === '' ? {} : { uid }), groups: groups ?? [], extra: extra ?? {} };
}

/** Throws KubeError. */
export async function reviewAccess(transport: KubeTransport, caller: Caller, act: Act): Promise<boolean> {
  const { name: user, uid, groups, extra } = caller;
  const attributes = 'path' in act ? { nonResourceAttributes: act } : { resourceAttributes: act };
  const spec = { user, uid, groups, extra, ...attributes };
  const request = reviewOf('authorization.k8s.io', 'SubjectAccessReview', spec);
  const { allowed, denied } = (await ask(transport, request, accessReview, () => true)).status;
  return allowed && denied !== true;
}

function reviewOf(group: string, kind: 'TokenReview' | 'SubjectAccessReview', spec: object) {
  return {
    method: 'POST',
    path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
    body: { apiVersion: `${group}/v1`, kind, spec },
    what: `create ${kind}`,
  } as const;
}
