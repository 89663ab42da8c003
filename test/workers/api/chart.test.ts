/** The API as the chart runs it: its environment, its account and its roles, on a real API server; and what it then lets whom do. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { z } from 'zod';
import { askApi } from '../../../client/http.ts';
import { changeSchema, storedPipelines } from '../../../client/wire.ts';
import { MillraceProblem } from '../../../client/problem.ts';
import { freePort } from '../../../local/ports.ts';
import { preflight } from '../../../workers/preflight/preflight.ts';
import { millrace, startMillrace } from '../../cli/millrace.ts';
import { namespace, render, type Rendered, type Values } from '../../deploy/support/helm.ts';
import { eventually } from '../../support/eventually.ts';
import { chartAccounts } from '../lifecycle/chart-accounts.ts';
import { spec, useCluster } from './cluster.ts';
import { makeAccount } from './people.ts';

const deployment = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.tuple([
          z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })) }),
        ]),
      }),
    }),
  }),
});

/** Variables of the API's container, but for those of the pod itself. */
function environmentIn(objects: readonly Rendered[]): Record<string, string> {
  const [{ env }] = deployment.parse(
    objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'millrace-api'),
  ).spec.template.spec.containers;
  return Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}

describe('the API of the chart, whose callers Kubernetes knows', function () {
  const cluster = useCluster();
  const stop: (() => Promise<unknown>)[] = [];
  after(async () => {
    for (const end of stop) await end();
  });

  for (const [where, isConfined] of [
    ['everywhere', false],
    ['in one namespace that is watched', true],
  ] as const)
    it(`lets those do something whom the chart has given a role, and nobody else, and writes down who it was (${where})`, async () => {
      const { kube, kubernetes } = cluster();
      const shop = await cluster().namespace();
      const ci = await makeAccount(kube, shop, 'ci');
      const values: Values = [
        ...['profile=lab', 'api.auth.mode=kubernetes', 'api.auth.audiences={millrace}', 'logLevel=error'],
        ...['api.auth.bindings[0].role=edit', `api.auth.bindings[0].namespaces={${shop}}`],
        'api.auth.bindings[0].serviceAccounts[0].name=ci',
        `api.auth.bindings[0].serviceAccounts[0].namespace=${shop}`,
        ...(isConfined ? [`watchNamespaces={${shop}}`] : []),
      ];
      const dir = join(kubernetes.kubeconfigPath, '..');
      const account = await (await chartAccounts(kubernetes, dir, values))('api');
      const given = { ...environmentIn(await render(values)), KUBECONFIG: account };
      const asked = { ...given, MILLRACE_NAMESPACE: namespace, MILLRACE_API_IMPERSONATION: 'constrained' };
      const rights = (await preflight('api', asked)).find(({ name }) => name === 'rights');
      deepEqual(
        rights?.problems.map(({ message }) => message),
        [],
      );

      const { address, log } = await startApi(given);
      const token = await ci.token(['millrace']);
      const asCi = askApi(address, () => Promise.resolve(token));
      const path = `/v1/namespaces/${shop}/pipelines`;
      await asCi({ method: 'PUT', path: `${path}/orders`, body: { spec }, answer: changeSchema });
      const { items } = await asCi({ method: 'GET', path, answer: storedPipelines });
      deepEqual(
        items.map(({ metadata }) => metadata.name),
        ['orders'],
      );
      await asCi({ method: 'DELETE', path: `${path}/orders`, query: { force: 'true' }, answer: changeSchema });
      const codeOf = (of: string) =>
        asCi({ method: 'GET', path: of, answer: storedPipelines }).then(
          () => 'allowed',
          (error: unknown) => (error instanceof MillraceProblem ? error.code : error),
        );
      // All that are watched are those of its own namespace.
      equal(await codeOf('/v1/pipelines'), isConfined ? 'allowed' : 'MR_CALLER_FORBIDDEN');
      equal(await codeOf('/v1/namespaces/default/pipelines'), 'MR_CALLER_FORBIDDEN');

      const audited = log()
        .split('\n')
        .filter((line) => line.includes('"audit"'));
      match(
        audited[0] ?? '',
        new RegExp(`"who":"${ci.name}","what":"apply","namespace":"${shop}","name":"orders","outcome":"done"`),
      );
      equal(audited.length, 2);
      ok(!log().includes(token));
    });

  async function startApi(given: Record<string, string>): Promise<{ address: string; log: () => string }> {
    const address = `http://127.0.0.1:${await freePort()}`;
    const child = startMillrace(['api'], {
      ...given,
      MILLRACE_API_LISTEN: new URL(address).host,
      MILLRACE_HEALTH_LISTEN: `127.0.0.1:${await freePort()}`,
      MILLRACE_TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
    });
    let log = '';
    child.stdin.end();
    child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    stop.push(async () => {
      child.kill('SIGTERM');
      await ended;
    });
    await eventually(async () => (await fetch(`${address}/healthz`)).ok);
    return { address, log: () => log };
  }

  it('does not start on an address that others reach without asking who they are', async () => {
    const { code, stderr } = await millrace(['api'], {
      env: { MILLRACE_API_LISTEN: '0.0.0.0:0', MILLRACE_API_AUTH_MODE: 'none' },
    });
    equal(code, 4);
    match(stderr, /MR_ENVIRONMENT_INVALID: MILLRACE_API_LISTEN .* not a loopback address/);
  });
});
