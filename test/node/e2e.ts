/**
 * `npm run e2e:node`: the image and the chart on a real kubelet and containerd, as root on Linux. A person's day: install, the
 * first pipeline, what its pods may do, trouble, changes under load, uninstall.
 */
import { confinedPods } from './rows/confined.ts';
import { drains } from './rows/drain.ts';
import { edits } from './rows/edits.ts';
import { firstRows } from './rows/first-rows.ts';
import { install } from './rows/install.ts';
import { logs } from './rows/logs.ts';
import { networkPolicies } from './rows/network-policies.ts';
import { outOfMemory } from './rows/out-of-memory.ts';
import { privateRegistry } from './rows/private-registry.ts';
import { probes } from './rows/probes.ts';
import { someNamespaces } from './rows/some-namespaces.ts';
import { uninstall } from './rows/uninstall.ts';
import { upgrade } from './rows/upgrade.ts';
import { volumes } from './rows/volumes.ts';
import { whyNoPolicies } from './support/policies.ts';
import { onRealNode } from './support/suite.ts';

const noPolicies = whyNoPolicies();
if (noPolicies !== undefined) process.stderr.write(`NetworkPolicies are not tried: ${noPolicies}\n`);

await onRealNode({
  title: 'a real node',
  enforcesPolicies: noPolicies === undefined,
  rows: [
    ...install,
    ...firstRows,
    ...confinedPods,
    ...logs,
    ...(noPolicies === undefined ? networkPolicies : []),
    ...probes,
    ...edits,
    ...outOfMemory,
    ...upgrade,
    ...privateRegistry,
    ...volumes,
    ...drains,
    ...uninstall,
    ...someNamespaces,
  ],
});
