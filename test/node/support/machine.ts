/**
 * containerd, kubelet, kube-proxy and a DNS server: what makes the machine a node.
 *
 * M1  A virtual machine without CAP_SYS_RESOURCE starts no sandbox unless `restrict_oom_score_adj` is set.
 * M2  kubelet changes settings of the whole machine; they are restored.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requestApi } from '../../../local/parts/kubernetes/request.ts';
import { startProcess } from '../../../local/process.ts';
import { z } from 'zod';
import { startInNode, type Starting } from './control-plane.ts';
import { inNode, nodeAddress, podBridge, podRange, serviceRange } from './network.ts';
import { apiUrl, nodeName } from './pki.ts';
import { sh } from './shell.ts';

export const pauseImage = 'localhost/millrace/pause:1';

export const containerdSocket = (dir: string) => join(dir, 'containerd', 'run', 'containerd.sock');

/** How it reaches registries: a folder for each (`hosts.toml`). */
export const registriesOf = (dir: string) => join(dir, 'containerd', 'registries');

/** `ctr` on the images and containers of the node. */
export function ctr(dir: string, ...args: readonly string[]): Promise<string> {
  return sh('ctr', '--address', containerdSocket(dir), '--namespace', 'k8s.io', ...args);
}

export async function startContainerd({ dir, started }: Starting): Promise<void> {
  const at = (name: string) => join(dir, 'containerd', name);
  await mkdir(at('cni'), { recursive: true });
  await writeFile(
    at('config.toml'),
    `version = 2
root = "${at('root')}"
state = "${at('run')}"
[grpc]
  address = "${containerdSocket(dir)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${at('opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${at('cni')}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${registriesOf(dir)}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`,
  );
  const bridge = {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        ...{ type: 'bridge', bridge: podBridge, isGateway: true, ipMasq: true, hairpinMode: true },
        ipam: {
          ...{ type: 'host-local', dataDir: at('addresses') },
          ranges: [[{ subnet: podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  await writeFile(join(at('cni'), '10-pods.conflist'), JSON.stringify(bridge));
  const process = inNode('containerd', ['--config', at('config.toml')]);
  const ready = async () => (await ctr(dir, 'version')).includes('Server');
  started.push(
    await startProcess({ name: 'containerd', ...process, logFile: join(dir, 'logs', 'containerd.log'), ready }),
  );
}

export async function startKubelet(starting: Starting): Promise<void> {
  const { dir, pki } = starting;
  const at = (name: string) => join(dir, 'kubelet', name);
  await mkdir(at('plugins'), { recursive: true });
  await writeFile(at('resolv.conf'), '');
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    // Both are refused otherwise on the machines at hand.
    ...{ failCgroupV1: false, failSwapOn: false, cgroupDriver: 'cgroupfs' },
    containerRuntimeEndpoint: `unix://${containerdSocket(dir)}`,
    authentication: {
      x509: { clientCAFile: join(pki.dir, 'ca.crt') },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: 'Webhook' },
    ...{ tlsCertFile: join(pki.dir, 'kubelet.crt'), tlsPrivateKeyFile: join(pki.dir, 'kubelet.key') },
    ...{ resolvConf: at('resolv.conf'), volumePluginDir: at('plugins'), podLogsDir: join(dir, 'pod-logs') },
    ...{ clusterDNS: [nodeAddress], clusterDomain: 'cluster.local' },
    ...{ nodeStatusUpdateFrequency: '1s', nodeLeaseDurationSeconds: 10, imageGCHighThresholdPercent: 100 },
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  };
  await writeFile(at('config.json'), JSON.stringify(config));
  const access = { url: apiUrl, ca: pki.ca, user: pki.admin };
  await startInNode(
    starting,
    'kubelet',
    [
      ...[`--config=${at('config.json')}`, `--kubeconfig=${join(pki.dir, 'kubelet.kubeconfig')}`],
      ...[`--root-dir=${at('root')}`, `--cert-dir=${at('certificates')}`],
      ...[`--hostname-override=${nodeName}`, `--node-ip=${nodeAddress}`],
    ],
    async () => isReady((await requestApi(access, 'GET', `/api/v1/nodes/${nodeName}`)).body),
  );
}

const nodeSchema = z.looseObject({
  spec: z.looseObject({ taints: z.array(z.unknown()).optional() }),
  status: z.looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })) }),
});

/** And pods may be put on it. */
function isReady(body: string): boolean {
  const node = nodeSchema.safeParse(JSON.parse(body));
  if (!node.success || (node.data.spec.taints ?? []).length > 0) return false;
  return node.data.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

export async function startServices(starting: Starting): Promise<void> {
  const { dir, pki } = starting;
  const proxy = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: join(pki.dir, 'proxy.kubeconfig') },
    ...{ mode: 'iptables', clusterCIDR: podRange, hostnameOverride: nodeName },
    conntrack: { maxPerCore: 0 },
  };
  const file = join(dir, 'kube-proxy.json');
  await writeFile(file, JSON.stringify(proxy));
  await startInNode(starting, 'kube-proxy', [`--config=${file}`]);
  const corefile = join(dir, 'Corefile');
  await writeFile(
    corefile,
    `.:53 {
  bind ${nodeAddress}
  errors
  kubernetes cluster.local ${serviceRange} {
    kubeconfig ${join(pki.dir, 'coredns.kubeconfig')}
    pods insecure
    ttl 5
  }
}
`,
  );
  await startInNode(starting, 'coredns', ['-conf', corefile]);
}

const changedByKubelet = ['kernel/panic', 'kernel/panic_on_oops', 'vm/overcommit_memory'] as const;

/** M2. Returns what puts them back. */
export async function keepSettings(): Promise<() => Promise<void>> {
  const file = (name: string) => join('/proc/sys', name);
  const before = await Promise.all(
    changedByKubelet.map(async (name) => [file(name), await readFile(file(name), 'utf8')] as const),
  );
  return async () => {
    for (const [path, value] of before) await writeFile(path, value);
  };
}
