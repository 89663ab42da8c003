/** What a machine must have to be a real node, and how it is had. */
import { existsSync, readFileSync } from 'node:fs';
import { whyNoGo } from '../../../local/binaries/go-build.ts';
import { problemOf } from '../../../model/errors.ts';
import { isInUse, netns } from './network.ts';
import { sh } from './shell.ts';

/** One for each thing that is missing; empty: the machine will do. */
export async function whyNoNode(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return ['a kubelet needs Linux'];
  const missing: string[] = [];
  if (process.getuid?.() !== 0) missing.push('it makes network namespaces and mounts: run it as root');
  const programs = ['/usr/bin/containerd', '/usr/sbin/runc', '/usr/lib/cni/bridge', '/usr/sbin/iptables'];
  const absent = programs.filter((file) => !existsSync(file));
  if (absent.length > 0)
    missing.push(
      `there is no ${absent.join(', ')}: \`apt-get install containerd runc containernetworking-plugins iptables\``,
    );
  const tools = ['/usr/sbin/ip', '/usr/bin/nsenter'].filter((file) => !existsSync(file));
  if (tools.length > 0) missing.push(`there is no ${tools.join(', ')}: \`apt-get install iproute2 util-linux\``);
  else if (missing.length === 0) missing.push(...(await whyNoNamespace()));
  if (!hasMemoryLimits()) missing.push('the kernel shows no cgroup for memory below /sys/fs/cgroup');
  const go = await whyNoGo('go');
  if (go !== undefined) missing.push(`the pause image is built with Go: ${go}`);
  return missing;
}

async function whyNoNamespace(): Promise<readonly string[]> {
  if (await isInUse()) return [`a node of another run is on this machine (${netns}), and there is room for one`];
  const probe = `${netns}-probe`;
  try {
    await sh('ip', 'netns', 'add', probe);
    await sh('ip', 'netns', 'del', probe);
    return [];
  } catch (error) {
    return [`it makes network namespaces, and cannot: ${problemOf(error)}`];
  }
}

/** Of cgroup v1, or of v2. */
function hasMemoryLimits(): boolean {
  const root = '/sys/fs/cgroup';
  if (existsSync(`${root}/memory/memory.limit_in_bytes`)) return true;
  const controllers = `${root}/cgroup.controllers`;
  return existsSync(controllers) && readFileSync(controllers, 'utf8').includes('memory');
}
