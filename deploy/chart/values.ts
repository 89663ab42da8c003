/**
 * The values of the chart: one schema, from which `values.yaml`, `values.schema.json` and the table in the chart's README
 * are written (`./render.ts`).
 *
 * V1  Every value has a description, and a default; null stands for "as the profile says" (`./profiles.ts`).
 * V2  Unknown keys are refused, so that a typing error is not taken for a wish. Parts of Kubernetes objects are passed on
 *     as they are: the API server knows them better.
 */
import { z } from 'zod';
import { identityModes, impersonationModes } from '../../model/rights.ts';
import { uninstallPolicies } from '../../model/uninstall-policy.ts';

/** Of a Kubernetes object; the API server checks it. */
const part = (what: string) => z.record(z.string(), z.unknown()).default({}).describe(what);
const parts = (what: string) => z.array(z.record(z.string(), z.unknown())).default([]).describe(what);
const text = (what: string, otherwise = '') => z.string().default(otherwise).describe(what);
const flag = (what: string, otherwise: boolean) => z.boolean().default(otherwise).describe(what);
/** V1. */
const byProfile = <T extends z.ZodType>(schema: T, what: string) =>
  schema.nullable().default(null).describe(`${what} Null: as the profile says.`);

/** As Kubernetes takes it; `--set` makes a number of what looks like one. */
const quantity = z.union([z.string().regex(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/), z.number().min(0)]);
/** As both Kubernetes and nats-server take it. */
const size = z.string().regex(/^\d+(K|M|G|T|Ki|Mi|Gi|Ti)$/);
const resources = (cpu: string, memory: string, limit: string) =>
  z
    .strictObject({
      requests: z.record(z.string(), quantity).default({ cpu, memory }).describe('What the scheduler reserves.'),
      limits: z
        .record(z.string(), quantity)
        .default({ memory: limit })
        .describe('No limit of CPU: a throttled process loses its leases.'),
    })
    .prefault({})
    .describe('Resources of the container.');

const image = (repository: string, tag: string, tagText: string) =>
  z
    .strictObject({
      registry: text('Host of the registry. Empty: `global.imageRegistry`, or else what the container runtime takes.'),
      repository: text('Name of the image.', repository),
      tag: text(tagText, tag),
      digest: text('`sha256:…`; wins over the tag.'),
      pullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent').describe('When it is pulled.'),
    })
    .prefault({});

const placement = {
  nodeSelector: part('Labels that a node must have.'),
  tolerations: parts('Taints that its pods tolerate.'),
  affinity: part('Where its pods prefer to be, or not to be.'),
  topologySpreadConstraints: parts('How its pods are spread. Empty: over nodes and zones, as far as that is possible.'),
  priorityClassName: text('PriorityClass of its pods.'),
  podLabels: z.record(z.string(), z.string()).default({}).describe('Further labels of its pods.'),
  podAnnotations: z.record(z.string(), z.string()).default({}).describe('Further annotations of its pods.'),
};

const serviceAccount = (what: string) =>
  z
    .strictObject({
      create: flag('Whether the chart creates it.', true),
      name: text('Its name. Empty: made of the release.'),
      annotations: z.record(z.string(), z.string()).default({}).describe('For identities of a cloud.'),
    })
    .prefault({})
    .describe(`Account of ${what}.`);

const duration = (what: string) =>
  z
    .string()
    .regex(/^(\d+(ms|s|m|h))?$/)
    .default('')
    .describe(`${what} Empty: as Prometheus does.`);

const monitor = (what: string) =>
  z
    .strictObject({
      enabled: flag(
        'Whether the chart makes them, where the cluster has the kind; its notes say when it has not.',
        false,
      ),
      labels: z
        .record(z.string(), z.string())
        .default({})
        .describe('Further labels, by which a Prometheus chooses what it follows.'),
      interval: duration('How often it asks, as `30s`.'),
      scrapeTimeout: duration('How long it waits for an answer.'),
    })
    .prefault({})
    .describe(what);

const subjects = (what: string) => z.array(z.string().min(1)).default([]).describe(what);
const binding = z.strictObject({
  role: z.enum(['view', 'edit', 'records']).describe('Which.'),
  namespaces: z
    .array(z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/))
    .default([])
    .describe('Where. Empty: everywhere.'),
  users: subjects('Names.'),
  groups: subjects('Names of groups.'),
  serviceAccounts: z
    .array(z.strictObject({ namespace: z.string().min(1), name: z.string().min(1) }))
    .default([])
    .describe('Accounts.'),
});

