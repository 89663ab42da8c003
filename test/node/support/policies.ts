/**
 * What enforces NetworkPolicies on the node: kube-router, and of it nothing but its firewall.
 *
 * P1  Pods on one bridge reach each other below IP: the kernel is told to show iptables what crosses it, in the namespace of the
 *     node only.
 * P2  kube-router lets a packet to a Service without pods through before kube-proxy could refuse it. Nobody answers it, and its
 *     connection would stand for two minutes: it is refused by its route.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startInNode, type Starting } from './control-plane.ts';
import { inNode, netns, podBridge, serviceRange } from './network.ts';
import { nodeName } from './pki.ts';
import { sh } from './shell.ts';

/** Why policies cannot be enforced on this machine; undefined: they can. */
export function whyNoPolicies(): string | undefined {
  const needed = ['/usr/sbin/ipset', '/proc/sys/net/bridge/bridge-nf-call-iptables'];
  const missing = needed.filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `there is no ${missing.join(', ')}: \`apt-get install ipset\``;
}

export async function startPolicies(starting: Starting): Promise<void> {
  const { command, args } = inNode('sysctl', ['-qw', 'net.bridge.bridge-nf-call-iptables=1']);
  await sh(command, ...args);
  // What is still addressed to a Service after kube-proxy's translation.
  await sh('ip', '-n', netns, 'rule', 'add', 'iif', podBridge, 'to', serviceRange, 'unreachable');
  await startInNode(starting, 'kube-router', [
    `--kubeconfig=${join(starting.pki.dir, 'policies.kubeconfig')}`,
    ...[`--hostname-override=${nodeName}`, `--service-cluster-ip-range=${serviceRange}`, '--health-port=0'],
    ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false'],
  ]);
}
