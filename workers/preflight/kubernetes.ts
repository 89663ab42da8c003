/** What Millrace needs of Kubernetes: its version, the kind Pipeline, and the rights of a process. */
import { z } from 'zod';
import { ask } from '../../kubernetes/ask.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { servedResources } from '../../kubernetes/served.ts';
import { mr } from '../../model/errors.ts';
import { apiVersion, kind, plural } from '../../model/names.ts';
import type { ControlProcess, Right, Verb } from '../../model/rights.ts';
import type { Check } from './check.ts';

/** The oldest that is tested; the CRD uses rules that 1.29 does not have. */
const oldest = [1, 30] as const;

/** It is no object of Kubernetes. */
const versionSchema = z.looseObject({ kind: z.undefined().optional(), gitVersion: z.string() });
const reviewSchema = z.looseObject({
  kind: z.literal('SelfSubjectAccessReview'),
  status: z.looseObject({ allowed: z.boolean() }),
});

export function versionCheck(kube: Kube): Check {
  return {
    name: 'Kubernetes',
    async look(signal) {
      const request = { method: 'GET', path: '/version', what: 'ask for the version', signal } as const;
      const { gitVersion } = await ask(kube.transport, request, versionSchema, () => true);
      const [, major = 0, minor = 0] = /^v?(\d+)\.(\d+)/.exec(gitVersion)?.map(Number) ?? [];
      const isOld = major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
      if (isOld) throw mr('MR_KUBERNETES_TOO_OLD', { found: gitVersion, needed: oldest.join('.') });
      return `${gitVersion} at ${kube.server}`;
    },
  };
}

export function kindCheck(kube: Kube): Check {
  return {
    name: `kind ${kind}`,
    async look(signal) {
      const served = await servedResources(kube.transport, apiVersion, signal);
      for (const needed of [plural, `${plural}/status`])
        if (!served.includes(needed)) throw mr('MR_KIND_MISSING', { kind, apiVersion });
      return apiVersion;
    },
  };
}

/** `namespace`: where Millrace is installed. */
export function rightsCheck(kube: Kube, process: ControlProcess, needed: readonly Right[], namespace: string): Check {
  return {
    name: 'rights',
    async look(signal) {
      const { onlyIn } = kube.transport;
      const acts = needed.flatMap((right) =>
        placesOf(right, namespace, onlyIn).flatMap((place) =>
          right.resources.flatMap((resource) =>
            right.verbs.map((verb) => ({ right, resource, verb, namespace: place })),
          ),
        ),
      );
      const missing: Error[] = [];
      // In turn: fifty small requests; together they would meet the API server's limit.
      for (const act of acts) {
        if (await mayDo(kube, act, signal)) continue;
        const { right, resource, verb } = act;
        const where = act.namespace === undefined ? '' : ` in namespace ${act.namespace}`;
        const what = `${resource}${right.group === '' ? '' : `.${right.group}`}`;
        missing.push(mr('MR_RIGHT_MISSING', { process, verb, resource: what, where, why: right.why }));
      }
      if (missing.length > 0) throw new AggregateError(missing);
      return `all ${acts.length} of the ${process}`;
    },
  };
}

interface Act {
  readonly right: Right;
  /** `pipelines/status`. */
  readonly resource: string;
  readonly verb: Verb;
  /** Undefined: in all of them, or it has none. */
  readonly namespace: string | undefined;
}

function placesOf(
  { where }: Right,
  own: string,
  onlyIn: readonly string[] | undefined,
): readonly (string | undefined)[] {
  if (where === 'own') return [own];
  return where === 'pipelines' && onlyIn !== undefined ? onlyIn : [undefined];
}

async function mayDo(kube: Kube, { right, resource, verb, namespace }: Act, signal: AbortSignal): Promise<boolean> {
  const [name = '', subresource] = resource.split('/');
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        ...(namespace === undefined ? {} : { namespace }),
        ...{ group: right.group, resource: name, verb },
        ...(subresource === undefined ? {} : { subresource }),
      },
    },
  };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const request = { method: 'POST', path, body, what: 'ask what is allowed', signal } as const;
  return (await ask(kube.transport, request, reviewSchema, () => true)).status.allowed;
}
