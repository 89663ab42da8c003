/**
 * Who asks, what they may do, and Kubernetes in their name: what the API needs to know of `kubernetes` and `oidc`.
 *
 * N1  A token is never kept, logged or put into a message: what is remembered has its digest.
 * N2  What cannot be found out is MR_IDENTITY_UNKNOWN (503), never a yes. Why is in the log only: it may be a stranger who asks.
 */
import { createHash } from 'node:crypto';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { Caller } from '../../../model/caller.ts';
import type { At, Need } from './needs.ts';

export interface Authenticator {
  /** True: a token is looked at here, which makes nobody else busy. Default false. */
  readonly asksNobody?: boolean;
  /** Throws MR_NOT_AUTHENTICATED, MR_IDENTITY_UNKNOWN. */
  authenticate(token: string): Promise<Caller>;
}

export interface Identity extends Authenticator {
  /**
   * Throws MR_CALLER_FORBIDDEN, MR_IDENTITY_UNKNOWN. `charge` is called before Kubernetes is asked, and for a no; what it throws
   * ends it.
   */
  authorise(caller: Caller, need: Need, at: At, charge?: () => void): Promise<void>;
  /** Everything that is asked of it is asked in the caller's name. */
  kubeOf(caller: Caller): Kube;
}

/** N2, of Kubernetes. */
export const silence = 'Kubernetes does not say';

/** N1. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
