/** The controller's process with a webhook, as the account of the chart, while NATS and Temporal are away. */
import { equal, match } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { freePort } from '../../../../local/ports.ts';
import { kind } from '../../../../model/names.ts';
import { parseControllerConfig } from '../../../../workers/controller/config.ts';
import { serveController } from '../../../../workers/controller/main.ts';
import { namespace as own, render } from '../../../deploy/support/helm.ts';
import { eventually } from '../../../support/eventually.ts';
import { spec as smallSpec, useCluster } from '../../api/cluster.ts';
import { kubectl, makeConfiguration, makeSecret, secretName } from './rig.ts';

const account = 'millrace-controller';
const kubeconfigSchema = z.looseObject({ users: z.array(z.looseObject({ name: z.string() })) });

/** Rights are narrow first: those of all namespaces stay. */
const watching: readonly (readonly [where: string, isKept: boolean])[] = [
  ['and one namespace, which is not its own', true],
  ['and all namespaces', false],
];

describe("the controller's process with a webhook", () => {
  const cluster = useCluster();
  before(async () => {
    await kubectl(cluster(), ['create', 'namespace', own]);
    await kubectl(cluster(), ['-n', own, 'create', 'serviceaccount', account]);
    await makeSecret(cluster().kube, own);
  });
  for (const [where, isKept] of watching) describe(where, () => checks(cluster, isKept));
});

function checks(cluster: ReturnType<typeof useCluster>, isKept: boolean): void {
  const end = new AbortController();
  let dir: string;
  let namespace: string;
  let health: string;
  let configuration: string;
  let ended: Promise<void>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-webhook-'));
    namespace = await cluster().namespace();
    const port = await freePort();
    configuration = await makeConfiguration(cluster(), { namespace, port });
    await applyRights();
    const healthPort = await freePort();
    health = `http://127.0.0.1:${healthPort}`;
    const env = {
      KUBECONFIG: await kubeconfigOfAccount(),
      MILLRACE_NAMESPACE: own,
      ...(isKept ? { MILLRACE_WATCH_NAMESPACES: namespace } : {}),
      MILLRACE_NATS_URL: 'nats://127.0.0.1:1',
      MILLRACE_TEMPORAL_ADDRESS: '127.0.0.1:1',
      MILLRACE_HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
      MILLRACE_WEBHOOK_LISTEN: `127.0.0.1:${port}`,
      MILLRACE_WEBHOOK_CERTIFICATE_SECRET: secretName,
      MILLRACE_WEBHOOK_CONFIGURATION: configuration,
      MILLRACE_WEBHOOK_HOSTS: '127.0.0.1',
    };
    ended = serveController(parseControllerConfig(env), pino({ level: 'silent' }), end.signal);
  });
  after(async () => {
    end.abort(new Error('the test ends'));
    await ended;
    await cluster().kube.delete('ValidatingWebhookConfiguration', configuration, undefined);
    await rm(dir, { recursive: true });
  });

  /** Those of the chart, which name its configuration. */
  async function applyRights(): Promise<void> {
    const watched = isKept ? [`watchNamespaces={${namespace}}`] : [];
    const roles = (await render(['profile=lab', ...watched])).filter(
      ({ kind: of, metadata }) => /Role(Binding)?$/.test(of) && /controller|webhook/.test(metadata.name),
    );
    const text = roles.map((role) => stringify(role)).join('---\n');
    await kubectl(cluster(), ['apply', '-f', '-'], text.replaceAll('- millrace-webhook\n', `- ${configuration}\n`));
  }

  async function kubeconfigOfAccount(): Promise<string> {
    const { stdout } = await kubectl(cluster(), ['-n', own, 'create', 'token', account]);
    const { users, ...rest } = kubeconfigSchema.parse(parse(cluster().kubernetes.kubeconfig));
    const path = join(dir, 'kubeconfig');
    const asAccount = users.map(({ name }) => ({ name, user: { token: stdout.trim() } }));
    await writeFile(path, stringify({ ...rest, users: asAccount }), { mode: 0o600 });
    return path;
  }

  it('becomes ready with the rights of the chart when the API server believes it, and shows when that ends', async () => {
    await eventually(async () => equal((await fetch(`${health}/health/ready`)).status, 200));
    const metrics = await (await fetch(`${health}/metrics`)).text();
    match(
      metrics,
      /^millrace_webhook_certificate_expiry_timestamp_seconds 1\.\d+e\+?9$|^millrace_webhook_certificate_expiry_timestamp_seconds \d{10}/m,
    );
    match(metrics, /^millrace_webhook_certificate_problem 0$/m);
    match(metrics, /^millrace_controller_pipelines /m);
  });

  it('is asked, and refuses', async () => {
    const text = (linger: string) =>
      JSON.stringify({
        ...{ apiVersion: 'millrace.io/v1alpha1', kind, metadata: { name: 'orders', namespace } },
        spec: { ...smallSpec, frame: { linger } },
      });
    await eventually(async () => {
      const said = await kubectl(cluster(), ['create', '--dry-run=server', '-f', '-'], text('2h')).then(
        () => '',
        (error: unknown) => String(error),
      );
      match(said, /The Pipeline "orders" is invalid: spec\.frame\.linger: must be at most 60s, but is 2h\./);
    });
    await kubectl(cluster(), ['create', '--dry-run=server', '-f', '-'], text('1s'));
  });
}
