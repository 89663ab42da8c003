/** The webhook on a real API server: what is refused, warned of and let through, and what goes on when it is dead. */
import { doesNotMatch, equal, match, ok } from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { PipelineInput } from '../../../../crds/pipeline.ts';
import { apiVersion, fieldManagers, finalizer, kind, labels } from '../../../../model/names.ts';
import { eventually } from '../../../support/eventually.ts';
import { converged, spec as smallSpec, useCluster, type Cluster } from '../../api/cluster.ts';
import { kubectl, startWebhook, type RunningWebhook } from './rig.ts';

type Spec = PipelineInput['spec'];
const by = { fieldManager: 'test' };
const [sink] = smallSpec.sinks;

/** What the rules of today refuse, and the API server by itself does not. */
const broken: Spec = { ...smallSpec, sinks: [{ ...sink!, when: 'record.total >' }] };

const refused: readonly [what: string, spec: Spec, says: RegExp][] = [
  ['an expression that does not compile', broken, /spec\.sinks\[0\]\.when: expression does not compile: /],
  [
    'a reference that is none',
    { ...smallSpec, sinks: [{ name: 'a', clickhouse: { ...sink!.clickhouse, password: '$(secret:ch)' } }] },
    /spec\.sinks\[0\]\.clickhouse\.password: a reference must be \$\(secret:NAME\/KEY\)/,
  ],
  [
    'several at once, each with its field',
    { ...broken, steps: [{ name: 'paid', filter: { where: 'record.' } }] },
    /spec\.steps\[0\]\.filter\.where: expression .* spec\.sinks\[0\]\.when: expression /s,
  ],
];

const warned: readonly [what: string, spec: Spec, says: RegExp][] = [
  [
    'a Secret that does not exist',
    {
      ...smallSpec,
      sinks: [{ name: 'a', clickhouse: { ...sink!.clickhouse, password: '$(secret:nobody/password)' } }],
    },
    /spec\.sinks\[0\]\.clickhouse\.password: Secret "nobody" does not exist in namespace/,
  ],
  [
    'a ConfigMap that does not exist',
    { ...smallSpec, sinks: [{ name: 'a', clickhouse: { ...sink!.clickhouse, username: '$(configMap:nobody/user)' } }] },
    /ConfigMap "nobody" does not exist/,
  ],
  [
    'a password that everybody can read',
    { ...smallSpec, sinks: [{ name: 'a', clickhouse: { ...sink!.clickhouse, password: 'hunter2' } }] },
    /spec\.sinks\[0\]\.clickhouse\.password: is readable in the resource; put it into a Secret/,
  ],
];

