/** The accounts of Millrace's processes with the rights that the chart renders, and no others. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Kubernetes } from '../../../local/parts/kubernetes.ts';
import { renderKubeconfig, writeKubeconfig } from '../../../local/parts/kubernetes/kubeconfig.ts';
import { ensurePki } from '../../../local/parts/kubernetes/pki.ts';
import type { ControlProcess } from '../../../model/rights.ts';
import { namespace, render, type Values } from '../../deploy/support/helm.ts';
import { kubectlOf } from '../../deploy/support/kubectl.ts';

/** Gives the kubeconfig of a process. `dir`: where the cluster has its keys. */
export async function chartAccounts(
  kubernetes: Kubernetes,
  dir: string,
  values: Values,
): Promise<(process: ControlProcess) => Promise<string>> {
  const kubectl = kubectlOf(kubernetes.kubeconfigPath);
  const objects = (await render(values)).filter(
    ({ kind }) => kind === 'ServiceAccount' || /Role(Binding)?$/.test(kind),
  );
  const places = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []));
  const namespaces = [...places].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  const all = [...namespaces, ...objects].map((object) => stringify(object)).join('---\n');
  await kubectl(['apply', '--server-side', '-f', '-'], all);
  const { ca } = await ensurePki(join(dir, 'pki'), new Date());
  return async (process) => {
    const { stdout: token } = await kubectl(['create', 'token', `millrace-${process}`, '-n', namespace]);
    const path = join(dir, `${process}.kubeconfig`);
    await writeKubeconfig(path, renderKubeconfig(kubernetes.url, ca, { token: token.trim() }));
    return path;
  };
}
