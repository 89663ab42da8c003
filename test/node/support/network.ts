/**
 * The network of the node: a namespace, and one pair of interfaces between it and the machine.
 *
 * N1  Nothing of the node listens on an address of the machine, and no rule of iptables is made outside the namespace.
 * N2  Programs are started by `nsenter`, not by `ip netns exec`: that gives each a mount namespace of its own, in which
 *     containerd would not see what kubelet mounts.
 * N3  Names and addresses are fixed, so there is one node on a machine at a time.
 */
import { sh, shOrNot } from './shell.ts';

export const netns = 'millrace-node';
export const nodeAddress = '10.250.0.2';
/** The machine, as pods see it. */
export const hostAddress = '10.250.0.1';
export const podRange = '10.244.0.0/24';
export const podBridge = 'cni0';
export const serviceRange = '10.96.0.0/16';
export const apiServiceAddress = '10.96.0.1';

const [outside, inside] = ['mrn-host', 'mrn-node'];

/** The command and arguments that run a program in the namespace (N2). */
export function inNode(command: string, args: readonly string[]): { command: string; args: readonly string[] } {
  return { command: 'nsenter', args: [`--net=/run/netns/${netns}`, command, ...args] };
}

/** Whether a process is in the namespace: a node of another run (N3). */
export async function isInUse(): Promise<boolean> {
  return (await sh('ip', 'netns', 'pids', netns).catch(() => '')).trim() !== '';
}

export async function makeNetwork(): Promise<void> {
  // Of a run that was killed.
  await removeNetwork();
  await sh('ip', 'netns', 'add', netns);
  await sh('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', netns);
  await sh('ip', 'addr', 'add', `${hostAddress}/30`, 'dev', outside);
  await sh('ip', 'link', 'set', outside, 'up');
  const within = ['-n', netns];
  await sh('ip', ...within, 'addr', 'add', `${nodeAddress}/30`, 'dev', inside);
  await sh('ip', ...within, 'link', 'set', inside, 'up');
  await sh('ip', ...within, 'link', 'set', 'lo', 'up');
  await sh('ip', ...within, 'route', 'add', 'default', 'via', hostAddress);
  await sh('ip', 'route', 'add', podRange, 'via', nodeAddress);
  const forward = inNode('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  await sh(forward.command, ...forward.args);
}

/** Rules, bridges and routes of the node go with its namespace. */
export async function removeNetwork(): Promise<void> {
  await shOrNot('ip', 'netns', 'del', netns);
  await shOrNot('ip', 'link', 'del', outside);
}
