/**
 * The lifecycle worker: Temporal's workflows and activities of all pipelines, in one process.
 *
 * R1  It waits for Temporal, Kubernetes and NATS as long as necessary, logs that, and never exits because one is down.
 * R2  On SIGTERM it takes no new task, lets activities end within the grace time, and exits 0.
 * R3  Every activity has a heartbeat: the activities of a killed worker are taken over within seconds.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type ActivityInterceptorsFactory } from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import { clusterOf } from '../../kubernetes/cluster.ts';
import { connectKube } from '../../kubernetes/kube.ts';
import { mr } from '../../model/errors.ts';
import { doorTaskQueue, doorWorkflowId, taskQueueOf } from '../../model/workflow-ids.ts';
import { serveHealth } from '../process/health.ts';
import { natsAccess } from '../process/nats.ts';
import { aborted, untilAskedToStop } from '../process/run.ts';
import { temporalConnection } from '../process/temporal.ts';
import { untilUp } from '../process/until-up.ts';
import { orWhenChanged } from '../process/when-changed.ts';
import { parseLifecycleConfig, type LifecycleConfig } from './config.ts';
import { ownerOfDoor } from './door.ts';
import { installRuntime } from './runtime.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { keepStreams } from './streams.ts';
import { createWorkers, runWorkers } from './workers.ts';

/** Resolves with the exit code after SIGTERM or SIGINT. */
export function runLifecycle(env: NodeJS.ProcessEnv): Promise<number> {
  const config = parseLifecycleConfig(env);
  const log = pino({ name: 'lifecycle', level: config.logLevel });
  return untilAskedToStop(
    log,
    (stop) => serveLifecycle(config, log, stop),
    (stop) => orWhenChanged(config.temporal.accessDir, stop, log),
  );
}

/**
 * Each attempt opens a socket of its own. gRPC would take the one of the last attempt, and where nobody answers that (a Service whose
 * first pod was not there yet), the kernel gives it up after two minutes.
 */
const freshSockets = { 'grpc.use_local_subchannel_pool': 1 };

/**
 * Resolves when `signal` is aborted and the worker has stopped. `around`: runs around every activity, outermost first.
 */
export async function serveLifecycle(
  config: LifecycleConfig,
  log: Logger,
  signal: AbortSignal,
  around: readonly ActivityInterceptorsFactory[] = [],
): Promise<void> {
  const { kubeconfig, nats, streamReplicas } = config;
  const access = natsAccess(nats.accessDir);
  const temporal = temporalConnection(config.temporal);
  const connect = () => Connection.connect({ ...temporal, connectTimeout: '2s', channelArgs: freshSockets });
  const atTemporal = { temporal: config.temporal, connect, log, signal };
  const metrics = installRuntime(log);
  const status = { waitingFor: 'Temporal' as string | undefined };
  const health =
    config.healthListen === undefined
      ? undefined
      : await serveHealth({
          listen: config.healthListen,
          notReady: () => status.waitingFor,
          metrics,
        });
  const kube = await untilUp({ part: 'the kubeconfig', log, signal }, () =>
    Promise.resolve().then(() => connectKube(kubeconfig, config.namespaces)),
  );
  const streams = keepStreams({ url: nats.url, access, streamReplicas, log, signal });
  try {
    await prepareTemporal(atTemporal);
    status.waitingFor = 'Kubernetes';
    const cluster = await untilUp({ part: `Kubernetes at ${kube.server}`, log, signal }, () => clusterOf(kube));
    status.waitingFor = 'Temporal';
    const { address } = temporal;
    const connection = await untilUp({ part: `Temporal at ${address}`, log, signal }, () =>
      NativeConnection.connect(temporal),
    );
    const servesDoor = await claimDoor(atTemporal, cluster);
    const parts = { kube, cluster, streams: streams.current, log, connection, servesDoor, around };
    const workers = await createWorkers(config, parts);
    status.waitingFor = undefined;
    log.info({ cluster, temporal: address }, 'the lifecycle worker is ready');
    await runWorkers(workers, aborted(signal));
    await connection.close();
  } finally {
    await streams.close();
    kube.close();
    await health?.close();
  }
}

/** Temporal while it is waited for. */
interface AtTemporal {
  readonly temporal: LifecycleConfig['temporal'];
  /** For one request or two. */
  readonly connect: () => Promise<Connection>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

async function prepareTemporal({ temporal, connect, log, signal }: AtTemporal): Promise<void> {
  const part = `Temporal at ${temporal.address}`;
  await untilUp({ part, log, signal }, async () => {
    const connection = await connect();
    try {
      await ensureSearchAttributes(connection, {
        namespace: temporal.namespace,
        sleep: (ms) => delay(ms, undefined, { signal }),
      });
    } finally {
      await connection.close();
    }
  });
}

async function claimDoor({ temporal, connect, log, signal }: AtTemporal, cluster: string): Promise<boolean> {
  const owner = await untilUp({ part: `Temporal at ${temporal.address}`, log, signal }, async () => {
    const connection = await connect();
    const client = new Client({ connection, namespace: temporal.namespace });
    return ownerOfDoor(client, cluster).finally(() => connection.close());
  });
  if (owner === cluster) return true;
  const queues = { queue: doorTaskQueue, own: taskQueueOf(cluster), workflow: doorWorkflowId };
  const taken = mr('MR_DOOR_TAKEN', { ...queues, owner, cluster });
  log.warn({ code: taken.code }, taken.sentence);
  return false;
}
