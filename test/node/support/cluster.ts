/** A cluster of one real node on this machine. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveBinary } from '../../../local/binaries/resolve.ts';
import type { RunningProcess } from '../../../local/process.ts';
import { startControlPlane, type Starting } from './control-plane.ts';
import { importImages } from './images.ts';
import { ctr, keepSettings, startContainerd, startKubelet, startServices } from './machine.ts';
import { makeNetwork, removeNetwork } from './network.ts';
import { makePki } from './pki.ts';
import { startPolicies } from './policies.ts';
import { sh, shOrNot } from './shell.ts';

export interface NodeCluster {
  readonly dir: string;
  readonly kubeconfigPath: string;
  kubectl(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface NodeClusterOptions {
  /** Images that its containers use. */
  readonly archives: readonly string[];
  /** Whether NetworkPolicies have an effect. */
  readonly enforcesPolicies: boolean;
}

export async function startNodeCluster({ archives, enforcesPolicies }: NodeClusterOptions): Promise<NodeCluster> {
  // Short: paths of sockets are limited.
  const dir = await mkdtemp('/tmp/mrn-');
  const restore = await keepSettings();
  const started: RunningProcess[] = [];
  const stop = async () => {
    await end(dir, started);
    await restore();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await makeNetwork();
    const starting: Starting = { dir, started, pki: await makePki(join(dir, 'pki'), new Date()) };
    // Images are read while the control plane starts.
    const images = startContainerd(starting).then(() => importImages(dir, archives));
    const [plane] = await Promise.allSettled([startControlPlane(starting), images]);
    if (plane.status === 'rejected') throw plane.reason;
    await images;
    await startServices(starting);
    await startKubelet(starting);
    if (enforcesPolicies) await startPolicies(starting);
  } catch (error) {
    await stop();
    throw error;
  }
  const kubeconfigPath = join(dir, 'pki', 'admin.kubeconfig');
  const kubectlPath = await resolveBinary('kubectl');
  return {
    ...{ dir, kubeconfigPath, stop },
    kubectl: (...args) => sh(kubectlPath, '--kubeconfig', kubeconfigPath, ...args),
  };
}

/** Whoever would start containers again ends first. */
async function end(dir: string, started: readonly RunningProcess[]): Promise<void> {
  const named = (name: string) => started.filter((one) => one.name === name);
  for (const name of ['kubelet', 'kube-router', 'kube-proxy', 'coredns', 'kube-scheduler', 'kube-controller-manager'])
    await Promise.all(named(name).map((one) => one.stop()));
  if (named('containerd').length > 0) {
    const gone = () => '';
    const tasks = await ctr(dir, 'tasks', 'ls', '-q').catch(gone);
    for (const task of tasks.split('\n').filter((id) => id !== ''))
      await ctr(dir, 'tasks', 'rm', '-f', task).catch(gone);
  }
  for (const one of started.toReversed()) await one.stop();
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${dir}/`)).toReversed())
    await shOrNot('umount', '-l', mount);
  await endLeftovers(dir);
  for (const name of ['kubepods', 'k8s.io'])
    await shOrNot('find', '/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`, '-exec', 'rmdir', '{}', ';');
  await removeNetwork();
  const own = (await sh('ip', 'netns', 'list')).split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of own.filter((each) => each.startsWith('cni-'))) await shOrNot('ip', 'netns', 'del', name);
}

/** Shims that outlived their containers; they are named by this folder. */
async function endLeftovers(dir: string): Promise<void> {
  const all = await sh('ps', '-eo', 'pid,args');
  const shims = all.split('\n').filter((line) => line.includes('containerd-shim') && line.includes(dir));
  for (const line of shims) process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL');
}
