/**
 * What each process of the control plane may do in Kubernetes, and why: the one list from which the chart's roles are
 * generated, under which the local stack runs, and which `kubectl auth can-i` can be asked about.
 *
 * A1  Verbs and resources are enumerated: no wildcard, and no verb that the code does not use.
 * A2  Server-side apply needs `patch`, and `create` where the object may not exist. Nothing uses `update`.
 * A3  Kubernetes cannot restrict `list`, `watch` and `create` to names, and knows no right to metadata alone: so whoever
 *     follows the versions of Secrets could read them. No process reads a value but for the keys that a spec names.
 * A4  Where Millrace keeps to some namespaces, `pipelines` is these, and of what has no namespace only `get` is left: it makes
 *     no namespace for a pipeline, and looks for none (`kubernetes/confined.ts`).
 */
import { group, plural } from './names.ts';

/** The processes that speak to the Kubernetes API. Worker pods do not. `uninstall`: the chart's hook. */
export const controlProcesses = ['controller', 'lifecycle', 'api', 'uninstall'] as const;
export type ControlProcess = (typeof controlProcesses)[number];

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete' | Impersonation;
type Impersonation = 'impersonate' | `impersonate:${ImpersonatedKind}` | `impersonate-on:${ImpersonatedKind}:${string}`;
type ImpersonatedKind = 'user-info' | 'serviceaccount';

/** `cluster`: objects that have no namespace. `pipelines`: where pipelines and their pods are. `own`: where Millrace is. */
const rightPlaces = ['cluster', 'pipelines', 'own'] as const;
export type RightPlace = (typeof rightPlaces)[number];

export interface Right {
  readonly where: RightPlace;
  /** Empty: the core group. */
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly Verb[];
  /** For whoever reviews the roles. */
  readonly why: string;
}

const read = ['get', 'list'] as const;
const follow = ['get', 'list', 'watch'] as const;
const own = ['get', 'list', 'create', 'patch', 'delete'] as const;

const right = (where: RightPlace, at: string, resources: string, verbs: readonly Verb[], why: string): Right => ({
  ...{ where, group: at, resources: resources.split(', '), verbs, why },
});
const event = right('pipelines', 'events.k8s.io', 'events', ['create'], 'Events about pipelines');

export const rights: Readonly<Record<ControlProcess, readonly Right[]>> = {
  controller: [
    right('cluster', '', 'namespaces', read, 'the identity of the cluster; namespaces whose pipeline is gone'),
    right('pipelines', group, plural, [...follow, 'patch'], 'to notice what people ask for; the finalizer'),
    right('pipelines', group, `${plural}/status`, ['patch'], 'conditions about data'),
    right('pipelines', 'apps', 'deployments', follow, 'to notice what differs from how it was left'),
    right(
      'pipelines',
      '',
      'secrets, configmaps',
      follow,
      'versions of what specs refer to; copies that are out of date',
    ),
    right('pipelines', '', 'pods', ['list'], 'why a stage has no running pod'),
    right('pipelines', '', 'services, serviceaccounts', read, 'what is left of pipelines that are gone'),
    right('pipelines', 'networking.k8s.io', 'networkpolicies', read, 'what is left of pipelines that are gone'),
    right('pipelines', 'policy', 'poddisruptionbudgets', read, 'what is left of pipelines that are gone'),
    event,
    right('own', 'coordination.k8s.io', 'leases', ['get', 'create', 'patch'], 'one controller writes, the others wait'),
  ],
  lifecycle: [
    right('cluster', '', 'namespaces', own, 'the identity of the cluster; namespaces of pipelines'),
    right(
      'pipelines',
      group,
      plural,
      ['get', 'create', 'patch', 'delete'],
      'finalizers; pipelines that workflows start',
    ),
    right('pipelines', group, `${plural}/status`, ['patch'], 'phase, operation and conditions'),
    right('pipelines', 'apps', 'deployments', own, 'stages'),
    right('pipelines', 'apps', 'controllerrevisions', own, 'accepted specs'),
    right('pipelines', '', 'configmaps, secrets', own, 'plans; keys that specs refer to, and their copies'),
    right('pipelines', '', 'services, serviceaccounts', own, 'around the pods of stages'),
    right('pipelines', 'networking.k8s.io', 'networkpolicies', own, 'around the pods of stages'),
    right('pipelines', 'policy', 'poddisruptionbudgets', own, 'around the pods of stages'),
    right('pipelines', '', 'pods', ['list'], 'to wait until pods are ready or gone, and to say why they are not'),
    event,
  ],
  api: [
    right('pipelines', group, plural, own, 'what callers ask for'),
    right('pipelines', '', 'pods', ['list'], 'where a source takes records'),
  ],
  uninstall: [right('pipelines', group, plural, ['list', 'delete'], 'which pipelines there are, and Drain')],
};

