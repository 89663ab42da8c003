/** Tokens of a pod's service account, as projected volumes carry them: bound to the pod, renewed at 80 % of their life. */
import { z } from 'zod';
import { ContainerFault } from './fault.ts';
import { isNotFound, type Kube } from './kube.ts';
import type { Pod } from './pod.ts';

const tokenRequest = z.object({ status: z.object({ token: z.string(), expirationTimestamp: z.string() }) });

export class PodTokens {
  readonly #kube: Kube;
  readonly #held = new Map<string, { readonly token: string; readonly renewAt: number }>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** When a token must be renewed; undefined when the pod has none. */
  get renewAt(): number | undefined {
    const times = [...this.#held.values()].map(({ renewAt }) => renewAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async token(pod: Pod, audience: string | undefined, expirationSeconds: number, now: number): Promise<string> {
    const key = `${audience ?? ''} ${expirationSeconds}`;
    const held = this.#held.get(key);
    if (held && held.renewAt > now) return held.token;
    const { name, namespace, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName;
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    try {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
      const { status } = tokenRequest.parse(await this.#kube.json({ method: 'POST', path, body }));
      const lifeMs = Date.parse(status.expirationTimestamp) - now;
      this.#held.set(key, { token: status.token, renewAt: now + lifeMs * 0.8 });
      return status.token;
    } catch (error) {
      if (isNotFound(error)) throw new ContainerFault('ContainerCreating', `serviceaccount "${account}" not found`);
      throw error;
    }
  }
}
