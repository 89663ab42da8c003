/** The probes of a worker, as the kubelet asks them. */
import { equal } from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { row } from '../support/suite.ts';

const restarts = '.status.containerStatuses[0].restartCount';

export const probes = [
  row(
    'takes a sink that hangs out of service, and puts it back, without losing or repeating a row',
    async ({ orders }) => {
      const pod = await orders.podOf('sink-warehouse');
      const pid = await orders.pidOf(pod);
      process.kill(pid, 'SIGSTOP');
      try {
        await orders.kubectl('wait', `pod/${pod}`, '--for=condition=Ready=false', '--timeout=120s');
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await orders.kubectl('wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=120s');
      equal(await orders.fieldOfPod(pod, restarts), '0');
      await orders.flows();
    },
  ),

  row('starts a source anew that hangs for good, without losing or repeating a row', async ({ orders }) => {
    const pod = await orders.podOf('ingestor-orders');
    process.kill(await orders.pidOf(pod), 'SIGSTOP');
    await eventually(async () => equal(await orders.fieldOfPod(pod, restarts), '1'));
    await orders.kubectl('wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=120s');
    await orders.flows();
  }),

  row('starts a sink again that is killed, without losing or repeating a row', async ({ orders }) => {
    const pod = await orders.podOf('sink-warehouse');
    process.kill(await orders.pidOf(pod), 'SIGKILL');
    await eventually(async () => equal(await orders.fieldOfPod(pod, restarts), '1'));
    await orders.flows();
  }),
];
