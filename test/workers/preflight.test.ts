/** What an installation needs, on real parts: each that is missing is named, with the others. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { startNats, type Nats } from '../../local/parts/nats.ts';
import { startTemporal, type Temporal } from '../../local/parts/temporal.ts';
import { freePort } from '../../local/ports.ts';
import { applyDefinitions } from '../../local/stack/definitions.ts';
import { applyIdentities, kubeconfigOf } from '../../local/stack/identities.ts';
import { ensurePki } from '../../local/parts/kubernetes/pki.ts';
import { controlProcesses } from '../../model/rights.ts';
import { preflight } from '../../workers/preflight/preflight.ts';
import type { Finding } from '../../workers/preflight/check.ts';
import { runUninstall } from '../../workers/uninstall/main.ts';

describe('preflight', function () {
  let dir: string;
  let kubernetes: Kubernetes;
  let nats: Nats;
  let temporal: Temporal;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-preflight-'));
    const monitorPort = await freePort();
    [kubernetes, nats, temporal] = await Promise.all([
      startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, controllers: false }),
      startNats({ dir: join(dir, 'nats'), port: await freePort(), monitorPort }),
      startTemporal({ dir: join(dir, 'temporal'), port: await freePort(), uiPort: await freePort() }),
    ]);
    const pki = await ensurePki(join(dir, 'kubernetes', 'pki'), new Date());
    const access = { url: kubernetes.url, ca: pki.ca, user: pki.admin };
    await applyDefinitions(access, join(import.meta.dirname, '../../crds'));
    await applyIdentities(access, dir);
  });
  after(async () => {
    await Promise.all([kubernetes.stop(), nats.stop(), temporal.stop()]);
    await rm(dir, { recursive: true, force: true });
  });

  const environment = (process: (typeof controlProcesses)[number], other: NodeJS.ProcessEnv = {}) => ({
    KUBECONFIG: kubeconfigOf(process, dir),
    MILLRACE_NAMESPACE: 'millrace-system',
    MILLRACE_NATS_URL: nats.url,
    MILLRACE_TEMPORAL_ADDRESS: temporal.address,
    ...other,
  });
  const codesOf = (findings: readonly Finding[]) =>
    Object.fromEntries(
      findings.map(({ name, problems }) => [name, [...new Set(problems.map(({ code }) => code))].join(', ')]),
    );

  for (const process of controlProcesses)
    it(`finds all that the ${process} needs, with the rights that it has`, async () => {
      const findings = await preflight(process, environment(process));
      deepEqual(
        findings.flatMap(({ problems }) => problems.map(({ message }) => message)),
        [],
      );
      equal(
        findings.some(({ name }) => name === 'NATS'),
        process === 'controller' || process === 'lifecycle',
      );
    });

  it('names every right that is missing, and why it is needed', async () => {
    const rights = (await preflight('lifecycle', environment('api'))).find(({ name }) => name === 'rights');
    const said = rights?.problems.map(({ message }) => message) ?? [];
    ok(said.length > 20, said.join('\n'));
    match(said.join('\n'), /lifecycle must be allowed to patch deployments\.apps \(stages\)/);
  });

  it('F1: names everything at once that is not there', async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const other = {
      MILLRACE_NATS_URL: `nats://app:secret@${nowhere}`,
      MILLRACE_TEMPORAL_ADDRESS: nowhere,
    };
    const findings = await preflight('lifecycle', environment('lifecycle', other));
    const { NATS, Temporal: found, rights } = codesOf(findings);
    deepEqual([NATS, found, rights], ['MR_STREAM_UNAVAILABLE', 'MR_TEMPORAL_UNAVAILABLE', '']);
    ok(!JSON.stringify(findings).includes('secret'));
  });

  it('tells a namespace of Temporal and copies of streams that cannot be had, and leaves no stream behind', async () => {
    const other = { MILLRACE_TEMPORAL_NAMESPACE: 'elsewhere', MILLRACE_STREAM_REPLICAS: '3' };
    const { NATS, Temporal: found } = codesOf(await preflight('lifecycle', environment('lifecycle', other)));
    deepEqual([NATS, found], ['MR_STREAM_NOT_MADE', 'MR_TEMPORAL_NAMESPACE_MISSING']);
  });

  it('tells that the kind is not there', async () => {
    const bare = await startKubernetes({ dir: join(dir, 'bare'), unsafeNoFsync: true, controllers: false });
    try {
      const other = { KUBECONFIG: bare.kubeconfigPath };
      const found = codesOf(await preflight('api', environment('api', other)));
      equal(found['kind Pipeline'], 'MR_KIND_MISSING');
      const said: string[] = [];
      await runUninstall('Block', other, { say: (line) => said.push(line), timeoutMs: 1_000, saidIn: undefined });
      deepEqual(said, ['there are no pipelines']);
    } finally {
      await bare.stop();
    }
  });
});
