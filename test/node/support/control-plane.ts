/** etcd, the API server, controllers and scheduler, in the node's network. */
import { join } from 'node:path';
import { resolveBinary, type BinaryName } from '../../../local/binaries/resolve.ts';
import { requestApi } from '../../../local/parts/kubernetes/request.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';
import { inNode, nodeAddress, serviceRange } from './network.ts';
import { apiUrl, type NodePki } from './pki.ts';

export interface Starting {
  readonly dir: string;
  readonly pki: NodePki;
  /** What was started, in order. */
  readonly started: RunningProcess[];
}

/** Starts a program of the catalog in the node's network. */
export async function startInNode(
  { dir, started }: Starting,
  name: BinaryName,
  args: readonly string[],
  ready?: () => Promise<boolean>,
): Promise<void> {
  const process = inNode(await resolveBinary(name), args);
  const logFile = join(dir, 'logs', `${name}.log`);
  started.push(await startProcess({ name, ...process, logFile, ...(ready === undefined ? {} : { ready }) }));
}

export async function startControlPlane(starting: Starting): Promise<void> {
  const { dir, pki } = starting;
  const file = (name: string) => join(pki.dir, name);
  const access = { url: apiUrl, ca: pki.ca, user: pki.admin };
  const answers = (path: string) => async () => (await requestApi(access, 'GET', path)).status === 200;
  await startInNode(starting, 'etcd', [
    `--data-dir=${join(dir, 'etcd')}`,
    ...['--listen-client-urls=http://127.0.0.1:2379', '--advertise-client-urls=http://127.0.0.1:2379'],
    ...['--listen-peer-urls=http://127.0.0.1:2380', '--unsafe-no-fsync', '--log-level=warn'],
  ]);
  await startInNode(
    starting,
    'kube-apiserver',
    [
      '--etcd-servers=http://127.0.0.1:2379',
      ...['--bind-address=0.0.0.0', '--secure-port=6443', `--advertise-address=${nodeAddress}`],
      ...[`--tls-cert-file=${file('apiserver.crt')}`, `--tls-private-key-file=${file('apiserver.key')}`],
      `--client-ca-file=${file('ca.crt')}`,
      `--service-account-key-file=${file('service-accounts.pub')}`,
      `--service-account-signing-key-file=${file('service-accounts.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-cluster-ip-range=${serviceRange}`,
      ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction', '--allow-privileged=true'],
      `--kubelet-client-certificate=${file('kubelet-client.crt')}`,
      `--kubelet-client-key=${file('kubelet-client.key')}`,
      ...['--kubelet-preferred-address-types=InternalIP', '--shutdown-delay-duration=0s'],
    ],
    answers('/readyz'),
  );
  await startInNode(
    starting,
    'kube-controller-manager',
    [
      `--kubeconfig=${file('controller-manager.kubeconfig')}`,
      ...['--bind-address=127.0.0.1', '--leader-elect=false', '--use-service-account-credentials=false'],
      // The default limit costs seconds at the start.
      ...['--kube-api-qps=300', '--kube-api-burst=600'],
      ...['--node-monitor-period=1s', '--node-monitor-grace-period=10s'],
      `--service-account-private-key-file=${file('service-accounts.key')}`,
      `--root-ca-file=${file('ca.crt')}`,
      ...[`--cluster-signing-cert-file=${file('ca.crt')}`, `--cluster-signing-key-file=${file('ca.key')}`],
    ],
    // The API admits no pod before the controllers have made its namespace's service account.
    answers('/api/v1/namespaces/default/serviceaccounts/default'),
  );
  const kubeconfig = `--kubeconfig=${file('scheduler.kubeconfig')}`;
  await startInNode(starting, 'kube-scheduler', [kubeconfig, '--bind-address=127.0.0.1', '--leader-elect=false']);
}
