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

A value that is null is that of the profile, or else the default: null switches nothing off. \`false\`, 0 and empty do.

## What cannot be changed later

From the \`lab\` to the \`production\` profile there is no upgrade: a single NATS server does not take its streams into a cluster, and
Temporal's development server is not where histories stay. Drain and delete the pipelines, uninstall, and install anew. The chart
refuses to change \`nats.replicas\` from one server to several or to fewer, and the size of volumes of a running NATS, and says what
to do instead. One release for each cluster: every controller looks after all pipelines.

## The kind Pipeline

The chart brings the resource definition and upgrades it with every \`helm upgrade\`. \`helm uninstall\` leaves it, and with it
every pipeline: to remove them too, delete the pipelines first and then
\`kubectl delete crd pipelines.millrace.io\`.

## Uninstall

While there are pipelines, \`helm uninstall\` is refused, with their names. \`uninstall.policy\` says otherwise: \`Drain\` deletes them
first, each as its \`deletionPolicy\` says (give Helm time: \`--timeout 15m\`); \`Orphan\` leaves them, without anybody who
repairs or changes them until Millrace is installed again. Their pods go on moving records as long as NATS is there: bundled, it
goes with the release, and its volumes stay. After a refusal Helm does not upgrade the release; the policy is
then changed in the ConfigMap \`millrace-uninstall\`, and \`helm uninstall\` run again. If the hook cannot run at all (an image that
is not to be had), \`helm uninstall --no-hooks\` does without.

Volume claims of NATS, the token of the API and the kind stay, and are found again by a release of the same name.

## Is it in order?

\`helm test millrace --namespace millrace-system\` asks for each process, as its own account: the version of Kubernetes, the kind
Pipeline, every right, Temporal and its namespace, NATS and whether it makes a stream with the copies that are wanted. Everything
that is missing is named at once, each with its mend.

## Rights

Each process has an account of its own, with enumerated rights (\`files/rights.yaml\`, each explained in \`model/rights.ts\`). The
lifecycle reads and writes Secrets, and makes Deployments, in all namespaces: it copies the keys that a pipeline names into the
pipeline's namespace, and runs its pods there. The controller reads Secrets to notice that they have changed. Whoever has one of
these accounts can do much; nobody else should be let into the namespace of Millrace.
Worker pods have no API token. With \`rbac.aggregate\`, whoever has \`view\`, \`edit\` or \`admin\` in a namespace has it for the
pipelines there too.

## Values

${valuesTable()}
`;
}
