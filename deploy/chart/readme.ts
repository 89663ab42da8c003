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
to do instead. It also refuses to change \`nats.auth.enabled\` of a running NATS: streams belong to an account, and with users that is
another one, in which there would be none.

One release for each cluster, also where it keeps to some namespaces: the kind and the queue of Temporal are of the cluster.

## Who gets in at NATS

Under the \`production\` profile the bundled NATS knows whom it lets in (\`nats.auth.enabled\`): Millrace, and the pods of each pipeline
as a user of their own, with the subjects and streams of that pipeline (docs/operations.md says what that holds, and what not). A
hook makes the keys before the first installation, as Secrets that belong to no release and stay when it is uninstalled:

| Secret | what | who has it |
| --- | --- | --- |
| \`millrace-nats-server\` | \`auth.conf\`: whom nats-server believes | each nats-server |
| \`millrace-nats-access\` | \`user.creds\` | controller, lifecycle, \`helm test\` |
| \`millrace-nats-account\` | \`account.nk\` and \`account-id\`, which make users of pipelines | the lifecycle |
| \`millrace-nats-keep\` | the keys above these, for new claims of the server | nobody: keep it elsewhere, and delete it here |

Back them up: streams belong to their account, and no other keys open them. The hook writes over none. When all are there it does
nothing; when some are there and others are not, it refuses, with their names.

Where hooks do not run (\`--no-hooks\`, tools that apply what is rendered), make these Secrets first, with the same command:

\`\`\`sh
millrace nats-identity --secrets millrace --namespace millrace-system
\`\`\`

Secrets from elsewhere have names of their own: \`nats.auth.serverSecret\`, \`nats.accessSecret\` and \`nats.accountSecret\`, all three,
and there is no hook. \`millrace nats-identity FOLDER\` makes the files for them.

An external NATS is told by \`nats.address\` and Secrets of yours: \`nats.accessSecret\` for Millrace; for the pods of pipelines
\`nats.accountSecret\`, with which each pipeline gets a user, or \`nats.podAccessSecret\`, the same files for all. \`ca.crt\` for pods
goes into \`nats.podAccessSecret\`. docs/operations.md has a table of the files.

## TLS of NATS

\`nats.tls.mode: generated\` (\`production\`): the chart makes an authority and a certificate for ten years, as Secret
\`millrace-nats-tls\`, keeps it on every upgrade, and leaves it on uninstall. Tools that render without a cluster would make another one
each time: they use \`secret\`. To have another certificate, delete the Secret, upgrade, and go on as after a change of
\`nats.tls.mode\`; nats-server reads it when it starts.

\`nats.tls.mode: secret\` with \`nats.tls.secret\`: a Secret with \`tls.crt\`, \`tls.key\` and \`ca.crt\`, as cert-manager makes it. The
certificate must be for \`millrace-nats.NAMESPACE.svc\`, for the host of \`nats.podAddress\` if there is one, and, where there are several
servers, for \`*.millrace-nats-servers.NAMESPACE.svc\` with the usages \`server auth\` and \`client auth\`: servers show it to each other.
nats-server reads it when it starts; after a renewal, while the old one is valid:
\`kubectl rollout restart statefulset/millrace-nats\`.

Millrace and the pods of pipelines get \`ca.crt\`, and nothing else of it. Clients are told no addresses of pods, because those are not
in the certificate: they come back through the Service.

\`nats.tls.mode\` can be changed to and from \`off\`, and stops pipelines meanwhile. The servers speak the other way as soon as they
start anew; the pods of a pipeline get or lose the authority with \`millrace pause\` and \`millrace resume\`, and look for it when they
start. Until then they wait, sources take in nothing, and nothing is lost. Several servers do not understand each other half-way,
and the upgrade stands still: delete all of them at once with \`kubectl delete pods --selector app.kubernetes.io/component=nats\`.

## Temporal with TLS, a client certificate or an API key

\`temporal.accessSecret\` names a Secret with \`ca.crt\`, \`tls.crt\` and \`tls.key\`, or \`api-key\`. With a certificate that everybody
knows and no key, \`temporal.tls.enabled=true\` suffices. When a file changes, the processes end and start anew with it.

## Checks before a pipeline is stored

Under both profiles the API server asks a controller before it stores a new pipeline or a new spec (\`webhook.enabled\`), and refuses
them while none answers (\`webhook.failurePolicy\`). Deletions, statuses, finalizers and labels are never asked about. To go on without:
\`kubectl delete validatingwebhookconfiguration millrace-webhook\`; the next upgrade makes it again.

\`webhook.certificates.mode\`: with \`self\` the controllers make the certificate and tell the API server. With \`certManager\` its
injector does; the Issuer that the chart makes signs for itself, so that for a moment after a renewal the API server may not believe
the new certificate: name one with an authority in \`webhook.certificates.issuerRef\` to have none of that. With \`secret\` the Secret and
\`webhook.certificates.caBundle\` are yours; the certificate must be for \`millrace-webhook.NAMESPACE.svc\`, and is read again when it changes.

The API server shows no identity, and asks at a path that nobody can guess: the controllers make it and write it into the
configuration. It is in the Secret \`millrace-webhook-certificate\`, or, where the certificate is not theirs,
\`millrace-webhook-path\`. Whoever may read that Secret or the configuration can ask as the API server does, and learns which Secrets,
ConfigMaps and Deployments exist anywhere; \`webhook.from\` and a network policy keep others from the port.

Tools that compare a cluster with what they render (Argo CD) must leave \`caBundle\` and \`path\` alone, and the content of that Secret,
which is rendered empty.

## Images of a private registry

\`global.imagePullSecrets\` is for the pods of this chart. The pods of pipelines are in other namespaces: the lifecycle copies there
\`lifecycle.podPullSecret\`, or else the first of \`global.imagePullSecrets\`, which must then be the one for Millrace's image.
Pods that cannot pull are named in the status of their pipeline, with what the registry says, and those that run move records on. Put the
Secret right beside the lifecycle: it is copied again while pods wait for it, and they go on by themselves, within some minutes.

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

Volume claims of NATS, its keys and certificate, the token of the API and the kind stay, and are found again by a release of the same name.

## Is it in order?

\`helm test millrace --namespace millrace-system\` asks for each process, as its own account: the version of Kubernetes, the kind
Pipeline, every right, Temporal and its namespace, NATS and whether it makes a stream with the copies that are wanted. Everything
that is missing is named at once, each with its mend.

## Rights

Each process has an account of its own, with enumerated rights (\`files/rights.yaml\`, each explained in \`model/rights.ts\`). The
lifecycle reads and writes Secrets, and makes Deployments, in all namespaces: it copies the keys that a pipeline names into the
pipeline's namespace, and runs its pods there. The controller reads Secrets to notice that they have changed. Whoever has one of
these accounts can do much; nobody else should be let into the namespace of Millrace.
The controller changes one Secret, with the certificate and the path of its webhook, and one ValidatingWebhookConfiguration, by their names.
The hook that makes the keys of NATS may look for its four Secrets and create Secrets in its namespace; its role goes with it.
Worker pods have no API token. With \`rbac.aggregate\`, whoever has \`view\`, \`edit\` or \`admin\` in a namespace has it for the
pipelines there too.

## Only some namespaces

\`--set watchNamespaces={shop,billing}\`: Millrace looks after pipelines there and nowhere else. The namespaces must exist; each gets a
Role for each process, and no process sends a request about another one. What is asked about another one is answered with
\`MR_NAMESPACE_NOT_WATCHED\`. Pipelines need \`isolation: Shared\`: Millrace may make no namespace, and refuses a pipeline that wants
one of its own (\`MR_ISOLATION_NOT_ALLOWED\`).

What is left in ClusterRoles is \`get\` on Namespaces, for the controller and the lifecycle: the uid of \`kube-system\` is what tells
clusters apart, and a pipeline of before may have a namespace of its own. The definition of the kind is of the cluster, too, and
so are the roles of \`rbac.aggregate\`; \`crds.enabled=false\` and \`rbac.aggregate=false\` leave them to somebody else.

A namespace takes Millrace's Role along when it is deleted: delete the pipelines in it first, or their finalizers keep it. A pipeline
with a namespace of its own, and one outside of \`watchNamespaces\`, is not looked after any more once this is set: delete it before.

## Metrics

Controller, lifecycle and API serve \`/metrics\` on port 8081, pods of pipelines on 8080 (their port \`http\`). nats-server tells what it does
by its monitoring only: \`nats.exporter.enabled=true\` runs prometheus-nats-exporter beside each server of the bundled NATS, on port 7777.
Prometheus finds all this in one of three ways:

- \`metrics.podMonitor.enabled=true\`: PodMonitors for the pods of all pipelines (with labels of pipeline and stage), and for Millrace's own;
- \`metrics.serviceMonitor.enabled=true\`: ServiceMonitors for Millrace's own. With both, these have what is Millrace's, and nothing
  is asked for twice;
- \`metrics.annotations=true\`: \`prometheus.io/scrape\`, \`path\` and \`port\` on Millrace's own pods. Those of pipelines have none, because an
  annotation would start each of them anew: choose them by their label \`app.kubernetes.io/managed-by=millrace\`.

Monitors are made where the cluster has their kinds; the notes of the release say when it has not. \`labels\` are for a Prometheus that
follows only some, as \`metrics.podMonitor.labels.release=prometheus\`. Under \`networkPolicies.enabled\` those of
\`networkPolicies.metricsFrom\` get in, which is every pod of the cluster as long as it is empty.

There is no OpenTelemetry Collector in this chart: nothing in Millrace sends OTLP, so that one would receive nothing. One that you have
reads the same ports.

## Looking into NATS

\`nats.box.enabled=true\` makes a pod with the command \`nats\` that is let in as Millrace is, by TLS and with its user:

\`\`\`sh
kubectl exec -n millrace-system -it deployment/millrace-nats-box -- nats stream ls
\`\`\`

Whoever may exec into it can do everything in NATS: switch it off afterwards. Of an external NATS the files of \`nats.accessSecret\`
are in \`/etc/millrace/nats\`, and options such as \`--creds\` name them.

## Who may use the API

\`api.auth.mode\` is \`token\`: whoever has the token may do everything, and the API does it in its own name. With \`kubernetes\` or \`oidc\`
callers are people and accounts, each may do what its roles allow, and Kubernetes sees who it was: docs/identity.md has the three
commands, the values for an issuer, and what it costs in rights (\`files/identity-rights.yaml\`), which is much before Kubernetes 1.36.

## From outside of the cluster

The API: \`api.service.type\`, \`api.ingress\` or \`api.httpRoute\`. Records for \`http\` sources go in by the API as well
(\`POST /v1/namespaces/shop/pipelines/orders/records\`), with its token. To send them to the source directly, give an Ingress or HTTPRoute
of yours the Service that the lifecycle makes for it, port 8081 (\`records\`): \`orders-ingestor-SOURCE\` beside a pipeline with
\`isolation: Shared\`, \`ingestor-SOURCE\` in the namespace of another one. The chart has no value for this, because pipelines come and go without
it; such a source should ask for a token (\`auth\`).

## From an earlier version

\`helm upgrade\`. It replaces the processes of Millrace; the pods of a pipeline have the new image after its next operation, such as a
change of its spec, and move records with the one that they have until then.

What Kubernetes cannot change in place (selectors, claims) has stayed the same. A release from before there
were users in NATS, under the \`production\` profile, has none, and the chart refuses to bring them in: keep it with
\`--set nats.auth.enabled=false\`. TLS does come by an upgrade, and stops pipelines meanwhile (above):
\`--set nats.tls.mode=off\` leaves it out.

## Values

${valuesTable()}
`;
}
