/**
 * An installation of an earlier chart, upgraded by the one of today on a real API server: nothing that cannot be changed is
 * touched, nothing is lost that Helm has made, and what an upgrade would lose is refused with what to set.
 */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { chart, helm, setting, type Values } from './support/helm.ts';
import { kubectlOf } from './support/kubectl.ts';

const run = promisify(execFile);

/** The last chart without users and TLS in NATS, which the production profile has had since. */
const earlier = '06a86bf';
const root = join(import.meta.dirname, '../..');

const lab: Values = ['profile=lab'];
const production: Values = ['temporal.address=temporal-frontend.temporal:7233'];
/** What the earlier chart was without a word. */
const asBefore: Values = ['nats.auth.enabled=false', 'nats.tls.mode=off'];
/** Everything that is new and does not concern who gets in. */
const everything: Values = [
  'metrics.annotations=true',
  'nats.exporter.enabled=true',
  'nats.box.enabled=true',
  'watchNamespaces={default}',
];

const listed = z.object({
  items: z.array(
    z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), uid: z.string() }),
      spec: z.looseObject({
        clusterIP: z.string().optional(),
        selector: z.unknown(),
        volumeClaimTemplates: z.array(z.looseObject({ spec: z.looseObject({ resources: z.unknown() }) })).optional(),
      }),
    }),
  ),
});

const hasHistory = await run('git', ['-C', root, 'cat-file', '-e', `${earlier}^{commit}`]).then(
  () => true,
  () => false,
);

// A copy without its history has no earlier chart.
if (hasHistory)
  describe('an upgrade from an earlier chart', function () {
    let dir: string | undefined;
    let kubernetes: Kubernetes;
    let old: string;
    let kubectl: ReturnType<typeof kubectlOf>;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'millrace-chart-upgrade-'));
      const archive = join(dir, 'chart.tar');
      await run('git', ['-C', root, 'archive', '--output', archive, earlier, 'deploy/chart/millrace']);
      await mkdir(join(dir, 'old'));
      await run('tar', ['-xf', archive, '-C', join(dir, 'old')]);
      old = join(dir, 'old/deploy/chart/millrace');
      kubernetes = await startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, controllers: false });
      kubectl = kubectlOf(kubernetes.kubeconfigPath);
    });
    after(async () => {
      if (dir === undefined) return;
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    });

    /** `what`: install or upgrade. There is nobody who would run hooks, or make pods ready. */
    function using(where: string, what: 'install' | 'upgrade', namespace: string, values: Values): Promise<string> {
      const options = ['--namespace', namespace, '--create-namespace', '--no-hooks', '--take-ownership'];
      return helm([what, 'millrace', where, ...options, ...setting(values)], kubernetes.kubeconfigPath);
    }

    /** What an object must keep, by kind and name. */
    async function lasting(namespace: string): Promise<Readonly<Record<string, unknown>>> {
      const { stdout } = await kubectl(['-n', namespace, 'get', 'deployments,statefulsets,services', '-o', 'json']);
      return Object.fromEntries(
        listed.parse(JSON.parse(stdout)).items.map(({ kind, metadata, spec }) => [
          `${kind} ${metadata.name}`,
          {
            uid: metadata.uid,
            selector: spec.selector,
            clusterIP: spec.clusterIP,
            claims: spec.volumeClaimTemplates?.map((claim) => claim.spec.resources),
          },
        ]),
      );
    }

    async function tokenIn(namespace: string): Promise<string> {
      const { stdout } = await kubectl([
        '-n',
        namespace,
        'get',
        'secret',
        'millrace-api-token',
        '-o',
        'jsonpath={.data.token}',
      ]);
      return stdout;
    }

    for (const [profile, values, further] of [
      ['lab', lab, []],
      ['production', production, asBefore],
    ] as const)
      it(`under the ${profile} profile changes nothing that must last, whatever is switched on`, async () => {
        await using(old, 'install', profile, values);
        const [before, token] = [await lasting(profile), await tokenIn(profile)];
        equal(Object.keys(before).length > 6, true);
        for (const switched of [[], everything]) {
          await using(chart, 'upgrade', profile, [...values, ...further, ...switched]);
          const after = await lasting(profile);
          deepEqual(Object.fromEntries(Object.keys(before).map((name) => [name, after[name]])), before);
          equal(await tokenIn(profile), token);
        }
        // A field that somebody else had set by an update would be a conflict here, and was none.
        const { stdout } = await kubectl(['-n', profile, 'get', 'statefulset', 'millrace-nats', '-o', 'yaml']);
        match(stdout, /name: exporter/);
        await helm(['uninstall', 'millrace', '--namespace', profile, '--no-hooks'], kubernetes.kubeconfigPath);
      });

    it('is refused where it would give NATS users, under which there are no streams, with what to set', async () => {
      await using(old, 'install', 'refused', production);
      const before = await lasting('refused');
      await rejects(using(chart, 'upgrade', 'refused', production), ({ message }: Error) => {
        match(message, /nats\.auth\.enabled is true, and for the NATS that runs it is false/);
        match(message, /Keep `--set nats\.auth\.enabled=false`/);
        return true;
      });
      deepEqual(await lasting('refused'), before);
      // TLS may come by an upgrade: clients wait, and nothing is lost.
      await using(chart, 'upgrade', 'refused', [...production, 'nats.auth.enabled=false']);
      const { stdout } = await kubectl(['-n', 'refused', 'get', 'configmap', 'millrace-nats', '-o', 'yaml']);
      match(stdout, /cert_file/);
    });
  });
