/**
 * `npm run bench:idle [-- --pipelines N] [--seconds S]`: what idle pipelines cost the controller, and how often it
 * asks.
 *
 * Temporal and nats-server are real; the API server is a model (`idle/api-server.ts`), because on a machine of this
 * size a real one with a hundred thousand objects would dominate the measurement. Each pipeline has a started entity,
 * two workloads, a copied credential, and pods that repeat their report every ten seconds. Its streams do not exist:
 * a model answers requests for them.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { startNats } from '../local/parts/nats.ts';
import { startTemporal } from '../local/parts/temporal.ts';
import { freePort } from '../local/ports.ts';
import { entityWorkflowId, taskQueueOf } from '../model/workflow-ids.ts';
import { ensureSearchAttributes } from '../workers/lifecycle/search-attributes.ts';
import { nameAttributesOf, pipelineState } from '../workflows/search-attributes.ts';
import { cpuMicros, peakRssBytes } from './cpu.ts';
import { cluster } from './idle/cluster.ts';
import { machine } from './report.ts';

const { values } = parseArgs({
  options: { pipelines: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '240' } },
});
const pipelines = Number(values.pipelines);
const seconds = Number(values.seconds);
const startersAtOnce = 50;

interface Asked {
  readonly asked: Readonly<Record<string, number>>;
  readonly jetStream: number;
}

const say = (what: string) => process.stderr.write(`${what}\n`);
const dir = await mkdtemp(join(tmpdir(), 'millrace-idle-'));
const nats = await startNats({ dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort() });
const temporalAt = { dir: join(dir, 'temporal'), port: await freePort(), uiPort: await freePort() };
const temporal = await startTemporal(temporalAt);
const children: ChildProcess[] = [];
// A run that is stopped from outside must leave nothing running.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().then(() => process.exit(1)));
try {
  await startEntities(temporal.address);
  const world = child('./idle/world.ts', [String(pipelines), nats.url]);
  const { port } = await told<{ port: number }>(world);
  const health = await freePort();
  const kubeconfig = join(dir, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigOf(port));
  const controller = child('./idle/controller.ts', [], {
    ...{ KUBECONFIG: kubeconfig, MILLRACE_NATS_URL: nats.url, MILLRACE_TEMPORAL_ADDRESS: temporal.address },
    ...{ MILLRACE_HEALTH_LISTEN: `127.0.0.1:${health}`, MILLRACE_LOG_LEVEL: 'warn' },
  });
  await untilQuiet(health);
  const startedMs = (await cpuOf(controller)) / 1_000;
  say(`it knows all after ${(startedMs / 1_000).toFixed(1)} s of CPU; measuring for ${seconds} s`);
  const [before, cpuBefore, at] = [await askedOf(world), await cpuOf(controller), performance.now()];
  await delay(seconds * 1_000);
  const [after, cpuAfter] = [await askedOf(world), await cpuOf(controller)];
  const tookS = (performance.now() - at) / 1_000;
  const minutes = tookS / 60;
  const share = (cpuAfter - cpuBefore) / 1e6 / tookS;
  const peakMiB = (await peakRssBytes(controller.pid ?? 0)) / 2 ** 20;
  const lines = [
    machine(),
    '',
    `${pipelines.toLocaleString('en')} idle pipelines, ${tookS.toFixed(0)} s: ${(share * 100).toFixed(2)} % of a core, peak ${peakMiB.toFixed(0)} MiB; start ${(startedMs / 1_000).toFixed(1)} s of CPU`,
    '',
    '| asked | a minute |',
    '|---|---|',
    ...Object.keys(after.asked)
      .map((what) => [what, ((after.asked[what] ?? 0) - (before.asked[what] ?? 0)) / minutes] as const)
      .filter(([, perMinute]) => perMinute > 0)
      .map(([what, perMinute]) => `| Kubernetes: ${what} | ${perMinute.toFixed(1)} |`),
    `| JetStream | ${((after.jetStream - before.jetStream) / minutes).toFixed(1)} |`,
    `| Temporal: pages of open workflows | ${Math.ceil(pipelines / 1_000)} |`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
} finally {
  await stop();
}

async function stop(): Promise<void> {
  for (const each of children) each.kill('SIGKILL');
  await Promise.all([nats.stop(), temporal.stop()]);
  await rm(dir, { recursive: true, force: true });
}

function child(file: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const forked = fork(new URL(file, import.meta.url), args, { env: { ...process.env, ...env } });
  children.push(forked);
  return forked;
}

async function told<T>(from: ChildProcess): Promise<T> {
  const [message] = (await once(from, 'message')) as [T];
  return message;
}

async function askedOf(world: ChildProcess): Promise<Asked> {
  const answer = told<Asked>(world);
  world.send('asked?');
  return answer;
}

function cpuOf({ pid = 0 }: ChildProcess): Promise<number> {
  return cpuMicros(pid);
}

/** Entities in their idle state: open, with their search attributes. No worker serves them. */
async function startEntities(address: string): Promise<void> {
  const connection = await Connection.connect({ address });
  await ensureSearchAttributes(connection, { namespace: 'default', sleep: (ms) => delay(ms) });
  const { workflow } = new Client({ connection });
  const { idlePipeline } = await import('./idle/cluster.ts');
  let next = 0;
  const starter = async () => {
    for (let index = next++; index < pipelines; index = next++) {
      const { namespace, name, uid } = idlePipeline(index);
      await workflow.start('pipelineLifecycle', {
        workflowId: entityWorkflowId(namespace, name, uid),
        taskQueue: taskQueueOf(cluster),
        args: [],
        memo: { pipeline: `${namespace}/${name}`, description: 'kafka → clickhouse' },
        typedSearchAttributes: new TypedSearchAttributes([
          ...nameAttributesOf({ namespace, name }),
          { key: pipelineState, value: 'Running' },
        ]),
      });
      if (index % 1_000 === 999) say(`${index + 1} entities`);
    }
  };
  await Promise.all(Array.from({ length: startersAtOnce }, starter));
  await connection.close();
}

/** It knows all pipelines, writes conditions, and has finished its initial writes. */
async function untilQuiet(health: number): Promise<void> {
  let last = -1;
  for (let quiet = 0; quiet < 3;) {
    await delay(5_000);
    const text = await fetch(`http://127.0.0.1:${health}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    const value = (name: string) =>
      Number(new RegExp(`^millrace_controller_${name} (\\d+)`, 'm').exec(text)?.[1] ?? -1);
    const writes = value('status_writes');
    const isThere = value('pipelines') === pipelines && value('leader') === 1 && value('hears') === 1;
    quiet = isThere && writes === last && value('queue_depth') === 0 ? quiet + 1 : 0;
    last = writes;
  }
}

function kubeconfigOf(port: number): string {
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'idle' },
    clusters: [{ name: 'idle', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'idle', user: { token: 'x' } }],
    contexts: [{ name: 'idle', context: { cluster: 'idle', user: 'idle' } }],
  });
}
