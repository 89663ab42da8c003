/** What a machine must have to be a real node, and how it is had. */
import { existsSync } from 'node:fs';
import { whyNoGo } from '../../../local/binaries/go-build.ts';

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
  const go = await whyNoGo('go');
  if (go !== undefined) missing.push(`the pause image is built with Go: ${go}`);
  return missing;
}
