/** The chart: what it renders, and what a real API server says of it. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { stringify } from 'yaml';
import { z } from 'zod';
import { profileRows } from '../../deploy/chart/profiles.ts';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { controlProcesses, identityRights, impersonationModes, rights } from '../../model/rights.ts';
import { chart, helm, namespace, render, setting, type Rendered, type Values } from './support/helm.ts';
import { kubectlOf } from './support/kubectl.ts';

const lab: Values = ['profile=lab'];
const production: Values = ['temporal.address=temporal-frontend.temporal:7233'];
/** A certificate, because the API server reads it. */
const authority = rootCertificates[0] ?? '';
const external: Values = [...production, 'nats.mode=external', 'nats.address=nats://a:4222\\,nats://b:4222'];

function ofOurs(component: string): Values {
  return [`${component}.serviceAccount.create=false`, `${component}.serviceAccount.name=ours`];
}

const oidc: Values = [
  ...lab,
  ...['api.auth.mode=oidc', 'api.auth.oidc.issuer=https://login.example.com', 'api.auth.audiences={millrace}'],
];

/** Each switch, and how many objects of which kinds it makes more or fewer than the profile alone. */
const switches: readonly [what: string, values: Values][] = [
  ['the lab profile', lab],
  ['the production profile', production],
  ['an external NATS', external],
  ['five servers of NATS', [...production, 'nats.replicas=5']],
  [
    'NATS and Temporal without volumes',
    [...lab, 'nats.storage.enabled=false', 'temporal.devServer.storage.enabled=false'],
  ],
  ['a storage class', [...production, 'nats.storage.storageClass=fast']],
  ['no API', [...lab, 'api.enabled=false']],
  ['callers whom Kubernetes knows', [...production, 'api.auth.mode=kubernetes', 'api.auth.audiences={millrace}']],
  ['callers of an issuer', [...oidc, 'api.auth.oidc.caConfigMap=ca', 'api.auth.impersonateExtra={example.org/team}']],
  [
    'callers of an issuer with roles, on a cluster that cannot constrain the API',
    [
      ...oidc,
      ...['api.auth.impersonation=legacy', 'rbac.aggregate=false', `watchNamespaces={${namespace}}`],
      ...['api.auth.bindings[0].role=edit', 'api.auth.bindings[0].groups={shop}'],
      ...['api.auth.bindings[1].role=records', 'api.auth.bindings[1].users={jane}'],
      `api.auth.bindings[1].namespaces={${namespace}}`,
    ],
  ],
  ['a token of ours', [...lab, 'api.auth.tokenSecret=ours']],
  ['an Ingress', [...lab, 'api.ingress.enabled=true', 'api.hosts={millrace.example.com}', 'api.ingress.tlsSecret=tls']],
  ['a load balancer', [...lab, 'api.service.type=LoadBalancer']],
  ['no roles', [...lab, 'rbac.create=false']],
  ['one namespace that is watched', [...production, `watchNamespaces={${namespace}}`]],
  ['accounts of ours', [...lab, ...ofOurs('lifecycle')]],
  ['no kind Pipeline', [...lab, 'crds.enabled=false']],
  ['a private registry', [...lab, 'global.imageRegistry=registry.example.com', 'global.imagePullSecrets[0].name=pull']],
  [
    'pods that are placed',
    [
      ...lab,
      'controller.nodeSelector.disk=ssd',
      'controller.tolerations[0].key=a',
      'controller.tolerations[0].operator=Exists',
      'lifecycle.priorityClassName=system-cluster-critical',
      'api.podLabels.team=data',
      'api.podAnnotations.note=x',
      'nats.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution=null',
      'api.extraEnv[0].name=HTTPS_PROXY',
      'api.extraEnv[0].value=http://proxy:3128',
    ],
  ],
  [
    'policies about who gets in',
    [...lab, 'networkPolicies.enabled=true', 'networkPolicies.apiFrom[0].podSelector.matchLabels.app=ui'],
  ],
  ['users of NATS', [...lab, 'nats.auth.enabled=true']],
  ['neither users nor TLS in NATS', [...production, 'nats.auth.enabled=false', 'nats.tls.mode=off']],
  [
    'users of NATS with keys of ours',
    [
      ...production,
      'nats.auth.serverSecret=ours-server',
      'nats.accessSecret=ours',
      'nats.accountSecret=ours-account',
      'nats.podAccessSecret=ours-pods',
    ],
  ],
  ['an account of ours for the keys', [...production, ...ofOurs('nats.auth')]],
  ['a certificate of NATS that the chart makes', [...lab, 'nats.tls.mode=generated']],
  ['a certificate of NATS of ours', [...production, 'nats.tls.mode=secret', 'nats.tls.secret=nats-tls']],
  ['an external NATS that asks', [...external, 'nats.accessSecret=ours', 'nats.accountSecret=ours-account']],
  ['an external NATS with TLS', [...external, 'nats.accessSecret=nats-ca', 'nats.podAccessSecret=nats-ca']],
  ['a Temporal with TLS', [...production, 'temporal.tls.enabled=true', 'temporal.tls.serverName=temporal.example.com']],
  ['a Temporal that asks', [...production, 'temporal.accessSecret=temporal-access']],
  ['a pull Secret for pods of pipelines', [...lab, 'lifecycle.podPullSecret=pull-pods']],
  ['no webhook', [...lab, 'webhook.enabled=false']],
  ['a webhook that holds nothing up', [...lab, 'webhook.failurePolicy=Ignore', 'webhook.policy=false']],
  [
    'a webhook for some namespaces',
    [...production, 'webhook.namespaceSelector.matchLabels.team=data', 'webhook.from[0].ipBlock.cidr=10.0.0.0/8'],
  ],
  [
    'a certificate of the webhook of ours',
    [
      ...lab,
      'webhook.certificates.mode=secret',
      'webhook.certificates.secret=ours',
      `webhook.certificates.caBundle=${authority}`,
    ],
  ],
  [
    'an exporter beside each NATS, and annotations',
    [...production, 'nats.exporter.enabled=true', 'metrics.annotations=true'],
  ],
  ['a pod with the command `nats`', [...production, 'nats.box.enabled=true']],
  ['a long name', [...lab, 'fullnameOverride=a-name-that-is-much-longer-than-anybody-would-like-it-to-be']],
];

