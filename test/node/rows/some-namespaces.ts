/** A release that looks after some namespaces only, where one of before has left its volumes and keys. */
import { equal, match, rejects } from 'node:assert/strict';
import { namespace } from '../../deploy/support/helm.ts';
import { row } from '../support/suite.ts';

const watched = 'shop';

export const someNamespaces = [
  row(
    'is installed again on the volumes and keys that it left, for one namespace, and has rights there only',
    async (node) => {
      const { kubectl, release } = node;
      await kubectl('create', 'namespace', watched);
      await kubectl('label', 'namespace', watched, 'pod-security.kubernetes.io/enforce=restricted');
      await release.install([`watchNamespaces={${watched}}`]);
      await node.rolledOut();
      match(await release.helm('test', 'millrace'), /Succeeded/);
      const lifecycle = `--as=system:serviceaccount:${namespace}:millrace-lifecycle`;
      const may = (where: string) => kubectl('auth', 'can-i', 'create', 'deployments', '-n', where, lifecycle);
      equal((await may(watched)).trim(), 'yes');
      await rejects(may('default'), ({ stdout }: { stdout: string }) => stdout.startsWith('no'));
    },
  ),

  row('has the rows of a pipeline there, whose pods are beside it', async (node) => {
    const orders = node.ordersIn({ namespace: watched, isolation: 'Shared', table: 'orders_of_shop' });
    await orders.change({ factor: 1 });
    await orders.ready();
    await orders.flows();
  }),
];
