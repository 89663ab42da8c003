/** NetworkPolicies of the chart and of pipelines, where something enforces them. */
import { equal } from 'node:assert/strict';
import { stringify } from 'yaml';
import { namespace } from '../../deploy/support/helm.ts';
import { eventually } from '../support/eventually.ts';
import { row } from '../support/suite.ts';

const stranger = 'stranger';

/** A pod that belongs to nobody. */
const manifest = (image: string) =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: stranger, namespace: 'default' },
    spec: {
      containers: [{ name: 'waits', image, command: ['node', '-e', 'setInterval(() => {}, 1e6)'] }],
      terminationGracePeriodSeconds: 0,
    },
  });

/** What becomes of a connection from a pod. */
async function reach(kubectl: (...args: string[]) => Promise<string>, at: string, port: number): Promise<string> {
  const dial = `const socket = require('node:net').connect(${port}, '${at}');
    socket.setTimeout(3000, () => { console.log('closed'); process.exit(); });
    socket.on('connect', () => { console.log('open'); process.exit(); }).on('error', () => { console.log('closed'); });`;
  return (await kubectl('exec', stranger, '--', 'node', '-e', dial)).trim();
}

export const networkPolicies = [
  row('lets nobody at NATS but Millrace and pods of pipelines', async (node) => {
    await node.apply(manifest(await node.imageOf('api')));
    await node.kubectl('wait', `pod/${stranger}`, '--for=condition=Ready', '--timeout=120s');
    const nats = await node.fieldOf('.status.podIP', '-n', namespace, 'pod', 'millrace-nats-0');
    // Its metrics are for every pod: so there is a way, and it is the policy that closes the other port.
    await eventually(async () => equal(await reach(node.kubectl, nats, 8222), 'open'));
    await eventually(async () => equal(await reach(node.kubectl, nats, 4222), 'closed'));
    await node.kubectl('delete', 'pod', stranger);
    await node.orders.flows();
  }),
];
