/** How Prometheus finds metrics: what the chart renders for it, on an API server with and without the kinds of its operator. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { httpPort } from '../../model/ports.ts';
import { eventually } from '../support/eventually.ts';
import { chart, helm, namespace, render, setting, type Rendered, type Values } from './support/helm.ts';
import { kubectlOf } from './support/kubectl.ts';

const production: Values = ['temporal.address=temporal-frontend.temporal:7233'];
const serviceMonitors: Values = ['metrics.serviceMonitor.enabled=true'];
const podMonitors: Values = ['metrics.podMonitor.enabled=true'];
const exporter: Values = ['nats.exporter.enabled=true'];
const kinds = ['ServiceMonitor', 'PodMonitor'] as const;
const apis = kinds.map((kind) => `monitoring.coreos.com/v1/${kind}`);

const named = z.looseObject({ name: z.string() });
const endpoints = z.array(z.looseObject({ port: z.string() }));
const monitorSchema = z.looseObject({
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()) }),
    namespaceSelector: z.looseObject({}).optional(),
    endpoints: endpoints.optional(),
    podMetricsEndpoints: endpoints.optional(),
  }),
});
const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
      spec: z.looseObject({
        containers: z.array(named.extend({ ports: z.array(named.extend({ containerPort: z.number() })).default([]) })),
      }),
    }),
  }),
});
const service = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({ ports: z.array(named) }),
});

/** A kind of the operator, as strict as the API server can be about what this chart uses of it. */
function definition(kind: (typeof kinds)[number], endpointsName: string): object {
  const plural = `${kind.toLowerCase()}s`;
  const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const list = (items: object) => ({ type: 'array', items });
  const labels = { type: 'object', additionalProperties: { type: 'string' } };
  const spec = {
    selector: { type: 'object', properties: { matchLabels: labels } },
    namespaceSelector: {
      type: 'object',
      properties: { any: { type: 'boolean' }, matchNames: list({ type: 'string' }) },
    },
    podTargetLabels: list({ type: 'string' }),
    [endpointsName]: list({ type: 'object', properties: texts('port', 'path', 'interval', 'scrapeTimeout') }),
  };
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

const isMonitor = ({ kind }: Rendered) => kind === 'ServiceMonitor' || kind === 'PodMonitor';
const namesOf = (objects: readonly Rendered[]) =>
  objects.filter(isMonitor).map(({ kind, metadata }) => `${kind} ${metadata.name}`);

/** Whether each label of the selector is there. */
const isChosen = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describe('metrics of the chart', function () {
  it('make no monitor that nobody asks for, and none of a kind that is not there', async () => {
    deepEqual(namesOf(await render(production, apis)), []);
    deepEqual(namesOf(await render([...production, ...serviceMonitors, ...podMonitors])), []);
  });

  it('are asked for once, whichever monitors there are', async () => {
    const of = (values: Values) => render([...production, ...exporter, ...values], apis).then(namesOf);
    const processes = ['controller', 'lifecycle', 'api', 'nats'];
    const pods = ['PodMonitor millrace-pipelines'];
    deepEqual(
      await of(serviceMonitors),
      processes.map((name) => `ServiceMonitor millrace-${name}-metrics`),
    );
    deepEqual(await of(podMonitors), [...pods, ...processes.map((name) => `PodMonitor millrace-${name}`)]);
    deepEqual(await of([...serviceMonitors, ...podMonitors]), [
      ...pods,
      ...processes.map((name) => `ServiceMonitor millrace-${name}-metrics`),
    ]);
    // Without the kind of the one the other has all.
    const one = await render([...production, ...serviceMonitors, ...podMonitors], apis.slice(1));
    equal(namesOf(one).length, 4);
  });

  for (const [what, values] of [
    ['ServiceMonitor', serviceMonitors],
    ['PodMonitor', podMonitors],
  ] as const)
    it(`are at the port that each ${what} names`, async () => {
      const objects = await render([...production, ...exporter, ...values], apis);
      const workloads = objects
        .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
        .map((object) => workload.parse(object).spec.template);
      const services = objects.filter(({ kind }) => kind === 'Service').map((object) => service.parse(object));
      const monitors = objects.filter(isMonitor).filter(({ metadata }) => metadata.name !== 'millrace-pipelines');
      equal(monitors.length, 4);
      for (const monitor of monitors) {
        const { selector, endpoints: ofServices, podMetricsEndpoints: ofPods = [] } = monitorSchema.parse(monitor).spec;
        const [endpoint] = ofServices ?? ofPods;
        const found =
          ofServices === undefined
            ? workloads
                .filter(({ metadata }) => isChosen(selector.matchLabels, metadata.labels))
                .flatMap(({ spec }) => spec.containers.flatMap(({ ports }) => ports))
            : services
                .filter(({ metadata }) => isChosen(selector.matchLabels, metadata.labels))
                .flatMap(({ spec }) => spec.ports);
        equal(found.filter(({ name }) => name === endpoint?.port).length, 1, monitor.metadata.name);
      }
    });

  it('of pods of pipelines are looked for where these may be', async () => {
    const where = async (values: Values) => {
      const objects = await render([...production, ...podMonitors, ...values], apis);
      return monitorSchema.parse(objects.find(({ metadata }) => metadata.name === 'millrace-pipelines')).spec;
    };
    deepEqual((await where([])).namespaceSelector, { any: true });
    deepEqual((await where(['watchNamespaces={shop,billing}'])).namespaceSelector, { matchNames: ['shop', 'billing'] });
    // `activities/kubernetes/render/deployment.ts` names this port.
    deepEqual((await where([])).podMetricsEndpoints, [{ port: 'http', path: '/metrics' }]);
    equal(httpPort, 8080);
  });

  it('are told by annotations beside those of ours, where that is asked for', async () => {
    const values = [...production, ...exporter, 'metrics.annotations=true', 'api.podAnnotations.note=x'];
    const objects = await render(values);
    const said = Object.fromEntries(
      objects
        .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
        .map((object) => {
          const { annotations = {} } = workload.parse(object).spec.template.metadata;
          const { 'checksum/config': _, ...rest } = annotations;
          return [object.metadata.name, rest];
        }),
    );
    const at = (port: string) => ({
      'prometheus.io/scrape': 'true',
      'prometheus.io/path': '/metrics',
      'prometheus.io/port': port,
    });
    deepEqual(said, {
      'millrace-controller': at('8081'),
      'millrace-lifecycle': at('8081'),
      'millrace-api': { ...at('8081'), note: 'x' },
      'millrace-nats': at('7777'),
    });
  });

  it('of NATS are made beside each server, and of no other NATS', async () => {
    const exporters = (objects: readonly Rendered[]) => stringify(objects).match(/name: exporter\n/g)?.length ?? 0;
    equal(exporters(await render([...production, ...exporter])), 1);
    const external = ['nats.mode=external', 'nats.address=nats://a:4222'];
    equal(exporters(await render([...production, ...exporter, ...external])), 0);
    const policies = (await render([...production, ...exporter])).filter(({ kind }) => kind === 'NetworkPolicy');
    ok(stringify(policies.find(({ metadata }) => metadata.name === 'millrace-nats')).includes('port: 7777'));
  });

  it('and the pod with the command `nats` has what lets Millrace in, and NATS lets it in', async () => {
    const box = async (values: Values) => {
      const objects = await render([...production, 'nats.box.enabled=true', ...values]);
      const policy = objects.find(
        ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'millrace-nats',
      );
      return [stringify(objects.find(({ metadata }) => metadata.name === 'millrace-nats-box')), stringify(policy)];
    };
    const [pod = '', policy = ''] = await box([]);
    match(pod, /NATS_CREDS\n\s+value: \/etc\/millrace\/nats\/user\.creds/);
    match(pod, /NATS_CA\n\s+value: \/etc\/millrace\/nats\/ca\.crt/);
    match(pod, /name: millrace-nats-access/);
    ok(!pod.includes('nats-account'));
    match(policy, /- nats-box\n/);
    const [open = ''] = await box(['nats.auth.enabled=false', 'nats.tls.mode=off']);
    ok(!/NATS_CREDS|NATS_CA|secret/.test(open));
  });

  describe('on a real API server', function () {
    let dir: string;
    let kubernetes: Kubernetes;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'millrace-chart-metrics-'));
      kubernetes = await startKubernetes({ dir, unsafeNoFsync: true, controllers: false });
    });
    after(async () => {
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    });

    it('are found by monitors as soon as the cluster has their kinds, and until then the notes say so', async () => {
      const kubectl = kubectlOf(kubernetes.kubeconfigPath);
      const asked = ['profile=lab', ...serviceMonitors, ...podMonitors, ...exporter, 'metrics.podMonitor.interval=30s'];
      const at = ['millrace', chart, '--namespace', namespace, ...setting(asked)];
      const notes = await helm(['install', ...at, '--create-namespace'], kubernetes.kubeconfigPath);
      for (const kind of kinds) match(notes, new RegExp(`this cluster has no kind ${kind} \\(monitoring`));
      const definitions = [definition('ServiceMonitor', 'endpoints'), definition('PodMonitor', 'podMetricsEndpoints')];
      await kubectl(['apply', '-f', '-'], definitions.map((one) => stringify(one)).join('---\n'));
      await eventually(() => kubectl(['get', 'servicemonitors,podmonitors', '--all-namespaces']));
      const later = await helm(['upgrade', ...at], kubernetes.kubeconfigPath);
      ok(!later.includes('no kind'));
      const made = await kubectl(['-n', namespace, 'get', 'servicemonitors,podmonitors', '-o', 'name']);
      deepEqual(made.stdout.trim().split('\n'), [
        ...['api', 'controller', 'lifecycle', 'nats'].map(
          (name) => `servicemonitor.monitoring.coreos.com/millrace-${name}-metrics`,
        ),
        'podmonitor.monitoring.coreos.com/millrace-pipelines',
      ]);
      // Unknown fields are refused, as by the operator's own definitions.
      const objects = (await render(asked, apis)).filter(isMonitor).map((one) => stringify(one));
      const { stderr } = await kubectl(
        ['apply', '--dry-run=server', '--validate=strict', '--server-side', '--force-conflicts', '-f', '-'],
        objects.join('---\n'),
      );
      equal(stderr, '');
    });
  });
});
