/** What StatefulSets keep when their pods are replaced. */
import { deepEqual, ok } from 'node:assert/strict';
import { z } from 'zod';
import { namespace } from '../../deploy/support/helm.ts';
import { natsMonitor } from '../support/nats.ts';
import type { RealNode } from '../support/real-node.ts';
import { row } from '../support/suite.ts';

const detail = z.looseObject({
  name: z.string(),
  created: z.string(),
  config: z.looseObject({ storage: z.string() }),
  state: z.looseObject({ last_seq: z.number() }),
});
const jsz = z.looseObject({
  account_details: z.array(z.looseObject({ stream_detail: z.array(detail).optional() })),
});

/** Streams that are files: when each was made, and how far it has come. */
async function streamsOf(node: RealNode): Promise<ReadonlyMap<string, z.output<typeof detail>>> {
  const said = jsz.parse(await natsMonitor(node, 'jsz?streams=true&config=true'));
  const streams = said.account_details.flatMap(({ stream_detail: some = [] }) => some);
  return new Map(streams.filter(({ config }) => config.storage === 'file').map((stream) => [stream.name, stream]));
}

async function replace({ kubectl }: RealNode, pod: string): Promise<void> {
  await kubectl('-n', namespace, 'delete', 'pod', pod);
  await kubectl('-n', namespace, 'wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=300s');
}

export const volumes = [
  row('finds the streams of NATS on the volume of its pod when that is replaced', async (node) => {
    const before = await streamsOf(node);
    ok(before.size > 0);
    await replace(node, 'millrace-nats-0');
    const after = await streamsOf(node);
    const made = (streams: typeof before) =>
      [...streams.values()].map(({ name, created }) => `${name} ${created}`).sort();
    deepEqual(made(after), made(before));
    for (const [name, { state }] of before) ok((after.get(name)?.state.last_seq ?? 0) >= state.last_seq, name);
    await node.orders.flows();
  }),

  row('goes on with the histories of Temporal when its pod is replaced', async (node) => {
    await replace(node, 'millrace-temporal-0');
    await node.orders.change({ factor: 7 });
    await node.orders.carries(7);
    await node.orders.ready();
    await node.orders.flows();
  }),
];
