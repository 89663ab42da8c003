/**
 * Who Millrace's own processes are on the local API server: service accounts with the rights of `model/rights.ts`, as
 * the chart makes them. So a right that is missing from the list is missed here first, and not in somebody's cluster.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { controlProcesses, rulesOf, type ControlProcess, type RightPlace } from '../../model/rights.ts';
import { applyTo } from '../parts/kubernetes/apply.ts';
import { renderKubeconfig, writeKubeconfig } from '../parts/kubernetes/kubeconfig.ts';
import { requestApi, type ApiAccess } from '../parts/kubernetes/request.ts';

/** Where the stack's processes would be in a cluster. */
export const ownNamespace = 'millrace-system';
/** A stack that runs for longer is started again before that; each start makes new tokens. */
const tokenSeconds = 365 * 24 * 3_600;

const rbac = 'rbac.authorization.k8s.io';
const inNamespace = (api: string, plural: string) => `${api}/namespaces/${ownNamespace}/${plural}`;
const tokenAnswer = z.looseObject({ status: z.looseObject({ token: z.string().min(1) }) });

/** The kubeconfig of a process, in the folder of the local control plane. */
export function kubeconfigOf(process: ControlProcess, dir: string): string {
  return join(dir, `millrace-${process}.kubeconfig`);
}

/** Applies accounts and roles, and writes a kubeconfig for each process. */
export async function applyIdentities(access: ApiAccess, dir: string): Promise<void> {
  await applyTo(access, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: ownNamespace },
  });
  for (const process of controlProcesses) {
    const name = `millrace-${process}`;
    const metadata = { name, namespace: ownNamespace };
    const accounts = inNamespace('/api/v1', 'serviceaccounts');
    await applyTo(access, accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    await applyRole(access, process, ['cluster', 'pipelines'], 'ClusterRole');
    await applyRole(access, process, ['own'], 'Role');
    const token = await tokenOf(access, `${accounts}/${name}`, name);
    await writeKubeconfig(kubeconfigOf(process, dir), renderKubeconfig(access.url, access.ca, { token }));
  }
}

async function applyRole(
  access: ApiAccess,
  process: ControlProcess,
  places: readonly RightPlace[],
  kind: 'ClusterRole' | 'Role',
): Promise<void> {
  const name = `millrace-${process}`;
  const metadata = kind === 'Role' ? { name, namespace: ownNamespace } : { name };
  const at = (plural: string) =>
    kind === 'Role' ? inNamespace(`/apis/${rbac}/v1`, plural) : `/apis/${rbac}/v1/cluster${plural}`;
  const apiVersion = `${rbac}/v1`;
  await applyTo(access, at('roles'), { apiVersion, kind, metadata, rules: rulesOf(process, places) });
  await applyTo(access, at('rolebindings'), {
    ...{ apiVersion, kind: `${kind}Binding`, metadata },
    roleRef: { apiGroup: rbac, kind, name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: ownNamespace }],
  });
}

async function tokenOf(access: ApiAccess, account: string, name: string): Promise<string> {
  const asked = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: tokenSeconds },
  };
  const content = { type: 'application/json', text: JSON.stringify(asked) };
  const { status, body } = await requestApi(access, 'POST', `${account}/token`, content);
  if (status === 201) return tokenAnswer.parse(JSON.parse(body)).status.token;
  throw mr('MR_KUBERNETES_REFUSED', { object: `a token of ServiceAccount ${name}`, problem: body });
}
