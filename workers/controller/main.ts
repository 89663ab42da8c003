/**
 * The controller's process.
 *
 * R1  Kubernetes, NATS or Temporal may be down at any time: it waits, logs that, and continues by itself.
 * R2  On SIGTERM it ends its watches, lets running work finish, and exits 0.
 */
import { randomBytes } from 'node:crypto';
import { pino, type Logger } from 'pino';
import { Gauge, Registry } from 'prom-client';
import { clusterOf } from '../../kubernetes/cluster.ts';
import { connectKube } from '../../kubernetes/kube.ts';
import { systemClock } from '../../stream/clock.ts';
import { connectStreams, type Streams } from '../../stream/connection.ts';
import { parseControllerConfig, type ControllerConfig } from './config.ts';
import { Controller } from './controller.ts';
import { temporalEngine } from './engine.ts';
import { serveHealth } from '../process/health.ts';
import { hostsOf } from '../process/hosts.ts';
import { tellingNatsTrouble } from '../process/nats-trouble.ts';
import { natsAccess } from '../process/nats.ts';
import { untilAskedToStop } from '../process/run.ts';
import { untilUp } from '../process/until-up.ts';
import { orWhenChanged } from '../process/when-changed.ts';
import { Webhook } from './webhook/webhook.ts';

/** Resolves with the exit code after SIGTERM or SIGINT. */
export function runController(env: NodeJS.ProcessEnv): Promise<number> {
  const config = parseControllerConfig(env);
  const log = pino({ name: 'controller', level: config.logLevel });
  return untilAskedToStop(
    log,
    (stop) => serveController(config, log, stop),
    (stop) => orWhenChanged(config.temporal.accessDir, stop, log),
  );
}

/** Resolves when `signal` is aborted. */
export async function serveController(config: ControllerConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const { kubeconfig, nats } = config;
  const access = natsAccess(nats.accessDir);
  const kube = await untilUp({ part: 'the kubeconfig', log, signal }, () =>
    Promise.resolve().then(() => connectKube(kubeconfig, config.namespaces)),
  );
  const own = connectKube(kubeconfig, [config.lease.namespace]);
  const cluster = knownOnce(() => clusterOf(kube));
  const engine = temporalEngine({ ...config.temporal, cluster });
  const controller = new Controller({
    ...{ kube, engine, log, clock: systemClock, random: Math.random, cluster },
    nats: hostsOf(nats.url),
    ...{ sweepMs: config.sweepMs, repairsAtOnce: config.repairsAtOnce, lease: config.lease },
  });
  const metrics = metricsOf(controller);
  let streams: Streams | undefined;
  const webhook =
    config.webhook === undefined
      ? undefined
      : new Webhook(config.webhook, {
          ...{ kube, own, log, clock: systemClock, registry: metrics, streams: () => streams },
          unguessable: () => randomBytes(32).toString('base64url'),
        });
  const health =
    config.healthListen === undefined
      ? undefined
      : await serveHealth({
          listen: config.healthListen,
          notReady: () => (controller.isSynced ? webhook?.notReady() : 'the first list of pipelines'),
          metrics,
        });
  const onTrouble = tellingNatsTrouble(nats.url, log);
  connectStreams({ url: nats.url, name: 'millrace controller', access, signal, onTrouble }).then(
    (connected) => {
      if (signal.aborted) return connected.nc.close();
      streams = connected;
      controller.useStreams(connected);
      return undefined;
    },
    (error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'NATS cannot be connected');
    },
  );
  log.info({ kubernetes: kube.server, temporal: config.temporal.address }, 'the controller is watching');
  try {
    await Promise.all([controller.run(signal), webhook?.run(signal)]);
  } finally {
    await streams?.nc.close();
    await engine.close();
    kube.close();
    own.close();
    await health?.close();
  }
}

/** Calls `ask` until it succeeds once, then keeps the answer. */
function knownOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: { readonly value: T } | undefined;
  return async () => {
    known ??= { value: await ask() };
    return known.value;
  };
}

function metricsOf(controller: Controller): Registry {
  const registry = new Registry();
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const counts = () => controller.counts;
  gauge('millrace_controller_pipelines', 'Pipelines that are known.', () => counts().pipelines);
  gauge('millrace_controller_signals', 'Signals sent to entities since the start.', () => counts().signals);
  gauge('millrace_controller_queue_depth', 'Pipelines that wait to be looked at.', () => counts().queueDepth);
  gauge(
    'millrace_controller_signals_suppressed',
    'Looks at which an entity was not told because it knew.',
    () => counts().suppressed,
  );
  gauge(
    'millrace_controller_oldest_key_seconds',
    'How long the pipeline that waits longest has not been dealt with, retries included.',
    () => counts().oldestKeyAgeMs / 1_000,
  );
  gauge(
    'millrace_controller_waiting_for_temporal',
    'Pipelines that have something to tell while Temporal is away.',
    () => counts().waitingForEngine,
  );
  gauge('millrace_controller_relists', 'Full lists of pipelines since the start.', () => counts().relists);
  gauge('millrace_controller_leader', '1: this controller writes the conditions.', () => (counts().isLeader ? 1 : 0));
  gauge('millrace_controller_hears', '1: this controller hears the pods by NATS.', () => (counts().hears ? 1 : 0));
  gauge('millrace_controller_status_writes', 'Statuses written since the start.', () => counts().statusWrites);
  gauge('millrace_controller_repairs_running', 'Pipelines that are being put right.', () => counts().repairsRunning);
  gauge(
    'millrace_controller_leftovers',
    'Pipelines that are gone, and of which something was found.',
    () => counts().leftovers,
  );
  gauge(
    'millrace_controller_repairs_waiting',
    'Pipelines that differ from how they were left, and wait for their turn.',
    () => counts().repairsWaiting,
  );
  return registry;
}
