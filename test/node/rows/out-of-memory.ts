/** A worker that the kernel ends because it uses more memory than its limit. */
import { equal, match } from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { row } from '../support/suite.ts';

const sink = 'sink-warehouse';
/** Run beside a worker that listens to a debugger: has it keep more and more, until the kernel ends it. */
const fill = `fetch('http://127.0.0.1:9229/json').then((answer) => answer.json()).then(([{ webSocketDebuggerUrl }]) => {
  const expression = 'globalThis.kept = []; for (;;) kept.push(Buffer.alloc(2 ** 24, 1))';
  const socket = new WebSocket(webSocketDebuggerUrl);
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  socket.onclose = () => process.exit();
});`;

export const outOfMemory = [
  row('says of a worker that its limit of memory has ended what to do, and loses or repeats no row', async (node) => {
    const { orders, kubectl } = node;
    const pod = await orders.podOf(sink);
    // Node listens to a debugger from then on.
    process.kill(await orders.pidOf(pod), 'SIGUSR1');
    const ended = '.status.containerStatuses[0].lastState.terminated.reason';
    await eventually(async () => {
      await orders.kubectl('exec', pod, '--', 'node', '-e', fill).catch(() => undefined);
      equal(await orders.fieldOfPod(pod, ended), 'OOMKilled');
    });
    const told = ['--field-selector', 'reason=WorkerOutOfMemory,involvedObject.name=orders'];
    await eventually(async () => {
      const events = await kubectl('-n', 'default', 'get', 'events', ...told);
      match(events, new RegExp(`${pod} .*limit of 512Mi`));
    });
    await orders.ready();
    await orders.flows();
  }),

  row('says it as long as the limit is too low, and heals once it is raised', async ({ orders }) => {
    await orders.change({ factor: 5, memory: '64Mi' });
    await eventually(async () => {
      match(await orders.message('Ready'), /sink-warehouse .*limit of 64Mi \(OOMKilled\).*Raise `spec/);
    });
    await orders.change({ memory: '512Mi' });
    await orders.carries(5);
    await orders.ready();
    await orders.flows();
  }),
];
