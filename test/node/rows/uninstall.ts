/** The end of a release. */
import { equal, match, rejects } from 'node:assert/strict';
import { namespace } from '../../deploy/support/helm.ts';
import { row } from '../support/suite.ts';

/** Of a command that has failed. */
interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

export const uninstall = [
  row('is not uninstalled while there are pipelines, and says how it is', async ({ release, orders }) => {
    await rejects(release.helm('uninstall', 'millrace', '--timeout', '5m'), (error: Said) => {
      const said = `${error.stdout} ${error.stderr}`;
      match(said, /MR_UNINSTALL_BLOCKED.*default\/orders[^]*patch configmap millrace-uninstall/);
      return true;
    });
    await orders.flows(1);
  }),

  row(
    'drains them when that is asked for, and is gone, with every row in the table once',
    async ({ release, orders, kubectl }) => {
      const policy = JSON.stringify({ data: { policy: 'Drain' } });
      await kubectl('-n', namespace, 'patch', 'configmap', 'millrace-uninstall', '--type', 'merge', '--patch', policy);
      await release.helm('uninstall', 'millrace', '--timeout', '10m');
      equal((await kubectl('get', 'pipelines', '--all-namespaces', '-o', 'name')).trim(), '');
      equal((await kubectl('get', 'namespaces', '-l', 'millrace.io/pipeline=orders', '-o', 'name')).trim(), '');
      await orders.exact();
    },
  ),
];
