/** The first pipeline of a person. */
import { deepEqual } from 'node:assert/strict';
import { decode } from '@nats-io/jwt';
import { z } from 'zod';
import { natsMonitor } from '../support/nats.ts';
import { row } from '../support/suite.ts';

const connections = z.looseObject({
  connections: z.array(z.looseObject({ name: z.string(), jwt: z.string(), tls_version: z.string() })),
});

export const firstRows = [
  row('has the rows of the first pipeline in a table', async ({ orders }) => {
    const startedAt = Date.now();
    await orders.change();
    await orders.ready();
    await orders.flows();
    process.stdout.write(`      rows after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s\n`);
  }),

  row('lets its pods in at NATS as a user of their own, by TLS, and everybody else as Millrace', async (node) => {
    const open = connections.parse(await natsMonitor(node, 'connz?auth=1')).connections;
    const usersOf = (...names: readonly string[]) => {
      const found = open.filter(({ name }) => names.some((one) => name.includes(one)));
      return new Set(found.map(({ jwt, tls_version: tls }) => `${decode(jwt).name} by TLS ${tls}`));
    };
    const pods = await Promise.all(['ingestor-orders', 'sink-warehouse'].map((stage) => node.orders.podOf(stage)));
    deepEqual(usersOf(...pods), new Set(['default/orders by TLS 1.3']));
    deepEqual(usersOf('controller', 'lifecycle'), new Set(['millrace by TLS 1.3']));
  }),
];