/** How the API proves who its callers are, where it tells them apart. */
export const identityModes = ['kubernetes', 'oidc'] as const;
export type IdentityMode = (typeof identityModes)[number];

/**
 * How Kubernetes lets the API act in the name of others. `constrained`, from 1.36 on: only with pipelines, and never as
 * `system:masters`. `legacy`: with everything, so that whoever takes over the API may do whatever anybody may.
 */
export const impersonationModes = ['constrained', 'legacy'] as const;
export type ImpersonationMode = (typeof impersonationModes)[number];

const authentication = 'authentication.k8s.io';
const inWhoseName = 'to act in the name of callers';

/**
 * In place of those of `api`, where it knows its callers: it may do nothing with pipelines in its own name but look at where
 * their records go. All of it is cluster-wide, because callers are; but for `impersonate-on`, which is where pipelines are.
 */
export function identityRights(mode: IdentityMode, impersonation: ImpersonationMode): readonly Right[] {
  return [
    right('pipelines', group, plural, ['get'], 'where a source takes records'),
    right('pipelines', '', 'pods', ['list'], 'where a source takes records'),
    right('cluster', 'authorization.k8s.io', 'subjectaccessreviews', ['create'], 'what a caller may do'),
    ...(mode === 'kubernetes' ? [right('cluster', authentication, 'tokenreviews', ['create'], 'who a caller is')] : []),
    ...(impersonation === 'constrained' ? constrained : legacy),
  ];
}

const constrained: readonly Right[] = [
  right('cluster', authentication, 'users, groups, uids', ['impersonate:user-info'], inWhoseName),
  right('cluster', authentication, 'serviceaccounts', ['impersonate:serviceaccount'], inWhoseName),
  right('pipelines', group, plural, own.flatMap(onWhich), inWhoseName),
];

const legacy: readonly Right[] = [
  right('cluster', '', 'users, groups, serviceaccounts', ['impersonate'], inWhoseName),
  right('cluster', authentication, 'uids', ['impersonate'], inWhoseName),
];

function onWhich(verb: (typeof own)[number]): readonly Verb[] {
  return [`impersonate-on:user-info:${verb}`, `impersonate-on:serviceaccount:${verb}`];
}

/** What the controller needs for its webhook besides, each of one object only, which the chart names. */
export const webhookRights: readonly Right[] = [
  right('own', '', 'secrets', ['get', 'patch'], 'certificate and path of the webhook, which all controllers share'),
  right(
    'cluster',
    'admissionregistration.k8s.io',
    'validatingwebhookconfigurations',
    ['get', 'patch'],
    'where API servers ask, and whose certificates they believe',
  ),
];

/** A4. */
export const confinedRights: Readonly<Record<ControlProcess, readonly Right[]>> = {
  controller: rights.controller.map(confined),
  lifecycle: rights.lifecycle.map(confined),
  api: rights.api.map(confined),
  uninstall: rights.uninstall.map(confined),
};

function confined(one: Right): Right {
  return one.where === 'cluster' ? { ...one, verbs: one.verbs.filter((verb) => verb === 'get') } : one;
}

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export function rulesOf(
  process: ControlProcess,
  places: readonly RightPlace[] = rightPlaces,
  from = rights,
): readonly PolicyRule[] {
  return rulesIn(from[process], places);
}

export function rulesIn(some: readonly Right[], places: readonly RightPlace[] = rightPlaces): readonly PolicyRule[] {
  return some
    .filter(({ where }) => places.includes(where))
    .map(({ group: at, resources, verbs }) => ({ apiGroups: [at], resources, verbs }));
}
