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

## Rights

Each process has an account of its own, with enumerated rights (\`files/rights.yaml\`, each explained in \`model/rights.ts\`). The
lifecycle reads and writes Secrets in all namespaces: it copies the keys that a pipeline names into the pipeline's namespace.
Worker pods have no API token. With \`rbac.aggregate\`, whoever has \`view\`, \`edit\` or \`admin\` in a namespace has it for the
pipelines there too.

## Values

${valuesTable()}
`;
}
