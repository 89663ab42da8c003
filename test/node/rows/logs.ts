/** Logs pass through the kubelet. */
import { match } from 'node:assert/strict';
import { join } from 'node:path';
import { sh } from '../support/shell.ts';
import { row } from '../support/suite.ts';

const millrace = join(import.meta.dirname, '..', '..', '..', 'cli', 'millrace.ts');

export const logs = [
  row('shows their logs by kubectl and by millrace', async ({ orders, kubeconfigPath }) => {
    const pod = await orders.podOf('sink-warehouse');
    match(await orders.kubectl('logs', pod), /slot acquired/);
    const said = await sh(process.execPath, millrace, 'logs', 'orders', '--kubeconfig', kubeconfigPath);
    match(said, new RegExp(`${pod} INFO .*slot acquired`));
  }),
];
