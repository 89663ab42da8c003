/** Pods that are evicted, as by `kubectl drain`. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { nodeName } from '../support/pki.ts';
import type { RealNode } from '../support/real-node.ts';
import { row } from '../support/suite.ts';

const sink = 'sink-warehouse';

/** Ends when the last pod is gone. */
function drain({ kubectl }: RealNode, ...options: readonly string[]): Promise<string> {
  return kubectl('drain', nodeName, '--delete-emptydir-data', '--timeout=300s', ...options);
}

export const drains = [
  row('leaves a node that is drained with everything that is on it, and comes back to it', async (node) => {
    await drain(node);
    const running = '.items[?(@.status.phase=="Running")].metadata.name';
    equal(await node.fieldOf(running, 'pods', '--all-namespaces'), '');
    await node.kubectl('uncordon', nodeName);
    await node.rolledOut();
    await node.orders.ready();
    await node.orders.flows();
  }),

  row('lets the only pod of a sink go that is not ready', async (node) => {
    const { orders } = node;
    const pod = await orders.podOf(sink);
    process.kill(await orders.pidOf(pod), 'SIGSTOP');
    await orders.kubectl('wait', `pod/${pod}`, '--for=condition=Ready=false', '--timeout=120s');
    await evict(node, pod);
    await orders.ready();
    await orders.flows();
  }),

  row('keeps one of two pods of a sink while the other finds no node, and rows come', async (node) => {
    const { orders } = node;
    await orders.change({ replicas: 2 });
    await orders.ready();
    const before = await orders.podsOf(sink);
    const drained = drain(node, `--pod-selector=millrace.io/stage=${sink}`);
    const phases = async () =>
      (await Promise.all((await orders.podsOf(sink)).map((pod) => orders.fieldOfPod(pod, '.status.phase')))).sort();
    try {
      await eventually(async () => deepEqual(await phases(), ['Pending', 'Running']));
      const left = (await orders.podsOf(sink)).find((pod) => before.includes(pod)) ?? '';
      await rejects(evict(node, left), /would violate the pod's disruption budget/);
      await orders.flows();
    } finally {
      await node.kubectl('uncordon', nodeName);
      await drained;
    }
    await orders.ready();
    equal((await orders.podsOf(sink)).filter((pod) => before.includes(pod)).length, 0);
    await orders.flows();
  }),
];

async function evict(node: RealNode, pod: string): Promise<void> {
  const at = { name: pod, namespace: await node.orders.workloads() };
  const eviction = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: at });
  await node.create(`/api/v1/namespaces/${at.namespace}/pods/${pod}/eviction`, eviction);
}