const refusals: readonly [what: string, values: Values, says: RegExp][] = [
  ['no Temporal', [], /temporal\.address must say where Temporal is.*profile=lab/],
  [
    'an external NATS without an address',
    [...production, 'nats.mode=external'],
    /nats\.address must say where NATS is/,
  ],
  ['more copies than servers', [...lab, 'nats.streamReplicas=3'], /nats\.streamReplicas is 3, and there are 1 servers/],
  [
    'a store that fills its volume',
    [...production, 'nats.storage.size=10Gi'],
    /maxFileStore is 45Gi, and a volume has 10Gi/,
  ],
  ['an image of others without a tag', [...lab, 'nats.image.tag='], /image\.tag must not be empty/],
  ['a host that the API would refuse', [...lab, 'api.hosts={*.example.com}'], /hosts/],
  ['two servers', [...production, 'nats.replicas=2'], /replicas/],
  ['a namespace that cannot be one', [...lab, 'watchNamespaces={Shop}'], /watchNamespaces/],
  ['a key that does not exist', [...lab, 'controler.replicas=2'], /controler/],
  ['a key within that does not exist', [...lab, 'api.replica=2'], /replica/],
  [
    'to orphan pipelines of a kind that goes',
    [...lab, 'uninstall.policy=Orphan', 'crds.keep=false'],
    /pipelines would be deleted with their kind/,
  ],
  [
    'users of an external NATS',
    [...external, 'nats.auth.enabled=true'],
    /nats\.auth is about the bundled NATS, and nats\.mode is external/,
  ],
  [
    'a certificate for an external NATS',
    [...external, 'nats.tls.mode=generated'],
    /nats\.tls is about the bundled NATS, and nats\.mode is external: put ca\.crt into/,
  ],
  [
    'an external NATS that lets Millrace in, and no pod',
    [...external, 'nats.accessSecret=ours'],
    /the pods of pipelines need something as well: nats\.accountSecret, or nats\.podAccessSecret/,
  ],
  [
    'an external NATS that lets pods in, and not Millrace',
    [...external, 'nats.accountSecret=ours'],
    /Millrace needs something as well: nats\.accessSecret/,
  ],
  [
    'some keys of ours beside some that it makes',
    [...production, 'nats.accessSecret=ours'],
    /keys that belong together, and only ours is named/,
  ],
  [
    'keys for a NATS that asks nobody',
    [...lab, 'nats.accountSecret=ours'],
    /nats\.auth\.enabled is false, and Secrets are named .*\(ours\): it asks nobody/,
  ],
  ['TLS with a Secret that is not named', [...production, 'nats.tls.mode=secret'], /nats\.tls\.secret must name/],
  [
    'a certificate that is not used',
    [...production, 'nats.tls.secret=ours'],
    /nats\.tls\.secret is ours, and nats\.tls\.mode is generated/,
  ],
  [
    "access to Temporal's development server",
    [...lab, 'temporal.accessSecret=ours'],
    /the development server .* speaks without TLS and asks nobody/,
  ],
  [
    'a certificate of the webhook that nobody believes',
    [...lab, 'webhook.certificates.mode=secret', 'webhook.certificates.secret=ours'],
    /webhook\.certificates\.caBundle hold what the API server believes it by/,
  ],
  [
    'a certificate of the webhook that is not used',
    [...lab, 'webhook.certificates.secret=ours'],
    /are for a certificate of yours, and webhook\.certificates\.mode is self/,
  ],
  [
    'an issuer without cert-manager',
    [...lab, 'webhook.certificates.issuerRef.name=ours'],
    /issuerRef is for cert-manager, and webhook\.certificates\.mode is self/,
  ],
  ['an API that asks nobody, where others reach it', [...lab, 'api.auth.mode=none'], /api\/auth\/mode/],
  ['an issuer without a name', [...lab, 'api.auth.mode=oidc'], /api\.auth\.oidc\.issuer must name the issuer/],
  [
    'an issuer without TLS',
    [...oidc, 'api.auth.oidc.issuer=http://login.example.com'],
    /must begin with https:\/\/: whoever is between could sign tokens/,
  ],
  [
    'tokens of an issuer for anybody',
    [...lab, 'api.auth.mode=oidc', 'api.auth.oidc.issuer=https://login.example.com'],
    /api\.auth\.audiences must name at least one: a token for any other program/,
  ],
  [
    'names of an issuer that are those of Kubernetes',
    [...oidc, 'api.auth.oidc.groupsPrefix=system:'],
    /must not begin with system:/,
  ],
  [
    'an issuer that is not asked',
    [...lab, 'api.auth.mode=kubernetes', 'api.auth.oidc.issuer=https://login.example.com'],
    /api\.auth\.mode is kubernetes: set api\.auth\.mode=oidc/,
  ],
  [
    'roles for callers whom nobody knows',
    [...lab, 'api.auth.bindings[0].role=view', 'api.auth.bindings[0].users={jane}'],
    /with api\.auth\.mode=token nobody knows who they are/,
  ],
  [
    'a role for nobody',
    [...oidc, 'api.auth.bindings[0].role=view'],
    /api\.auth\.bindings\[0\] must name users, groups or serviceAccounts/,
  ],
  ['a role that is none', [...oidc, 'api.auth.bindings[0].role=admin'], /role/],
  [
    'a token beside tokens of people',
    [...oidc, 'api.auth.tokenSecret=ours'],
    /api\.auth\.tokenSecret is ours, and api\.auth\.mode is oidc/,
  ],
  ['an Ingress without a host', [...lab, 'api.ingress.enabled=true'], /api\.hosts must name at least one host/],
  [
    'an HTTPRoute without a Gateway',
    [...lab, 'api.httpRoute.enabled=true'],
    /api\.httpRoute\.parentRefs must not be empty/,
  ],
];

