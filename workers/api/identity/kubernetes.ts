/** Callers whose tokens Kubernetes knows: of ServiceAccounts, of its own OIDC, of any authenticator that it has. */
import { KubeError } from '../../../kubernetes/kube-error.ts';
import { reviewToken } from '../../../kubernetes/reviews.ts';
import type { KubeTransport } from '../../../kubernetes/transport.ts';
import { callerFault, type Caller } from '../../../model/caller.ts';
import { mr } from '../../../model/errors.ts';
import { digestOf, silence, type Authenticator } from './identity.ts';
import { Remembered, type Now } from './remembered.ts';

/** A token that is taken back is refused within this time. */
export const reviewedForMs = 10_000;

export interface KubernetesCallersOptions {
  readonly transport: KubeTransport;
  /** A token must be for one of these. Empty: for the API server of Kubernetes. */
  readonly audiences: readonly string[];
  readonly now: Now;
}

export function kubernetesCallers({ transport, audiences, now }: KubernetesCallersOptions): Authenticator {
  const reviews = new Remembered<{ readonly caller: Caller | undefined }>({ ttlOf: () => reviewedForMs, now });
  return {
    async authenticate(token) {
      const { caller } = await reviews.get(digestOf(token), () => review(token));
      const fault = caller && callerFault(caller);
      if (caller !== undefined && fault === undefined) return caller;
      const why = fault === undefined ? 'that Kubernetes does not know' : `of ${fault}`;
      const whom = audiences.length === 0 ? '' : `, or that is not for ${audiences.join(' or ')}`;
      throw mr('MR_NOT_AUTHENTICATED', { problem: `a token ${why}${whom}` });
    },
  };

  async function review(token: string) {
    try {
      return { caller: await reviewToken(transport, token, audiences) };
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const said = { question: 'who asks', problem: silence, who: 'Kubernetes' };
      throw mr('MR_IDENTITY_UNKNOWN', said, { cause: error });
    }
  }
}
