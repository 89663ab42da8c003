/** The chart, and what its hooks and its webhook need of a cluster. */
import { match, rejects } from 'node:assert/strict';
import { row } from '../support/suite.ts';

export const install = [
  row('is installed by one command, and every process finds what it needs', async (node) => {
    await node.release.install();
    await node.rolledOut();
    match(await node.release.helm('test', 'millrace'), /Succeeded/);
  }),

  row(
    'asks a controller before a pipeline is stored, by its Service and with the certificate that it made',
    async (node) => {
      const wrong = '[{name: times, filter: {where: "record."}}]';
      await rejects(node.orders.change({}, wrong), /spec\.steps\[0\]\.filter\.where: expression does not compile/);
      const at = '.webhooks[0].clientConfig.caBundle';
      const bundle = await node.fieldOf(at, 'validatingwebhookconfiguration', 'millrace-webhook');
      match(Buffer.from(bundle, 'base64').toString('utf8'), /BEGIN CERTIFICATE/);
    },
  ),
];