const ownProcess = (what: string, [cpu, memory, limit]: readonly [string, string, string]) => ({
  replicas: byProfile(z.int().min(0).max(50), 'How many pods.'),
  resources: resources(cpu, memory, limit),
  ...placement,
  extraEnv: parts('Further environment variables, as in a container.'),
  serviceAccount: serviceAccount(what),
});

export const valuesSchema = z.strictObject({
  profile: z
    .enum(['lab', 'production'])
    .default('production')
    .describe('Defaults that belong together: `lab` for one node and for trying, `production` for everything else.'),
  nameOverride: text(
    'In place of the name of the chart, in labels and in the names of objects. On a release that runs it makes new objects, and new volumes.',
  ),
  fullnameOverride: text(
    'In place of the beginning of all names. On a release that runs it makes new objects, and new volumes.',
  ),
  enabled: flag('For charts above this one: whether it is part of them.', true),
  commonLabels: z.record(z.string(), z.string()).default({}).describe('Further labels of every object.'),
  // Charts above have values of their own here.
  global: z
    .looseObject({
      imageRegistry: text('Host of the registry for all images that name none.'),
      imagePullSecrets: z
        .array(z.strictObject({ name: z.string().min(1) }))
        .default([])
        .describe('Secrets of this namespace with which images are pulled.'),
    })
    .prefault({})
    .describe('For this chart and those above it.'),
  image: image('millrace/millrace', '', 'Empty: the version of the chart.').describe('The image of all processes.'),
  crds: z
    .strictObject({
      enabled: flag('Whether the chart brings the kind Pipeline, and upgrades it.', true),
      keep: flag('Whether it stays, with all pipelines, when the release is uninstalled.', true),
    })
    .prefault({})
    .describe('The resource definitions.'),
  watchNamespaces: z
    .array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/))
    .default([])
    .describe(
      'Namespaces in which Millrace looks after pipelines, with Roles in each and next to no right outside; they must exist. Pipelines there are `isolation: Shared`. Empty: all namespaces.',
    ),
  rbac: z
    .strictObject({
      create: flag('Whether the chart creates roles and their bindings.', true),
      aggregate: flag('Whether `view`, `edit` and `admin` of the cluster include pipelines.', true),
    })
    .prefault({})
    .describe('Rights.'),
  controller: z
    .strictObject({
      ...ownProcess('the controller', ['50m', '192Mi', '512Mi']),
      repairsAtOnce: z.int().min(1).default(8).describe('How many pipelines are repaired at once when many deviate.'),
      sweepSeconds: z.int().min(1).default(60).describe('How often it looks for pipelines that nobody looks after.'),
    })
    .prefault({})
    .describe('Watches pipelines, and says how they are.'),
  lifecycle: z
    .strictObject({
      ...ownProcess('the lifecycle worker', ['100m', '384Mi', '1Gi']),
      podPullSecret: text(
        'Secret of this namespace (kubernetes.io/dockerconfigjson) that is copied beside the pods of pipelines, to pull their image. Empty: the first of `global.imagePullSecrets`.',
      ),
    })
    .prefault({})
    .describe('Carries out what happens to pipelines, as Temporal workflows.'),
  api: z
    .strictObject({
      enabled: flag('Whether there is a REST API.', true),
      ...ownProcess('the API', ['50m', '192Mi', '512Mi']),
      auth: z
        .strictObject({
          mode: z
            .enum(['token', ...identityModes])
            .default('token')
            .describe(
              '`token`: whoever shows the one token may do everything. `kubernetes`: callers show tokens that Kubernetes knows. `oidc`: those of an issuer. With these two each may do what its roles allow; docs/identity.md.',
            ),
          tokenSecret: text(
            'Of `token`: Secret with the token under the key `token`. Empty: the chart makes one, and keeps it; tools that render without a cluster must name one.',
          ),
          audiences: z
            .array(z.string().regex(/^[^\s,]+$/))
            .default([])
            .describe(
              'For whom a token must be made. Of `kubernetes`, empty: for the API server. Of `oidc` at least one: mostly the client id.',
            ),
          bindings: z
            .array(binding)
            .default([])
            .describe(
              'Roles that the chart gives, each as `{role, namespaces, users, groups, serviceAccounts}`. `role`: view, edit or records. `namespaces` empty: all. Of `oidc`, users and groups are as the claims have them.',
            ),
          oidc: z
            .strictObject({
              issuer: text('Its URL, as in the claim `iss`.'),
              jwksUrl: text('Where its keys are. Empty: where its discovery document says.'),
              caConfigMap: text(
                'ConfigMap with `ca.crt`, by which its certificate is believed. Empty: by those that everybody knows.',
              ),
              clockSkewSeconds: z.int().min(0).max(600).default(30).describe('By how much its clock may differ.'),
              usernameClaim: text('Claim with the name: its own name, or a JSON pointer (`/a/b`).', 'sub'),
              usernamePrefix: text('What a name begins with for RBAC.', 'oidc:'),
              groupsClaim: text('Claim with the groups, likewise.', 'groups'),
              groupsPrefix: text('What a group begins with for RBAC.', 'oidc:'),
              cliClientId: text('Public client with the device flow, for `millrace login`. Empty: people name one.'),
              cliScopes: text('What `millrace login` asks for.', 'openid offline_access'),
            })
            .prefault({})
            .describe('The issuer, of `oidc`.'),
          impersonation: z
            .enum(['auto', ...impersonationModes])
            .default('auto')
            .describe(
              'How Kubernetes lets the API act in the name of callers. `constrained`: only with pipelines. `legacy`: with everything. `auto`: constrained from Kubernetes 1.36 on.',
            ),
          impersonateExtra: z
            .array(z.string().regex(/^[a-z0-9]([a-z0-9./_-]*[a-z0-9])?$/))
            .default([])
            .describe('Keys of what else Kubernetes knows about callers, which admission and audit must see.'),
          requestsPerSecond: z
            .int()
            .min(1)
            .max(9_999)
            .default(50)
            .describe('How many requests of one caller each pod takes, but for records; four times as many at once.'),
        })
        .prefault({})
        .describe('Who may use it.'),
      hosts: z
        .array(z.string().regex(/^[\w.-]+$/))
        .default([])
        .describe('Names under which it is reached from outside the cluster.'),
      service: z
        .strictObject({
          type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP').describe('Kind of Service.'),
          port: z.int().min(1).max(65_535).default(80).describe('Port of the Service.'),
          annotations: z.record(z.string(), z.string()).default({}).describe('For load balancers of a cloud.'),
        })
        .prefault({})
        .describe('The Service.'),
      ingress: z
        .strictObject({
          enabled: flag('Whether there is an Ingress for all of `hosts`.', false),
          className: text('Its class.'),
          annotations: z.record(z.string(), z.string()).default({}).describe('For its controller.'),
          tlsSecret: text('Secret with the certificate. Empty: no TLS.'),
        })
        .prefault({})
        .describe('Access by an Ingress.'),
      httpRoute: z
        .strictObject({
          enabled: flag('Whether there is an HTTPRoute for all of `hosts`.', false),
          parentRefs: parts('The Gateways.'),
        })
        .prefault({})
        .describe('Access by the Gateway API.'),
    })
    .prefault({})
    .describe('The REST API.'),
  webhook: z
    .strictObject({
      enabled: byProfile(
        z.boolean(),
        'Whether controllers check a pipeline before it is stored, in the words of lint.',
      ),
      failurePolicy: z
        .enum(['Fail', 'Ignore'])
        .default('Fail')
        .describe(
          'What becomes of a new pipeline or a new spec while no controller answers. `Fail`: it is refused. `Ignore`: it is stored unchecked. Deletions, statuses and metadata never wait for a controller.',
        ),
      timeoutSeconds: z.int().min(1).max(30).default(5).describe('How long the API server waits for an answer.'),
      namespaceSelector: part(
        'Namespaces whose pipelines are checked, as in a label selector. Empty: all, or those of `watchNamespaces`, but that of the release and kube-system.',
      ),
      policy: flag(
        'Whether a ValidatingAdmissionPolicy has those rules that the API server can check by itself: they hold without a controller.',
        true,
      ),
      certificates: z
        .strictObject({
          mode: z
            .enum(['self', 'certManager', 'secret'])
            .default('self')
            .describe(
              '`self`: controllers make and renew it. `certManager`: cert-manager does. `secret`: it is in `secret`, and somebody else renews it.',
            ),
          secret: text('Of `secret`: the Secret with `tls.crt` and `tls.key`, for the Service `…-webhook`.'),
          caBundle: text('Of `secret`: the certificates, PEM, by which the API server believes it.'),
          issuerRef: part(
            'Of `certManager`: the Issuer or ClusterIssuer. Empty: the chart makes one that signs for itself.',
          ),
        })
        .prefault({})
        .describe('The certificate that is shown to the API server.'),
      from: parts('Peers, as in a NetworkPolicy, that may ask. Empty: everybody, because API servers are no pods.'),
    })
    .prefault({})
    .describe('Checks of pipelines before they are stored.'),
  nats: z
    .strictObject({
      mode: z
        .enum(['bundled', 'external'])
        .default('bundled')
        .describe('`bundled`: the chart runs NATS. `external`: at `address`, with JetStream.'),
      address: text('Of an external NATS: `nats://host:4222`, several separated by commas.'),
      podAddress: text('The same as the pods of pipelines reach it. Empty: `address`.'),
      streamReplicas: byProfile(
        z.union([z.literal(1), z.literal(3), z.literal(5)]),
        'Copies of each stream; of an external NATS, or fewer than there are servers.',
      ),
      replicas: byProfile(z.union([z.literal(1), z.literal(3), z.literal(5)]), 'Servers.'),
      accessSecret: text(
        'Secret with what lets Millrace in: `user.creds`, or `token`, or `username` and `password`; `ca.crt`; `tls.crt` and `tls.key`. Of an external NATS; of the bundled one together with `accountSecret` and `auth.serverSecret`.',
      ),
      podAccessSecret: text(
        'The same for the pods of all pipelines; copied beside them. What is in the one of Millrace is never given to them.',
      ),
      accountSecret: text(
        'Secret with `account.nk` and `account-id`, as `millrace nats-identity` makes them: the pods of each pipeline are a user of their own.',
      ),
      auth: z
        .strictObject({
          enabled: byProfile(
            z.boolean(),
            'Whether the bundled NATS lets in only whom it knows: Millrace, and the pods of each pipeline as a user of their own.',
          ),
          serverSecret: text(
            'Secret with `auth.conf`, which says so to nats-server. Empty, as `accessSecret` and `accountSecret`: a hook makes all three, once, and they stay.',
          ),
          serviceAccount: serviceAccount('the hook that makes the keys'),
        })
        .prefault({})
        .describe('Who is let in.'),
      tls: z
        .strictObject({
          mode: byProfile(
            // Without quotation marks, `off` in a file is false.
            z.union([z.enum(['off', 'generated', 'secret']), z.literal(false)]),
            'TLS of the bundled NATS, to its clients and between its servers. `generated`: the chart makes a certificate, for ten years, and keeps it. `secret`: that of `secret`.',
          ),
          secret: text(
            'Secret with `tls.crt`, `tls.key` and `ca.crt`, as cert-manager makes it; the README says for which names.',
          ),
        })
        .prefault({})
        .describe('Whether what is said is encrypted.'),
      image: image('nats', '2.15.2', 'Version of nats-server: 2.14 or later.').describe('The image of nats-server.'),
      resources: resources('200m', '512Mi', '2Gi'),
      ...placement,
      storage: z
        .strictObject({
          enabled: flag('False: everything is lost with the pod. Only for trying.', true),
          size: byProfile(size, 'Of each volume.'),
          storageClass: text('Empty: the default of the cluster.'),
        })
        .prefault({})
        .describe('Volumes of JetStream.'),
      exporter: z
        .strictObject({
          enabled: flag(
            'Whether prometheus-nats-exporter runs beside each server of the bundled NATS, on port 7777.',
            false,
          ),
          image: image('natsio/prometheus-nats-exporter', '0.20.1', 'Version of the exporter.').describe('Its image.'),
          resources: resources('10m', '32Mi', '128Mi'),
        })
        .prefault({})
        .describe('Metrics of NATS for Prometheus. nats-server tells them by its monitoring only.'),
      box: z
        .strictObject({
          enabled: flag(
            'Whether there is a pod with the command `nats`, to look into a trouble. It has the access of Millrace: whoever may exec into it can do everything in NATS.',
            false,
          ),
          image: image('natsio/nats-box', '0.19.7-nonroot', 'Version of nats-box.').describe('Its image.'),
        })
        .prefault({})
        .describe('A pod for debugging.'),
      jetStream: z
        .strictObject({
          maxFileStore: byProfile(size, 'What streams may hold; less than the volume, which must never be full.'),
          maxMemoryStore: size.default('256Mi').describe('Leases and reports.'),
          syncInterval: z
            .string()
            .regex(/^(always|\d+(ms|s|m))$/)
            .default('always')
            .describe(
              'When what is stored is forced to the disk. `always`: before it is acknowledged, so that no power loss takes it.',
            ),
          maxPayload: size.default('8Mi').describe('Largest message: a frame, and so a record, is smaller.'),
        })
        .prefault({})
        .describe('Settings of JetStream.'),
    })
    .prefault({})
    .describe('The bus between the stages of pipelines.'),
  temporal: z
    .strictObject({
      address: text('`host:7233` of the frontend. Must be given, unless `devServer.enabled`.'),
      namespace: text('Its namespace.', 'default'),
      uiUrl: text('Where people find its UI: links in the status lead there.'),
      accessSecret: text(
        'Secret with what lets Millrace in: `ca.crt`; `tls.crt` and `tls.key`, a client certificate; `api-key`.',
      ),
      tls: z
        .strictObject({
          enabled: flag('TLS, also where nothing in `accessSecret` needs it.', false),
          serverName: text('Name in its certificate, when that is not the host of the address.'),
        })
        .prefault({})
        .describe('TLS to the frontend.'),
      devServer: z
        .strictObject({
          enabled: byProfile(z.boolean(), 'Whether the chart runs a Temporal of one process, for trying.'),
          image: image('temporalio/temporal', '1.5.1', 'Version of the Temporal CLI.').describe('Its image.'),
          resources: resources('100m', '256Mi', '1Gi'),
          storage: z
            .strictObject({
              enabled: flag('False: histories are lost with the pod.', true),
              size: size.default('2Gi').describe('Of its volume.'),
              storageClass: text('Empty: the default of the cluster.'),
            })
            .prefault({})
            .describe('Its volume.'),
        })
        .prefault({})
        .describe('A development server.'),
    })
    .prefault({})
    .describe('Where workflows are kept.'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('Of every process.'),
  metrics: z
    .strictObject({
      annotations: flag(
        'Whether pods of this chart have the annotations `prometheus.io/scrape`, `path` and `port`, for a Prometheus that looks for these. Pods of pipelines have none.',
        false,
      ),
      serviceMonitor: monitor(
        'ServiceMonitors of the Prometheus operator: for controller, lifecycle, API and the exporter of NATS.',
      ),
      podMonitor: monitor(
        'PodMonitors of the Prometheus operator: for the pods of all pipelines; and for the processes of `serviceMonitor`, where that is not enabled.',
      ),
    })
    .prefault({})
    .describe('How Prometheus finds metrics. They are served in any case.'),
  podDisruptionBudgets: z
    .strictObject({
      enabled: byProfile(z.boolean(), 'Whether pods of one kind are evicted one after the other.'),
    })
    .prefault({})
    .describe('Protection while nodes are drained.'),
  networkPolicies: z
    .strictObject({
      enabled: byProfile(z.boolean(), 'Whether only those reach Millrace and NATS that need to.'),
      metricsFrom: parts('Peers, as in a NetworkPolicy, that read metrics. Empty: all pods of the cluster.'),
      apiFrom: parts('Peers that use the API. Empty: everybody.'),
    })
    .prefault({})
    .describe('NetworkPolicies for the pods of this chart.'),
  uninstall: z
    .strictObject({
      policy: z
        .enum(uninstallPolicies)
        .default('Block')
        .describe(
          'What `helm uninstall` does while there are pipelines. Block: it is refused. Drain: they are deleted, and waited for. Orphan: they stay, without anybody who looks after them; their pods go on moving records as long as NATS is there, which is so with `nats.mode: external`.',
        ),
      timeout: z
        .string()
        .regex(/^\d+(s|m|h)$/)
        .default('10m')
        .describe('Of Drain. Give `helm uninstall` a longer `--timeout`.'),
      serviceAccount: serviceAccount('the hook'),
    })
    .prefault({})
    .describe('What happens to pipelines.'),
  extraObjects: parts('Further objects that belong to the release.'),
});