describe('the webhook, asked by a real API server', () => {
  const cluster = useCluster();
  let namespace: string;
  let running: RunningWebhook;

  const text = (name: string, spec: Spec, metadata: object = {}) =>
    JSON.stringify({ apiVersion, kind, metadata: { name, namespace, ...metadata }, spec });
  const apply = (name: string, spec: Spec, ...more: readonly string[]) =>
    kubectl(cluster(), ['apply', '--server-side', '--force-conflicts', ...more, '-f', '-'], text(name, spec));
  /** What kubectl prints against it. */
  const refusalOf = async (attempt: Promise<unknown>): Promise<string> => {
    try {
      await attempt;
    } catch (error) {
      return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    }
    throw new Error('the API server took it');
  };

  before(async () => {
    namespace = await cluster().namespace();
    // Stored before there were these rules.
    for (const name of ['old', 'old-and-edited', 'old-and-deleted']) await apply(name, broken);
    running = await startWebhook(cluster(), namespace);
    // API servers learn of a configuration a moment later.
    await eventually(async () =>
      match(await refusalOf(apply('probe', broken, '--dry-run=server')), /does not compile/),
    );
  });
  after(async () => {
    await running.stop();
    await cluster().kube.delete('ValidatingWebhookConfiguration', running.configuration, undefined);
  });

  for (const [what, spec, says] of refused)
    it(`refuses ${what}`, async () => {
      match(await refusalOf(apply('refused', spec)), says);
      equal(await cluster().kube.get(kind, 'refused', namespace), undefined);
    });

  it('refuses in the form in which the API server does, so that kubectl names each field', async () => {
    const said = await refusalOf(apply('refused', broken));
    match(said, /^The Pipeline "refused" is invalid: spec\.sinks\[0\]\.when: expression does not compile: /m);
  });

  for (const [what, spec, says] of warned)
    it(`warns of ${what}, and stores it`, async () => {
      const { stderr } = await apply('warned', spec);
      match(stderr, /^Warning: /);
      match(stderr, says);
      doesNotMatch(stderr, /hunter2/);
    });

  it('says nothing about what is in order, nor about a Secret that is there', async () => {
    const { kube } = cluster();
    const metadata = { name: 'ch', namespace };
    await kube.create({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { password: 'x' } }, by);
    const password = '$(secret:ch/password)';
    const { stderr } = await apply('sound', {
      ...smallSpec,
      sinks: [{ name: 'a', clickhouse: { ...sink!.clickhouse, password } }],
    });
    equal(stderr, '');
  });

  it('answers a dry run as it would answer, and nothing is stored', async () => {
    match(await refusalOf(apply('dry', broken, '--dry-run=server')), /does not compile/);
    await apply('dry', smallSpec, '--dry-run=server');
    equal(await cluster().kube.get(kind, 'dry', namespace), undefined);
  });

  it('refuses a change to what does not compile, and names it', async () => {
    await apply('changed', smallSpec);
    match(await refusalOf(apply('changed', broken)), /spec\.sinks\[0\]\.when/);
    await apply('changed', { ...smallSpec, sinks: [{ ...sink!, when: 'true' }] });
  });

  it('lets a stored spec be, that is refused today: it may be annotated, paused, mended and deleted', async () => {
    const { kube } = cluster();
    await kube.patchMerge(kind, 'old', namespace, { metadata: { annotations: { note: 'x' } } }, by);
    const paused = await apply('old', { ...broken, desiredState: 'Paused' });
    match(paused.stderr, /^Warning: spec\.sinks\[0\]\.when: expression does not compile/);
    // Another value that is wrong is not the old one.
    match(
      await refusalOf(apply('old', { ...broken, sinks: [{ ...sink!, when: 'record.total <' }] })),
      /does not compile/,
    );
    await apply('old', smallSpec);
    await kube.delete(kind, 'old', namespace);
  });

  it('knows what was wrong before by its name: it stays so when an item before it is taken away', async () => {
    const two = (sinks: Spec['sinks']) => ({ ...smallSpec, sinks });
    const first = { name: 'first', clickhouse: { ...sink!.clickhouse } };
    const added = await apply('old-and-edited', two([first, { ...sink!, when: 'record.total >' }]));
    match(added.stderr, /spec\.sinks\[1\]\.when/);
    await apply('old-and-edited', two([{ ...sink!, when: 'record.total >' }]));
  });

  describe('with pods beside the resource', () => {
    const shared: Spec = { ...smallSpec, isolation: 'Shared' };
    const makeDeployment = async (at: Cluster, name: string, owner: Readonly<Record<string, string>>) =>
      at.kube.create(
        {
          ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace, labels: owner } },
          spec: {
            selector: { matchLabels: { app: name } },
            template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
          },
        },
        by,
      );

    it('refuses a name under which somebody has a Deployment already', async () => {
      await makeDeployment(cluster(), 'clash-sink-warehouse', {});
      match(
        await refusalOf(apply('clash', shared)),
        /Deployment \S+\/clash-sink-warehouse is in the way: it belongs to no pipeline/,
      );
    });

    it('only warns of what a pipeline that is gone has left', async () => {
      const owner = { [labels.pipelineUid]: '0b9d7f3e-0000-4000-8000-000000000001', [labels.pipeline]: 'gone' };
      await makeDeployment(cluster(), 'left-sink-warehouse', owner);
      match((await apply('left', shared)).stderr, /Warning: .*left-sink-warehouse is in the way/);
    });
  });

  it('answers nobody who does not know the path that the configuration names', async () => {
    const to = { host: '127.0.0.1', port: running.port, path: '/pipelines', method: 'POST', agent: false };
    const sent = request({ ...to, rejectUnauthorized: false });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject);
    });
    sent.end('{}');
    const response = await answered;
    response.resume();
    equal(response.statusCode, 404);
  });

  it('counts what it has answered', async () => {
    const shown = await running.registry.metrics();
    for (const outcome of ['allowed', 'warned', 'refused'])
      match(shown, new RegExp(`millrace_webhook_requests_total\\{outcome="${outcome}"\\} [1-9]`));
    // The configuration keeps away what needs no answer.
    doesNotMatch(shown, /outcome="(passed|failed)"/);
    match(shown, /^millrace_webhook_certificate_problem 0/m);
    const [, expires = '0'] = /^millrace_webhook_certificate_expiry_timestamp_seconds (\S+)/m.exec(shown) ?? [];
    ok(Number(expires) > 0);
  });

  describe('that is dead', () => {
    before(async () => {
      await apply('alive', smallSpec, '--field-manager=owner');
      await running.stop();
    });

    it('lets no new pipeline and no new spec in, and the API server says whom it could not ask', async () => {
      const says = /failed calling webhook "pipelines\.millrace\.io"/;
      match(await refusalOf(apply('late', smallSpec)), says);
      match(await refusalOf(apply('alive', { ...smallSpec, desiredState: 'Paused' })), says);
    });

    it('holds up no status, no label, no finalizer and no deletion', async () => {
      const { kube, writeStatus } = cluster();
      await writeStatus(namespace, 'alive', converged(1));
      await kube.patchMerge(kind, 'alive', namespace, { metadata: { labels: { a: 'b' } } }, by);
      await kube.patchMerge(kind, 'alive', namespace, { metadata: { finalizers: [finalizer] } }, by);
      // The same spec once more, as a tool does that applies every few minutes.
      await apply('alive', smallSpec, '--field-manager=owner');
      await kube.delete(kind, 'alive', namespace);
      const deleting = await kube.get(kind, 'alive', namespace);
      ok(deleting?.metadata.deletionTimestamp);
      await writeStatus(namespace, 'alive', converged(2));
      await kube.patchMerge(
        kind,
        'alive',
        namespace,
        { metadata: { finalizers: null } },
        { fieldManager: fieldManagers.lifecycle },
      );
      equal(await kube.get(kind, 'alive', namespace), undefined);
    });

    it('does not keep what it would refuse today from being deleted', async () => {
      const { kube } = cluster();
      await kube.patchMerge(kind, 'old-and-deleted', namespace, { metadata: { finalizers: [finalizer] } }, by);
      await kube.delete(kind, 'old-and-deleted', namespace);
      await kube.patchMerge(kind, 'old-and-deleted', namespace, { metadata: { finalizers: null } }, by);
      equal(await kube.get(kind, 'old-and-deleted', namespace), undefined);
    });

    it('is out of the way when its configuration is deleted', async () => {
      await cluster().kube.delete('ValidatingWebhookConfiguration', running.configuration, undefined);
      await eventually(() => apply('after', smallSpec).then(() => true));
    });
  });
});
