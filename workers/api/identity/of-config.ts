/** The identity that the environment asks for. Undefined: callers are not told apart. */
import { inTheNameOf } from '../../../kubernetes/impersonated.ts';
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import type { AuthConfig } from '../config.ts';
import { authoriser } from './authorise.ts';
import type { Authenticator, Identity } from './identity.ts';
import { kubernetesCallers } from './kubernetes.ts';
import { oidcCallers } from './oidc.ts';

const clocks = { now: () => performance.now(), wallClock: Date.now };

/** `kube`: in the API's own name. */
export function identityOf(auth: AuthConfig, kube: Kube): Identity | undefined {
  if (auth.mode === 'none' || auth.mode === 'token') return undefined;
  const { transport } = kube;
  return {
    ...authenticatorOf(auth, kube),
    authorise: authoriser({ transport, roles: auth.roles, now: clocks.now }),
    kubeOf: (caller) => createKube(inTheNameOf(caller, transport, auth.extraKeys)),
  };
}

type Asking = Extract<AuthConfig, { readonly mode: 'kubernetes' | 'oidc' }>;

function authenticatorOf(auth: Asking, { transport }: Kube): Authenticator {
  return auth.mode === 'oidc'
    ? oidcCallers({ ...auth.oidc, ...clocks })
    : kubernetesCallers({ transport, audiences: auth.audiences, now: clocks.now });
}
