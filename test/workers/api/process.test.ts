import assert from 'node:assert/strict';
import { z } from 'zod';
import { freePort } from '../../../local/ports.ts';
import { millrace, startMillrace } from '../../cli/millrace.ts';
import { eventually } from '../../support/eventually.ts';
import { useCluster } from './cluster.ts';

describe('millrace api', function () {
  const cluster = useCluster();

  it('serves where it is told to, while Temporal is down, and ends with 0 on SIGTERM', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const metricsUrl = `http://127.0.0.1:${await freePort()}`;
    const child = startMillrace(['api'], {
      KUBECONFIG: cluster().kubernetes.kubeconfigPath,
      MILLRACE_API_LISTEN: new URL(url).host,
      MILLRACE_HEALTH_LISTEN: new URL(metricsUrl).host,
      MILLRACE_TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
    });
    child.stdin.end();
    child.stdout.resume();
    child.stderr.resume();
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await eventually(async () => (await fetch(`${url}/healthz`)).ok);
    const ready = await fetch(`${url}/readyz`);
    assert.deepEqual(
      [ready.status, await ready.json()],
      [200, { status: 'ok, but Temporal does not answer: changes wait' }],
    );
    assert.equal((await fetch(`${url}/v1/pipelines`)).status, 200);
    const version = z
      .object({ version: z.string(), apiVersion: z.string() })
      .parse(await (await fetch(`${url}/version`)).json());
    assert.equal(version.apiVersion, 'millrace.io/v1alpha1');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /millrace_api_request_seconds_count\{method="GET",route="\/v1\/pipelines",status="200"\} 1/);
    const elsewhere = await (await fetch(`${metricsUrl}/metrics`)).text();
    assert.match(
      elsewhere,
      /millrace_api_request_seconds_count\{method="GET",route="\/v1\/pipelines",status="200"\} 1/,
    );
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('refuses to listen where others could reach it', async () => {
    const { code, stderr } = await millrace(['api'], { env: { MILLRACE_API_LISTEN: '0.0.0.0:8088' } });
    assert.equal(code, 4);
    assert.match(
      stderr,
      /MR_ENVIRONMENT_INVALID: MILLRACE_API_LISTEN cannot be used: 0\.0\.0\.0 is not a loopback address/,
    );
  });
});