const podsSchema = z.looseObject({
  spec: z.looseObject({
    replicas: z.number(),
    template: z.looseObject({
      metadata: z.looseObject({}),
      spec: z.looseObject({ containers: z.array(z.looseObject({})) }),
    }),
  }),
});

const isWorkload = ({ kind }: Rendered) => kind === 'Deployment' || kind === 'StatefulSet';

const controllerIn = (objects: readonly Rendered[]) =>
  stringify(objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'millrace-controller'));

const textOf = (objects: readonly Rendered[]) => objects.map((object) => stringify(object)).join('---\n');

describe('the chart', function () {
  it('passes `helm lint --strict` under both profiles', async () => {
    for (const values of [lab, production]) await helm(['lint', '--strict', chart, ...setting(values)]);
  });

  for (const [what, values, says] of refusals)
    it(`refuses ${what}, and says what to do`, async () => {
      await rejects(render(values), ({ message }: Error) => {
        match(message, says);
        return true;
      });
    });

  it('gives every process, server and stream what the profile says, unless it is said otherwise', async () => {
    const replicasIn = (objects: readonly Rendered[]) =>
      Object.fromEntries(
        objects.filter(isWorkload).map((one) => [one.metadata.name, podsSchema.parse(one).spec.replicas]),
      );
    const rowOf = (value: string) => profileRows.find((row) => row.value === value);
    for (const [profile, values] of [
      ['lab', lab],
      ['production', production],
    ] as const) {
      const replicas = replicasIn(await render(values));
      for (const name of ['controller', 'lifecycle', 'api', 'nats'])
        equal(replicas[`millrace-${name}`], rowOf(`${name}.replicas`)?.[profile], `${profile}: ${name}`);
      equal('millrace-temporal' in replicas, rowOf('temporal.devServer.enabled')?.[profile]);
    }
    // What is false or 0 was asked for, too.
    const asked = await render([...production, 'podDisruptionBudgets.enabled=false', 'api.replicas=0']);
    deepEqual(
      asked.filter(({ kind }) => kind === 'PodDisruptionBudget'),
      [],
    );
    equal(replicasIn(asked)['millrace-api'], 0);
  });

  it('is as by default where somebody has set null, never without what protects', async () => {
    const nulls = [
      'api.auth.mode',
      'api.auth',
      'api',
      'nats.storage',
      'nats.jetStream',
      'crds.keep',
      'rbac',
      'global',
      'image',
    ];
    const without = (objects: readonly Rendered[]) => objects.filter(({ kind }) => kind !== 'Secret');
    const usual = without(await render(lab));
    for (const value of [...nulls, 'uninstall', 'controller', 'podDisruptionBudgets'])
      deepEqual(without(await render([...lab, `${value}=null`])), usual, value);
  });

  it('takes numbers for quantities, and values of charts above it', async () => {
    await render([...lab, 'nats.resources.limits.cpu=2', 'global.storageClass=fast', 'enabled=true']);
  });

  it('takes `off` for TLS without quotation marks, which is false in a file of values', async () => {
    const usual = textOf(await render([...production, 'nats.tls.mode=off', 'api.auth.tokenSecret=ours']));
    equal(textOf(await render([...production, 'nats.tls.mode=false', 'api.auth.tokenSecret=ours'])), usual);
    ok(!usual.includes('tls {'));
  });

  it('gives each process the folders that it needs, and no other', async () => {
    const given = [...production, 'temporal.accessSecret=temporal', 'global.imagePullSecrets[0].name=pull'];
    const objects = (await render(given)).filter(({ kind }) => kind === 'Deployment' || kind === 'Pod');
    const foldersOf = (name: string) => {
      const text = stringify(objects.find(({ metadata }) => metadata.name === name));
      return [...text.matchAll(/name: MILLRACE_(\w+)\s+value: (\/etc\/millrace\/[\w-]+)/g)].map(([, variable, at]) => {
        match(text, new RegExp(`mountPath: ${at}\n`));
        return variable;
      });
    };
    const usual = ['TEMPORAL_ACCESS_DIR', 'NATS_ACCESS_DIR'];
    const ofPods = ['POD_NATS_ACCESS_DIR', 'NATS_ACCOUNT_DIR', 'POD_PULL_CONFIGS'];
    for (const [name, folders] of Object.entries({
      'millrace-controller': usual,
      'millrace-lifecycle': [...usual, ...ofPods],
      'millrace-api': ['TEMPORAL_ACCESS_DIR', 'API_TOKEN_FILE'],
      'millrace-test-controller': usual,
      'millrace-test-lifecycle': usual,
      'millrace-test-api': ['TEMPORAL_ACCESS_DIR'],
    }))
      deepEqual(foldersOf(name), folders, name);
  });

  it('makes keys of NATS only where nobody has named any, before everything else', async () => {
    const hooks = (objects: readonly Rendered[]) =>
      objects.filter(({ metadata }) => metadata.name.includes('nats-identity')).map(({ kind }) => kind);
    deepEqual(hooks(await render(production)).sort(), ['Job', 'Role', 'RoleBinding', 'ServiceAccount']);
    deepEqual(hooks(await render(external)), []);
    const named = ['nats.auth.serverSecret=a', 'nats.accessSecret=b', 'nats.accountSecret=c'];
    deepEqual(hooks(await render([...production, ...named])), []);
  });

  it('has no label by which Millrace would take its objects for those of a pipeline', async () => {
    for (const { metadata } of await render(production)) {
      const labels = z.record(z.string(), z.string()).parse(metadata['labels']);
      equal(labels['app.kubernetes.io/managed-by'], 'Helm');
    }
  });

  it('names no Secret whose content it made in a second rendering without a cluster', async () => {
    const objects = await render([...lab, 'api.auth.tokenSecret=ours']);
    // That of the webhook's certificate is empty: controllers fill it.
    deepEqual(
      objects.filter((object) => object.kind === 'Secret' && ('data' in object || 'stringData' in object)),
      [],
    );
  });

  it('asks its Service before a pipeline is stored, and nobody about its own namespace', async () => {
    const objects = await render(production);
    const text = stringify(objects.find(({ kind }) => kind === 'ValidatingWebhookConfiguration'));
    match(text, /operator: NotIn\s+values:\s+- millrace-system\s+- kube-system/);
    match(text, /failurePolicy: Fail\s+timeoutSeconds: 5\s+sideEffects: None/);
    match(text, /resources:\s+- pipelines\n/);
    const [, service = ''] = /service:\s+name: (\S+)/.exec(text) ?? [];
    ok(objects.some(({ kind, metadata }) => kind === 'Service' && metadata.name === service));
    const controller = controllerIn(objects);
    match(controller, new RegExp(`${service}\\.${namespace}\\.svc,`));
    match(controller, /preStop:\s+sleep:/);
  });

  it('leaves the certificate of the webhook to cert-manager, and the configuration to its injector', async () => {
    const objects = await render([...lab, 'webhook.certificates.mode=certManager']);
    const ofKind = (wanted: string) => stringify(objects.find(({ kind }) => kind === wanted));
    match(ofKind('ValidatingWebhookConfiguration'), /inject-ca-from: millrace-system\/millrace-webhook\n/);
    match(ofKind('Certificate'), /secretName: millrace-webhook-certificate\n/);
    match(ofKind('Certificate'), /- millrace-webhook\.millrace-system\.svc\n/);
    ok(objects.some(({ kind }) => kind === 'Issuer'));
    match(controllerIn(objects), /MILLRACE_WEBHOOK_CERTIFICATE_DIR/);
    // What the controller changes is another one.
    const role = objects.find(({ kind, metadata }) => kind === 'Role' && metadata.name === 'millrace-webhook');
    match(stringify(role), /resourceNames:\s+- millrace-webhook-path\n/);
    ok(objects.some(({ kind, metadata }) => kind === 'Secret' && metadata.name === 'millrace-webhook-path'));
    const ours = await render([
      ...lab,
      'webhook.certificates.mode=certManager',
      'webhook.certificates.issuerRef.name=ca',
    ]);
    ok(!ours.some(({ kind }) => kind === 'Issuer'));
  });

  describe('on a real API server', function () {
    let dir: string;
    let kubernetes: Kubernetes;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'millrace-chart-'));
      kubernetes = await startKubernetes({ dir, unsafeNoFsync: true, controllers: false });
      await kubectl(['create', 'namespace', namespace]);
      const restricted = ['enforce', 'warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
      await kubectl(['label', 'namespace', namespace, ...restricted]);
      for (const name of ['default', 'ours']) await kubectl(['-n', namespace, 'create', 'serviceaccount', name]);
    });
    after(async () => {
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    });

    const kubectl = (args: readonly string[], input?: string) => kubectlOf(kubernetes.kubeconfigPath)(args, input);

    for (const [what, values] of switches)
      it(`${what}: every object is valid, and its pods are restricted`, async () => {
        const objects = await render(values);
        // The API server admits no pod, not even as a trial, whose account is not there.
        const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount');
        await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], textOf(accounts));
        const text = textOf(objects.filter((object) => !accounts.includes(object)));
        const { stderr } = await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], text);
        // PodSecurity and deprecated versions are warnings.
        equal(stderr, '');
      });

    it('is installed, upgraded without losing the token and what controllers have written, and uninstalled without losing the kind', async () => {
      const at = ['--namespace', namespace, '--take-ownership'];
      const values = [...lab, 'nats.tls.mode=generated'];
      const made = async () => {
        const wanted = { 'millrace-api-token': 'token', 'millrace-nats-tls': 'ca\\.crt' };
        const asked = Object.entries(wanted).map(([name, key]) => [
          'get',
          'secret',
          name,
          '-o',
          `jsonpath={.data.${key}}`,
        ]);
        return Promise.all(asked.map(async (args) => (await kubectl(['-n', namespace, ...args])).stdout));
      };
      const notes = await helm(['install', 'millrace', chart, ...at, ...setting(values)], kubernetes.kubeconfigPath);
      match(notes, /rollout status deployment\/millrace-controller/);
      const first = await made();
      ok(first.every((value) => Buffer.from(value, 'base64').length >= 32));
      // What a controller does.
      const certificate = ['-n', namespace, 'patch', 'secret', 'millrace-webhook-certificate', '--type=merge'];
      await kubectl([...certificate, '--field-manager=millrace-webhook', '-p', '{"data":{"tls.crt":"eA=="}}']);
      const caBundle = Buffer.from(authority).toString('base64');
      const told = {
        ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' },
        metadata: { name: 'millrace-webhook' },
        webhooks: [{ name: 'pipelines.millrace.io', clientConfig: { caBundle, service: { path: '/pipelines/x' } } }],
      };
      const asController = ['apply', '--server-side', '--field-manager=millrace-webhook', '-f', '-'];
      await kubectl(asController, JSON.stringify(told));
      const upgrade = ['upgrade', 'millrace', chart, ...at];
      await helm([...upgrade, ...setting([...values, 'logLevel=debug'])], kubernetes.kubeconfigPath);
      deepEqual(await made(), first);
      const show = async (what: readonly string[], path: string) =>
        (await kubectl(['-n', namespace, 'get', ...what, '-o', `jsonpath={${path}}`])).stdout;
      equal(await show(['secret', 'millrace-webhook-certificate'], '.data.tls\\.crt'), 'eA==');
      const configuration = ['validatingwebhookconfiguration', 'millrace-webhook'];
      equal(await show(configuration, '.webhooks[0].clientConfig.caBundle'), caBundle);
      equal(await show(configuration, '.webhooks[0].clientConfig.service.path'), '/pipelines/x');
      for (const [value, says] of [
        ['nats.replicas=3', /from one server to several, or to fewer, streams are not taken along/],
        ['nats.storage.size=6Gi', /Kubernetes does not change them through a StatefulSet/],
        ['nats.auth.enabled=true', /streams belong to an account, and are not taken along into another/],
      ] as const)
        await rejects(helm([...upgrade, ...setting([...values, value])], kubernetes.kubeconfigPath), says);
      await helm(['uninstall', 'millrace', '--namespace', namespace, '--no-hooks'], kubernetes.kubeconfigPath);
      const admission = 'validatingwebhookconfiguration,validatingadmissionpolicy,validatingadmissionpolicybinding';
      const kinds = `crd,clusterrole,clusterrolebinding,${admission}`;
      const left = ['get', kinds, '-l', 'app.kubernetes.io/instance=millrace', '-o', 'name'];
      equal((await kubectl(left)).stdout.trim(), 'customresourcedefinition.apiextensions.k8s.io/pipelines.millrace.io');
    });

    it('lets the hook look for the Secrets of its release, and make some, and nothing else', async () => {
      const objects = (await render(production)).filter(({ metadata }) => metadata.name === 'millrace-nats-identity');
      await kubectl(['apply', '-f', '-'], textOf(objects.filter(({ kind }) => kind !== 'Job')));
      const as = ['--as', `system:serviceaccount:${namespace}:millrace-nats-identity`, '-n', namespace];
      // It exits with 1 when the answer is no.
      const may = (...what: readonly string[]) =>
        kubectl(['auth', 'can-i', ...what, ...as, '--quiet']).then(
          () => true,
          () => false,
        );
      for (const part of ['server', 'access', 'account', 'keep'])
        ok(await may('get', `secrets/millrace-nats-${part}`), part);
      ok(await may('create', 'secrets'));
      for (const [verb, resource] of [
        ['get', 'secrets/millrace-api-token'],
        ['list', 'secrets'],
        ['patch', 'secrets/millrace-nats-server'],
        ['delete', 'secrets/millrace-nats-server'],
        ['create', 'pods'],
      ] as const)
        equal(await may(verb, resource), false, `${verb} ${resource}`);
    });

    it('lets the controller change the certificate and the configuration of its webhook, and no others', async () => {
      const roles = (await render(lab)).filter(
        ({ kind, metadata }) => /Role/.test(kind) && /webhook/.test(metadata.name),
      );
      await kubectl(['apply', '-f', '-'], textOf(roles));
      const as = ['--as', `system:serviceaccount:${namespace}:millrace-controller`];
      // It exits with 1 when the answer is no.
      const may = (...what: readonly string[]) =>
        kubectl(['auth', 'can-i', ...what, ...as, '--quiet']).then(
          () => true,
          () => false,
        );
      for (const verb of ['get', 'patch'] as const) {
        ok(await may(verb, 'secrets/millrace-webhook-certificate', '-n', namespace));
        ok(await may(verb, 'validatingwebhookconfigurations/millrace-webhook'));
      }
      for (const [verb, ...what] of [
        ['patch', 'secrets/millrace-api-token', '-n', namespace],
        ['create', 'secrets', '-n', namespace],
        ['patch', 'secrets/millrace-webhook-certificate', '-n', 'shop'],
        ['patch', 'validatingwebhookconfigurations/another'],
        ['create', 'validatingwebhookconfigurations'],
        ['delete', 'validatingwebhookconfigurations/millrace-webhook'],
      ] as const)
        equal(await may(verb, ...what), false, `${verb} ${what.join(' ')}`);
    });

    it('gives each process its rights, and no others', async () => {
      const roles = (await render(lab)).filter(({ kind }) => /Role(Binding)?$/.test(kind));
      await kubectl(['apply', '-f', '-'], textOf(roles));
      const may = async (process: string, verb: string, resource: string, where: string) => {
        const [plural = '', subresource] = resource.split('/');
        const as = ['--as', `system:serviceaccount:${namespace}:millrace-${process}`];
        const place = where === 'cluster' ? ['--all-namespaces'] : ['-n', where === 'own' ? namespace : 'shop'];
        const part = subresource === undefined ? [] : ['--subresource', subresource];
        // It exits with 1 when the answer is no.
        return kubectl(['auth', 'can-i', verb, plural, ...as, ...place, ...part, '--quiet']).then(
          () => true,
          () => false,
        );
      };
      for (const process of controlProcesses) {
        for (const { where, group, resources, verbs } of rights[process]) {
          for (const resource of resources) {
            const [plural, subresource] = resource.split('/');
            const full = `${plural}.${group}${subresource === undefined ? '' : `/${subresource}`}`.replace(/\.$/, '');
            equal(await may(process, verbs[0] ?? '', full, where), true, `${process} ${full}`);
          }
        }
        for (const [verb, resource] of [
          ['get', 'nodes'],
          ['update', 'deployments.apps'],
          ['create', 'pods'],
          ['create', 'clusterroles.rbac.authorization.k8s.io'],
        ] as const)
          equal(await may(process, verb, resource, 'pipelines'), false, `${process} ${verb} ${resource}`);
      }
      equal(await may('api', 'get', 'secrets', 'pipelines'), false);
      equal(await may('controller', 'delete', 'secrets', 'pipelines'), false);
    });

    for (const impersonation of impersonationModes)
      it(`lets an API that knows its callers act as them (${impersonation}), and do nothing itself`, async () => {
        const values = [
          ...oidc,
          'api.auth.mode=kubernetes',
          'api.auth.oidc.issuer=',
          `api.auth.impersonation=${impersonation}`,
        ];
        const all = [...values, 'nameOverride=knows', 'api.auth.impersonateExtra={example.org/team}'];
        const roles = (await render(all)).filter(
          ({ kind, metadata }) => /Role(Binding)?$/.test(kind) && metadata.name.endsWith('-api'),
        );
        await kubectl(['apply', '-f', '-'], textOf(roles));
        const may = mayOf(kubectl, 'millrace-knows-api');
        for (const { group, resources, verbs } of identityRights('kubernetes', impersonation))
          for (const resource of resources)
            for (const verb of verbs) ok(await may(verb, group, resource), `${verb} ${resource}`);
        const verb = impersonation === 'legacy' ? 'impersonate' : 'impersonate:user-info';
        ok(await may(verb, 'authentication.k8s.io', 'userextras/example.org/team'));
        for (const [never, group, resource] of [
          ['patch', 'millrace.io', 'pipelines'],
          ['list', '', 'secrets'],
          ['impersonate-on:user-info:list', '', 'secrets'],
          ['impersonate-on:user-info:create', 'rbac.authorization.k8s.io', 'clusterrolebindings'],
          ['impersonate', 'authentication.k8s.io', 'userextras/example.org/other'],
        ] as const)
          equal(await may(never, group, resource), false, `${never} ${resource}`);
        equal(await may('impersonate', '', 'users'), impersonation === 'legacy');
      });
  });
});

/** Asks the API server itself: `kubectl auth can-i` does not know resources that are none, such as `uids`. */
function mayOf(kubectl: ReturnType<typeof kubectlOf>, account: string) {
  const user = `system:serviceaccount:${namespace}:${account}`;
  return async (verb: string, group: string, named: string) => {
    const [resource, ...deeper] = named.split('/');
    const resourceAttributes = { verb, group, resource, subresource: deeper.join('/') };
    const review = {
      ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
      spec: { user, resourceAttributes },
    };
    const { stdout } = await kubectl(['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'], JSON.stringify(review));
    return stdout === 'true';
  };
}
