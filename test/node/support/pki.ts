/** Certificates of the cluster. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeAuthority,
  makeLeaf,
  type KeyAndCertificate,
  type Leaf,
} from '../../../local/parts/kubernetes/certificate.ts';
import { renderKubeconfig } from '../../../local/parts/kubernetes/kubeconfig.ts';
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
  coredns: { subject: { commonName: 'coredns', organization: 'system:masters' }, usage: ['client'] },
} as const satisfies Record<string, Leaf>;

export type Who = keyof typeof leaves;

export interface NodePki {
  /** `ca.crt`, `<who>.crt`, `<who>.key`, `<who>.kubeconfig`, `service-accounts.key` and `.pub`. */
  readonly dir: string;
  readonly ca: string;
  readonly admin: KeyAndCertificate;
}

export async function makePki(dir: string, now: Date): Promise<NodePki> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const write = (file: string, content: string) => writeFile(join(dir, file), content, { mode: 0o600 });
  const authority = makeAuthority({ commonName: 'millrace-node' }, now);
  await write('ca.crt', authority.certificate);
  await write('ca.key', authority.key);
  for (const [who, leaf] of Object.entries(leaves)) {
    const made = makeLeaf(authority, leaf, now);
    await write(`${who}.crt`, made.certificate);
    await write(`${who}.key`, made.key);
    await write(`${who}.kubeconfig`, renderKubeconfig(apiUrl, authority.certificate, made));
  }
  const accounts = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await write('service-accounts.key', accounts.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  await write('service-accounts.pub', accounts.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const admin = makeLeaf(authority, leaves.admin, now);
  return { dir, ca: authority.certificate, admin };
}
