/**
 * Which cluster a client talks to: the uid of its namespace kube-system, which is created with the cluster and lives as
 * long. A replaced kubeconfig, or a load balancer that points elsewhere, shows another uid.
 */
import { mr } from '../model/errors.ts';
import type { Kube } from './kube.ts';

export async function clusterOf(kube: Kube): Promise<string> {
  const system = await kube.get('Namespace', 'kube-system');
  const uid = system?.metadata.uid ?? '';
  if (uid === '') {
    throw mr('MR_KUBERNETES_UNAVAILABLE', { server: kube.server, problem: 'it has no namespace kube-system' });
  }
  return uid;
}
