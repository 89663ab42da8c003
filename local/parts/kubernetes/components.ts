/**
 * The four processes of a Kubernetes control plane on loopback, without root.
 *
 * EndpointSlices refuse loopback addresses, so the endpoint controllers are off: a client that forwards to pods lists
 * them by label and uses podIP. The controller-manager's default request limit costs seconds at start, hence the
 * higher one.
 */
import { join } from 'node:path';
import { resolveBinary } from '../../binaries/resolve.ts';
import { startProcess, type ProcessOptions, type RunningProcess } from '../../process.ts';
import { renderKubeconfig, writeKubeconfig } from './kubeconfig.ts';
import type { KeyFiles, Pki } from './pki.ts';
import { requestApi } from './request.ts';

export interface ControlPlane {
  readonly dir: string;
  readonly logDir: string;
  readonly pki: Pki;
  readonly ports: { readonly apiserver: number; readonly etcd: number };
  /** For tests only: a machine crash may lose data. */
  readonly unsafeNoFsync: boolean;
  readonly onSpawn?: ProcessOptions['onSpawn'];
}

export const apiserverUrl = (plane: ControlPlane) => `https://127.0.0.1:${plane.ports.apiserver}`;
const etcdUrl = (plane: ControlPlane) => `https://127.0.0.1:${plane.ports.etcd}`;

export async function startEtcd(plane: ControlPlane): Promise<RunningProcess> {
  const { pki } = plane;
  const url = etcdUrl(plane);
  // One member speaks to no peer: the peer listener takes any port, the advertised address is only a name.
  const peer = 'http://127.0.0.1:2380';
  return start(plane, 'etcd', {
    args: [
      '--name=local',
      `--data-dir=${join(plane.dir, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      '--listen-peer-urls=http://127.0.0.1:0',
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=local=${peer}`,
      `--cert-file=${pki.server.certificateFile}`,
      `--key-file=${pki.server.keyFile}`,
      `--trusted-ca-file=${pki.caFile}`,
      '--client-cert-auth',
      '--log-level=warn',
      ...(plane.unsafeNoFsync ? ['--unsafe-no-fsync'] : []),
    ],
    ready: async () => (await requestApi({ url, ca: pki.ca, user: pki.admin }, 'GET', '/health')).status === 200,
  });
}

export async function startApiserver(plane: ControlPlane): Promise<RunningProcess> {
  const { pki } = plane;
  const access = { url: apiserverUrl(plane), ca: pki.ca, user: pki.admin };
  return start(plane, 'kube-apiserver', {
    args: [
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${plane.ports.apiserver}`,
      '--endpoint-reconciler-type=none',
      '--authorization-mode=RBAC',
      `--client-ca-file=${pki.caFile}`,
      `--tls-cert-file=${pki.server.certificateFile}`,
      `--tls-private-key-file=${pki.server.keyFile}`,
      `--etcd-servers=${etcdUrl(plane)}`,
      `--etcd-cafile=${pki.caFile}`,
      `--etcd-certfile=${pki.server.certificateFile}`,
      `--etcd-keyfile=${pki.server.keyFile}`,
      `--service-account-key-file=${pki.serviceAccountPublicFile}`,
      `--service-account-signing-key-file=${pki.serviceAccountKeyFile}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--cert-dir=${join(plane.dir, 'apiserver')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--shutdown-delay-duration=0s',
    ],
    ready: async () => (await requestApi(access, 'GET', '/readyz')).status === 200,
  });
}

export async function startControllerManager(plane: ControlPlane): Promise<RunningProcess> {
  const { pki } = plane;
  const kubeconfig = await componentKubeconfig(plane, 'controller-manager', pki.controllerManager);
  const access = { url: apiserverUrl(plane), ca: pki.ca, user: pki.admin };
  const serviceAccount = '/api/v1/namespaces/default/serviceaccounts/default';
  return start(plane, 'kube-controller-manager', {
    args: [
      `--kubeconfig=${kubeconfig}`,
      '--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller',
      '--leader-elect=false',
      '--use-service-account-credentials=false',
      '--kube-api-qps=300',
      '--kube-api-burst=600',
      `--service-account-private-key-file=${pki.serviceAccountKeyFile}`,
      `--root-ca-file=${pki.caFile}`,
      '--secure-port=0',
    ],
    // The API admits no pod before the controllers have created its namespace's service account.
    ready: async () => (await requestApi(access, 'GET', serviceAccount)).status === 200,
  });
}

export async function startScheduler(plane: ControlPlane): Promise<RunningProcess> {
  const kubeconfig = await componentKubeconfig(plane, 'scheduler', plane.pki.scheduler);
  return start(plane, 'kube-scheduler', {
    args: [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'],
  });
}

type ComponentName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

async function start(
  plane: ControlPlane,
  name: ComponentName,
  options: Pick<ProcessOptions, 'args' | 'ready'>,
): Promise<RunningProcess> {
  return startProcess({
    name,
    command: await resolveBinary(name),
    logFile: join(plane.logDir, `${name}.log`),
    ...(plane.onSpawn ? { onSpawn: plane.onSpawn } : {}),
    ...options,
  });
}

async function componentKubeconfig(plane: ControlPlane, name: string, user: KeyFiles): Promise<string> {
  const path = join(plane.dir, `${name}.kubeconfig`);
  await writeKubeconfig(path, renderKubeconfig(apiserverUrl(plane), plane.pki.ca, user));
  return path;
}
