import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DefaultLogger, Worker } from '@temporalio/worker';
import { definePipeline, Millrace } from '../../client/index.ts';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { z } from 'zod';
import { resourceActivities } from '../../activities/resource.ts';
import { kind } from '../../model/names.ts';
import { clusterOf } from '../../kubernetes/cluster.ts';
import { workflowBundle } from '../../workers/lifecycle/bundle.ts';
import { eventually } from '../support/eventually.ts';
import { condition, converged, spec, useCluster } from '../workers/api/cluster.ts';
import { temporalServer, type TemporalServer } from '../workflows/temporal-server.ts';
import { noAccess } from '../activities/no-access.ts';

const example = join(import.meta.dirname, '../../examples/apply-by-temporal/apply.ts');

describe('pipelines by Temporal', function () {
  const cluster = useCluster();
  let dir: string;
  let temporal: TemporalServer;
  let worker: Worker;
  let working: Promise<void>;
  let millrace: Millrace;
  let namespace: string;

  /** The real workflows and the real activities on the resource; the test is what carries the pipeline out. */
  before(async function () {
    dir = await mkdtemp(join(tmpdir(), 'millrace-client-'));
    temporal = await temporalServer();
    worker = await Worker.create({
      connection: temporal.native,
      taskQueue: 'pipelines',
      workflowBundle: { codePath: await workflowBundle(new DefaultLogger('ERROR')) },
      activities: resourceActivities({
        kube: cluster().kube,
        cluster: await clusterOf(cluster().kube),
        streams: () => assert.fail('the resource is not in a stream'),
        clock: { now: () => Date.now(), sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}) },
        log: pino({ level: 'silent' }),
        image: 'none',
        natsUrl: 'nats://none',
        podAccess: noAccess,
        streamReplicas: 1,
        pollMs: 50,
      }),
    });
    working = worker.run();
    millrace = await Millrace.connect({ api: 'http://127.0.0.1:1', temporal: { address: temporal.address } });
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  after(async () => {
    await millrace.close();
    worker.shutdown();
    await working;
    await rm(dir, { recursive: true, force: true });
  });

  const orders = () => definePipeline({ name: 'orders', namespace, labels: { team: 'shop' }, spec });
  const isThere = async () => assert.ok(await cluster().kube.get(kind, 'orders', namespace));

  it('the client applies and resolves when the pipeline is ready', async () => {
    const applying = millrace.workflows.apply(orders());
    await eventually(isThere);
    await cluster().writeStatus(namespace, 'orders', converged(1));
    const { pipeline, generation, status } = await applying;
    assert.deepEqual([pipeline.name, generation, status.observedGeneration], ['orders', 1, 1]);
    const stored = await cluster().kube.get(kind, 'orders', namespace);
    assert.equal(stored?.metadata.labels?.['team'], 'shop');
  });

  it('the client fails when the pipeline is refused', async () => {
    const applying = millrace.workflows.apply(orders());
    applying.catch(() => undefined);
    await eventually(isThere);
    await cluster().writeStatus(namespace, 'orders', {
      observedGeneration: 1,
      conditions: [condition('Stalled', 'True', 'KubernetesRefused')],
    });
    await assert.rejects(applying, (error) => /KubernetesRefused it is/.test(causes(error)));
  });

  it('the client deletes and resolves when everything is gone', async () => {
    const applying = millrace.workflows.apply(orders());
    await eventually(isThere);
    await cluster().writeStatus(namespace, 'orders', converged(1));
    await applying;
    await millrace.workflows.delete({ name: 'orders', namespace });
    assert.equal(await cluster().kube.get(kind, 'orders', namespace), undefined);
    await millrace.workflows.delete({ name: 'orders', namespace });
  });

  for (const type of ['applyPipeline', 'deletePipeline']) {
    it(`W1: ${type} with an input that names no pipeline fails, and says what must be`, async () => {
      const running = temporal.client.workflow.execute(type, {
        workflowId: `malformed-${type}`,
        taskQueue: 'pipelines',
        args: ['hello'],
      });
      await assert.rejects(running, (error) => /input: .* takes one object with `namespace`/.test(causes(error)));
    });
  }

  it('the example with the plain Temporal client prints what applyPipeline answers', async () => {
    const file = join(dir, 'orders.yaml');
    await writeFile(file, stringify(orders()));
    const running = promisify(execFile)(process.execPath, [example, file], {
      env: { ...process.env, MILLRACE_TEMPORAL_ADDRESS: temporal.address },
    });
    await eventually(isThere);
    await cluster().writeStatus(namespace, 'orders', converged(1));
    const { stdout, stderr } = await running;
    const answer = z
      .looseObject({ generation: z.int(), pipeline: z.looseObject({ name: z.string() }) })
      .parse(JSON.parse(stdout));
    assert.deepEqual([answer.generation, answer.pipeline.name], [1, 'orders']);
    assert.match(stderr, new RegExp(`started apply/${namespace}/orders, run `));
  });
});

/** Temporal wraps what an activity said in failures of its own. */
function causes(error: unknown): string {
  return error instanceof Error ? `${error.message} ${causes(error.cause)}` : '';
}
