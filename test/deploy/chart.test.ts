/** The chart: what it renders, and what a real API server says of it. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { z } from 'zod';
import { profileRows } from '../../deploy/chart/profiles.ts';
import { resolveBinary } from '../../local/binaries/resolve.ts';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { controlProcesses, rights } from '../../model/rights.ts';
import { chart, helm, namespace, render, setting, type Rendered, type Values } from './support/helm.ts';

const run = promisify(execFile);

const lab: Values = ['profile=lab'];
const production: Values = ['temporal.address=temporal-frontend.temporal:7233'];
const external: Values = [...production, 'nats.mode=external', 'nats.address=nats://a:4222\\,nats://b:4222'];

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
  ['an API behind something that authenticates', [...lab, 'api.auth.mode=none']],
  ['a token of ours', [...lab, 'api.auth.tokenSecret=ours']],
  ['an Ingress', [...lab, 'api.ingress.enabled=true', 'api.hosts={millrace.example.com}', 'api.ingress.tlsSecret=tls']],
  ['a load balancer', [...lab, 'api.service.type=LoadBalancer']],
  ['no roles', [...lab, 'rbac.create=false']],
  ['accounts of ours', [...lab, 'lifecycle.serviceAccount.create=false', 'lifecycle.serviceAccount.name=ours']],
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
  ['a key that does not exist', [...lab, 'controler.replicas=2'], /controler/],
  ['a key within that does not exist', [...lab, 'api.replica=2'], /replica/],
  [
    'to orphan pipelines of a kind that goes',
    [...lab, 'uninstall.policy=Orphan', 'crds.keep=false'],
    /pipelines would be deleted with their kind/,
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

  it('has no label by which Millrace would take its objects for those of a pipeline', async () => {
    for (const { metadata } of await render(production)) {
      const labels = z.record(z.string(), z.string()).parse(metadata['labels']);
      equal(labels['app.kubernetes.io/managed-by'], 'Helm');
    }
  });

  it('names no Secret whose content it made in a second rendering without a cluster', async () => {
    const objects = await render([...lab, 'api.auth.tokenSecret=ours']);
    deepEqual(
      objects.filter(({ kind }) => kind === 'Secret'),
      [],
    );
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

    async function kubectl(args: readonly string[], input = ''): Promise<{ stdout: string; stderr: string }> {
      const running = run(await resolveBinary('kubectl'), ['--kubeconfig', kubernetes.kubeconfigPath, ...args], {
        maxBuffer: 2 ** 26,
      });
      running.child.stdin?.end(input);
      return running;
    }

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

    it('is installed, upgraded without losing the token, and uninstalled without losing the kind', async () => {
      const at = ['--namespace', namespace, '--take-ownership'];
      const token = async () =>
        (await kubectl(['-n', namespace, 'get', 'secret', 'millrace-api-token', '-o', 'jsonpath={.data.token}']))
          .stdout;
      const notes = await helm(['install', 'millrace', chart, ...at, ...setting(lab)], kubernetes.kubeconfigPath);
      match(notes, /rollout status deployment\/millrace-controller/);
      const first = await token();
      ok(Buffer.from(first, 'base64').length >= 32);
      await helm(
        ['upgrade', 'millrace', chart, ...at, ...setting([...lab, 'logLevel=debug'])],
        kubernetes.kubeconfigPath,
      );
      equal(await token(), first);
      for (const [value, says] of [
        ['nats.replicas=3', /from one server to several, or to fewer, streams are not taken along/],
        ['nats.storage.size=6Gi', /Kubernetes does not change them through a StatefulSet/],
      ] as const)
        await rejects(
          helm(['upgrade', 'millrace', chart, ...at, ...setting([...lab, value])], kubernetes.kubeconfigPath),
          says,
        );
      await helm(['uninstall', 'millrace', '--namespace', namespace, '--no-hooks'], kubernetes.kubeconfigPath);
      const kinds = 'crd,clusterrole,clusterrolebinding';
      const left = ['get', kinds, '-l', 'app.kubernetes.io/instance=millrace', '-o', 'name'];
      equal((await kubectl(left)).stdout.trim(), 'customresourcedefinition.apiextensions.k8s.io/pipelines.millrace.io');
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
  });
});
