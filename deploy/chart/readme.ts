/** The README of the chart: how to install it, and what can be set. */
import { profilesTable, valuesTable } from './render.ts';

export function chartReadme(): string {
  return `# Millrace

Streaming pipelines on Kubernetes: one \`Pipeline\` resource, run by Temporal, exactly once.

## Install

To try it on one node, with a Temporal of its own:

\`\`\`sh
helm install millrace deploy/chart/millrace --namespace millrace-system --create-namespace --set profile=lab
\`\`\`

For everything else, with your Temporal:

\`\`\`sh
helm install millrace deploy/chart/millrace --namespace millrace-system --create-namespace \\
  --set temporal.address=temporal-frontend.temporal:7233
\`\`\`

Kubernetes 1.30 or later. The \`production\` profile needs three nodes for NATS to survive the loss of one, and a storage class.

## Profiles

\`--set profile=lab\` or \`production\` (the default) stands for these values; each can be set by itself and then counts.

${profilesTable()}

## The kind Pipeline

The chart brings the resource definition and upgrades it with every \`helm upgrade\`. \`helm uninstall\` leaves it, and with it
every pipeline: to remove them too, delete the pipelines first and then
\`kubectl delete crd pipelines.millrace.io\`.

## Uninstall

While there are pipelines, \`helm uninstall\` is refused, with their names. \`uninstall.policy\` says otherwise: \`Drain\` deletes them
first, each as its \`deletionPolicy\` says (give Helm time: \`--timeout 15m\`); \`Orphan\` leaves them running, without anybody who
repairs or changes them, until Millrace is installed again. After a refusal Helm does not upgrade the release; the policy is
then changed in the ConfigMap \`millrace-uninstall\`, and \`helm uninstall\` run again.

## Is it in order?

\`helm test millrace --namespace millrace-system\` asks for each process, as its own account: the version of Kubernetes, the kind
Pipeline, every right, Temporal and its namespace, NATS and whether it makes a stream with the copies that are wanted. Everything
that is missing is named at once, each with its mend.

## Rights

Each process has an account of its own, with enumerated rights (\`files/rights.yaml\`, each explained in \`model/rights.ts\`). The
lifecycle reads and writes Secrets in all namespaces: it copies the keys that a pipeline names into the pipeline's namespace.
Worker pods have no API token. With \`rbac.aggregate\`, whoever has \`view\`, \`edit\` or \`admin\` in a namespace has it for the
pipelines there too.

## Values

${valuesTable()}
`;
}
