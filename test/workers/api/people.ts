/** Callers of the API on a real API server: accounts with the roles that a test gives them, and an API with the rights of the chart. */
import { z } from 'zod';
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import { createTransport } from '../../../kubernetes/transport.ts';
import { loadKubeconfig } from '../../../kubernetes/kubeconfig.ts';
import { group, plural } from '../../../model/names.ts';
import {
  identityRights,
  rulesIn,
  type IdentityMode,
  type ImpersonationMode,
  type PolicyRule,
} from '../../../model/rights.ts';
import type { Cluster } from './cluster.ts';

const rbac = 'rbac.authorization.k8s.io';
const tokenAnswer = z.looseObject({ status: z.looseObject({ token: z.string() }) });

export interface Subject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount';
  readonly name: string;
  readonly namespace?: string;
}

export interface Account {
  readonly subject: Subject;
  /** As Kubernetes calls it. */
  readonly name: string;
  token(audiences?: readonly string[]): Promise<string>;
}

const create = (kube: Kube, path: string, body: object) =>
  kube.transport.send({ method: 'POST', path, body, what: `create ${path}` });

export async function makeAccount(kube: Kube, namespace: string, name: string): Promise<Account> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await create(kube, accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  return {
    subject: { kind: 'ServiceAccount', name, namespace },
    name: `system:serviceaccount:${namespace}:${name}`,
    async token(audiences) {
      const spec = { expirationSeconds: 3_600, ...(audiences === undefined ? {} : { audiences }) };
      const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
      return tokenAnswer.parse(await create(kube, `${accounts}/${name}/token`, asked)).status.token;
    },
  };
}

/** In a namespace, or in all of them. */
export async function allow(
  kube: Kube,
  subject: Subject,
  rules: readonly PolicyRule[],
  namespace?: string,
): Promise<void> {
  const name = `test-${crypto.randomUUID().slice(0, 8)}`;
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const base = `/apis/${rbac}/v1${namespace === undefined ? '' : `/namespaces/${namespace}`}`;
  const plurals = namespace === undefined ? 'cluster' : '';
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  await create(kube, `${base}/${plurals}roles`, { apiVersion: `${rbac}/v1`, kind, metadata, rules });
  await create(kube, `${base}/${plurals}rolebindings`, {
    ...{ apiVersion: `${rbac}/v1`, kind: `${kind}Binding`, metadata },
    roleRef: { apiGroup: rbac, kind, name },
    subjects: [subject.kind === 'ServiceAccount' ? subject : { ...subject, apiGroup: rbac }],
  });
}

export function pipelineRule(...verbs: string[]): PolicyRule {
  return { apiGroups: [group], resources: [plural], verbs };
}

/** The client of an API that has the rights of the chart and no other. */
export async function kubeOfApi(
  { kube, kubernetes, namespace }: Cluster,
  mode: IdentityMode,
  impersonation: ImpersonationMode,
): Promise<Kube> {
  const account = await makeAccount(kube, await namespace(), 'api');
  await allow(kube, account.subject, rulesIn(identityRights(mode, impersonation)));
  return kubeWith(kubernetes.kubeconfigPath, await account.token());
}

/** The client of whoever has the token. */
export async function kubeWith(kubeconfigPath: string, token: string): Promise<Kube> {
  const { server, options } = loadKubeconfig(kubeconfigPath).access();
  const { ca } = await options();
  const asThem = () => Promise.resolve({ ca, headers: { authorization: `Bearer ${token}` } });
  return createKube(createTransport({ server, hasProxy: false, options: asThem }));
}
