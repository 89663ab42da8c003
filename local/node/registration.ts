/**
 * The Node object: because of it the scheduler assigns pods to this node.
 *
 * O1  The status is posted at once, so the controllers remove the not-ready taint within a second.
 * O2  The Lease is renewed every 10 s and the status posted every minute; a deleted Node or Lease is recreated.
 *
 * Capacity is nominal: nothing is enforced, so requests should not keep a pipeline from being scheduled on a laptop.
 */
import { arch, platform, release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isConflict, isNotFound, mergePatch, strategicMergePatch, type Kube } from './kube.ts';
import { isoSeconds } from './pod-status.ts';

export interface NodeIdentity {
  readonly name: string;
  readonly kubeletPort: number;
  readonly capacity: { readonly cpu: string; readonly memory: string; readonly pods: string };
}

const leaseEveryMs = 10_000;
const statusEveryMs = 60_000;
const leaseSeconds = 40;
const node = z.object({ metadata: z.object({ uid: z.string() }) });

/** O1. Resolves when the Node exists with its status and its first Lease. */
export async function register(kube: Kube, identity: NodeIdentity, since: number): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': identity.name,
    'kubernetes.io/os': platform() === 'darwin' ? 'darwin' : 'linux',
    'kubernetes.io/arch': arch() === 'x64' ? 'amd64' : arch(),
    'node.kubernetes.io/instance-type': 'local',
  };
  const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: identity.name, labels } };
  try {
    await kube.json({ method: 'POST', path: '/api/v1/nodes', body: object });
  } catch (error) {
    if (!isConflict(error)) throw error;
    const body = { metadata: { labels } };
    await kube.json({ method: 'PATCH', path: nodePath(identity), contentType: mergePatch, body });
  }
  await postStatus(kube, identity, since);
  await renewLease(kube, identity);
}

/** O2. Runs until `signal` aborts. */
export async function heartbeat(
  kube: Kube,
  identity: NodeIdentity,
  since: number,
  signal: AbortSignal,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  const isOver = () => signal.aborted;
  // A node that is stopping must not wait for an API server that hangs.
  const bound: Kube = { ...kube, json: (request) => kube.json({ ...request, signal }) };
  let statusDue = Date.now() + statusEveryMs;
  for (;;) {
    await delay(leaseEveryMs, undefined, { signal }).catch(() => undefined);
    if (isOver()) return;
    try {
      await renewLease(bound, identity);
      if (Date.now() >= statusDue) {
        await postStatus(bound, identity, since);
        statusDue = Date.now() + statusEveryMs;
      }
    } catch (error) {
      if (isOver()) return;
      onTrouble(error);
      if (isNotFound(error)) await register(bound, identity, since).catch(onTrouble);
    }
  }
}

async function postStatus(kube: Kube, identity: NodeIdentity, since: number): Promise<void> {
  const now = isoSeconds(Date.now());
  const claim = (type: string, status: 'True' | 'False', reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: isoSeconds(since),
  });
  const version = 'v1.36.3-millrace';
  const status = {
    capacity: identity.capacity,
    allocatable: identity.capacity,
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: identity.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: identity.kubeletPort } },
    conditions: [
      claim('Ready', 'True', 'KubeletReady', 'the local node runs pods as host processes'),
      claim('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'not watched by the local node'),
      claim('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'not watched by the local node'),
      claim('PIDPressure', 'False', 'KubeletHasSufficientPID', 'not watched by the local node'),
    ],
    nodeInfo: {
      machineID: identity.name,
      systemUUID: identity.name,
      bootID: identity.name,
      kernelVersion: release(),
      osImage: 'millrace local node',
      containerRuntimeVersion: 'millrace://1',
      kubeletVersion: version,
      kubeProxyVersion: '',
      operatingSystem: platform(),
      architecture: arch() === 'x64' ? 'amd64' : arch(),
    },
  };
  await kube.json({
    method: 'PATCH',
    path: `${nodePath(identity)}/status`,
    contentType: strategicMergePatch,
    body: { status },
  });
}

async function renewLease(kube: Kube, { name }: NodeIdentity): Promise<void> {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  const renewTime = `${new Date().toISOString().slice(0, -1)}000Z`;
  const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime };
  try {
    await kube.json({ method: 'PATCH', path: `${leases}/${name}`, contentType: mergePatch, body: { spec } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const { metadata } = node.parse(await kube.json({ path: `/api/v1/nodes/${name}` }));
    const owner = { apiVersion: 'v1', kind: 'Node', name, uid: metadata.uid };
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease', ownerReferences: [owner] },
      spec,
    };
    await kube.json({ method: 'POST', path: leases, body });
  }
}

function nodePath({ name }: NodeIdentity): string {
  return `/api/v1/nodes/${name}`;
}
