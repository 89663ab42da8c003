/** Certificates of the cluster. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyAndCertificate, Leaf } from '../../../local/parts/kubernetes/certificate.ts';
import { renderKubeconfig } from '../../../local/parts/kubernetes/kubeconfig.ts';
import { writeKeys } from '../../../local/parts/kubernetes/pki.ts';
import { apiServiceAddress, nodeAddress } from './network.ts';

export const nodeName = 'node-1';
export const apiUrl = `https://${nodeAddress}:6443`;

const leaves = {
  apiserver: {
    subject: { commonName: 'kube-apiserver' },
    usage: ['server', 'client'],
    names: [nodeAddress, '127.0.0.1', apiServiceAddress, 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
  },
  kubelet: {
    subject: { commonName: `system:node:${nodeName}`, organization: 'system:nodes' },
    usage: ['server', 'client'],
    names: [nodeAddress, nodeName],
  },
  'kubelet-client': {
    subject: { commonName: 'kube-apiserver-kubelet-client', organization: 'system:masters' },
    usage: ['client'],
  },
  admin: { subject: { commonName: 'admin', organization: 'system:masters' }, usage: ['client'] },
  // One identity for all controllers needs more than the role system:kube-controller-manager grants.
  'controller-manager': {
    subject: { commonName: 'system:kube-controller-manager', organization: 'system:masters' },
    usage: ['client'],
  },
  scheduler: { subject: { commonName: 'system:kube-scheduler' }, usage: ['client'] },
  proxy: { subject: { commonName: 'system:kube-proxy' }, usage: ['client'] },
  policies: { subject: { commonName: 'policies', organization: 'system:masters' }, usage: ['client'] },
  coredns: { subject: { commonName: 'coredns', organization: 'system:masters' }, usage: ['client'] },
} as const satisfies Record<string, Leaf>;

export interface NodePki {
  /** `ca.crt`, `<who>.crt`, `<who>.key`, `<who>.kubeconfig`, `service-accounts.key` and `.pub`. */
  readonly dir: string;
  readonly ca: string;
  readonly admin: KeyAndCertificate;
}

export async function makePki(dir: string, now: Date): Promise<NodePki> {
  const { authority, made } = await writeKeys(dir, 'millrace-node', leaves, now);
  const write = (file: string, content: string) => writeFile(join(dir, file), content, { mode: 0o600 });
  await write('ca.key', authority.key);
  const ca = authority.certificate;
  for (const [who, keys] of made) await write(`${who}.kubeconfig`, renderKubeconfig(apiUrl, ca, keys));
  const admin = made.get('admin');
  if (admin === undefined) throw new TypeError('it is one of the leaves');
  return { dir, ca, admin };
}
