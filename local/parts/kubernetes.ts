/**
 * A Kubernetes API on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, all real.
 *
 * It has no node: pods stay Pending until `local/node` (or a test) registers one. The stack starts the four
 * processes one by one (`./kubernetes/components.ts`) to supervise each; tests start them together, here.
 */
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import type { RunningProcess } from '../process.ts';
import {
  apiserverUrl,
  startApiserver,
  startControllerManager,
  startEtcd,
  startScheduler,
  type ControlPlane,
} from './kubernetes/components.ts';
import { renderKubeconfig, writeKubeconfig } from './kubernetes/kubeconfig.ts';
import { ensurePki } from './kubernetes/pki.ts';

export interface KubernetesOptions {
  /** Keys, etcd's data and (unless `logDir` is given) logs live here. */
  readonly dir: string;
  /** Free ports where none is given. */
  readonly ports?: { readonly apiserver?: number; readonly etcd?: number };
  /** For tests: etcd does not wait for the disk. */
  readonly unsafeNoFsync?: boolean;
  /** False: only etcd and the API, for tests that need no Deployment, ServiceAccount or namespace deletion to act. */
  readonly controllers?: boolean;
  /** False: no pod is bound to a node. Default: as `controllers`. */
  readonly scheduler?: boolean;
  readonly logDir?: string;
}

export interface Kubernetes {
  readonly url: string;
  readonly kubeconfigPath: string;
  /** Its content: YAML with an administrator's client certificate. */
  readonly kubeconfig: string;
  readonly processes: readonly RunningProcess[];
  stop(): Promise<void>;
}

export async function startKubernetes(options: KubernetesOptions): Promise<Kubernetes> {
  const plane: ControlPlane = {
    dir: options.dir,
    logDir: options.logDir ?? options.dir,
    pki: await ensurePki(join(options.dir, 'pki'), new Date()),
    ports: {
      apiserver: options.ports?.apiserver ?? (await freePort()),
      etcd: options.ports?.etcd ?? (await freePort()),
    },
    unsafeNoFsync: options.unsafeNoFsync ?? false,
  };
  const { kubeconfigPath, kubeconfig } = await writeAdminKubeconfig(plane);
  const withControllers = options.controllers ?? true;
  const withScheduler = options.scheduler ?? withControllers;
  const processes: RunningProcess[] = [];
  const stop = async () => {
    for (const running of processes.toReversed()) await running.stop();
  };
  try {
    processes.push(await startEtcd(plane));
    processes.push(await startApiserver(plane));
    if (withControllers) processes.push(await startControllerManager(plane));
    if (withScheduler) processes.push(await startScheduler(plane));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: apiserverUrl(plane), kubeconfigPath, kubeconfig, processes, stop };
}

/** For people and for every client of the stack. */
export async function writeAdminKubeconfig(
  plane: Pick<ControlPlane, 'dir' | 'pki' | 'ports'>,
  kubeconfigPath = join(plane.dir, 'kubeconfig'),
): Promise<{ readonly kubeconfigPath: string; readonly kubeconfig: string }> {
  const kubeconfig = renderKubeconfig(`https://127.0.0.1:${plane.ports.apiserver}`, plane.pki.ca, plane.pki.admin);
  await writeKubeconfig(kubeconfigPath, kubeconfig);
  return { kubeconfigPath, kubeconfig };
}
