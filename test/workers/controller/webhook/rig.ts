/** A webhook as a controller has it, asked by a real API server: with the configuration of the chart, by its address. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { resolveBinary } from '../../../../local/binaries/resolve.ts';
import { freePort } from '../../../../local/ports.ts';
import type { Kube } from '../../../../kubernetes/kube.ts';
import { systemClock } from '../../../../stream/clock.ts';
import type { JetStreamPort } from '../../../../stream/jetstream-port.ts';
import { Webhook } from '../../../../workers/controller/webhook/webhook.ts';
import { render } from '../../../deploy/support/helm.ts';
import { eventually } from '../../../support/eventually.ts';
import type { Cluster } from '../../api/cluster.ts';

const run = promisify(execFile);
export const secretName = 'millrace-webhook-certificate';
const by = { fieldManager: 'test' };

export interface RunningWebhook {
  readonly webhook: Webhook;
  readonly registry: Registry;
  readonly port: number;
  readonly configuration: string;
  /** As a kill would: the port is closed. */
  stop(): Promise<void>;
}

const configurationSchema = z.looseObject({
  metadata: z.looseObject({}),
  webhooks: z.array(z.looseObject({ clientConfig: z.looseObject({ service: z.looseObject({}) }) })),
});

/** The chart's configuration, for pipelines of one namespace, at an address of this machine. */
export async function makeConfiguration(
  { kube }: Pick<Cluster, 'kube'>,
  { namespace, port }: { readonly namespace: string; readonly port: number },
): Promise<string> {
  const objects = await render(['profile=lab']);
  const found = objects.find(({ kind }) => kind === 'ValidatingWebhookConfiguration');
  const { webhooks } = configurationSchema.parse(found);
  const name = `millrace-webhook-${namespace}`;
  const only = { key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace] };
  const manifest = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: webhooks.map(({ clientConfig: _, ...webhook }) => ({
      ...webhook,
      clientConfig: { url: `https://127.0.0.1:${port}` },
      namespaceSelector: { matchExpressions: [only] },
    })),
  } as const;
  await kube.create(manifest, by);
  return name;
}

export async function makeSecret(kube: Kube, namespace: string): Promise<void> {
  const metadata = { name: secretName, namespace };
  await kube.create({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque' }, by);
}

/** Resolves when the API server asks it. `namespace`: of the Secret, and of the pipelines that are checked. */
export async function startWebhook(
  cluster: Cluster,
  namespace: string,
  streams: () => JetStreamPort | undefined = () => undefined,
): Promise<RunningWebhook> {
  const { kube } = cluster;
  const port = await freePort();
  await makeSecret(kube, namespace);
  const configuration = await makeConfiguration(cluster, { namespace, port });
  const registry = new Registry();
  const at = { namespace, secret: secretName, configuration, hosts: ['127.0.0.1'] };
  const webhook = new Webhook(
    { listen: { host: '127.0.0.1', port }, path: at, certificates: { from: 'self', at } },
    {
      kube,
      own: kube,
      log: pino({ level: 'silent' }),
      clock: systemClock,
      registry,
      streams,
      unguessable: () => 'x'.repeat(43),
    },
  );
  const end = new AbortController();
  const running = webhook.run(end.signal);
  await eventually(() => webhook.notReady() === undefined);
  return {
    ...{ webhook, registry, port, configuration },
    async stop() {
      end.abort(new Error('the test stops it'));
      await running;
    },
  };
}

/** Rejects with what kubectl prints. */
export async function kubectl(
  { kubernetes }: Cluster,
  args: readonly string[],
  input = '',
): Promise<{ stdout: string; stderr: string }> {
  const running = run(await resolveBinary('kubectl'), ['--kubeconfig', kubernetes.kubeconfigPath, ...args]);
  running.child.stdin?.end(input);
  return running;
}
