/** Upgrades of the release. */
import { equal } from 'node:assert/strict';
import { namespace } from '../../deploy/support/helm.ts';
import { row } from '../support/suite.ts';

export const upgrade = [
  row('is upgraded with the keys and the certificate of NATS that it has', async (node) => {
    const names = ['server', 'access', 'account', 'keep', 'tls'].map((part) => `millrace-nats-${part}`);
    const made = () => node.fieldOf('.items[*].data', '-n', namespace, 'secrets', ...names);
    const before = await made();
    await node.release.upgrade(['logLevel=debug']);
    equal(await made(), before);
    await node.rolledOut();
    await node.orders.flows();
  }),
];
