/**
 * The parts of the stack as data: what each needs to be there first, which ports it uses, how it is started.
 *
 * Order is not written anywhere else: a part starts when its needs are ready, and stops before them.
 */
import { get } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ControlProcess } from '../../model/rights.ts';
import { cut } from '../../model/text.ts';
import { identify, isSameProcess } from '../process-identity.ts';
import { startKafka } from '../kafka/kafka.ts';
import {
  apiserverUrl,
  startApiserver,
  startControllerManager,
  startEtcd,
  startScheduler,
  type ControlPlane,
} from '../parts/kubernetes/components.ts';
import { requestApi } from '../parts/kubernetes/request.ts';
import { startNats } from '../parts/nats.ts';
import { startTemporal } from '../parts/temporal.ts';
import { startPostgres } from '../postgres/postgres.ts';
import { requireEngine } from '../clickhouse/installed.ts';
import type { BinaryName } from '../binaries/resolve.ts';
import { startProcess } from '../process.ts';
import { compileCache } from '../millrace-shim.ts';
import { nodeCommand, program } from '../programs.ts';
import { kubeconfigOf, ownNamespace } from './identities.ts';
import type { DataLayout } from './layout.ts';
import type { PortName, Ports } from './port-plan.ts';
import type { StackEndpoints } from './record.ts';
import type { PartProcess } from './supervised-part.ts';

export interface PartContext {
  readonly layout: DataLayout;
  readonly ports: Ports;
  readonly plane: Omit<ControlPlane, 'onSpawn'>;
  readonly endpoints: StackEndpoints;
  readonly say: (line: string) => void;
  /** Notes what only the running part knows. */
  readonly publish: (endpoints: Partial<StackEndpoints>) => void;
}

interface PartDefinition {
  readonly needs: readonly string[];
  readonly ports: readonly PortName[];
  readonly binaries: readonly BinaryName[];
  /** Throws what to install, before anything is made or started. */
  readonly requires?: () => void;
  /** Only with `--with`. */
  readonly optional?: true;
  readonly address: (context: PartContext) => string;
  /** Between SIGTERM and SIGKILL when it is cleaned up after a crash. Default 10 s. */
  readonly graceMs?: number;
  readonly launch: (context: PartContext, onSpawn: (pid: number) => void, logFile: string) => Promise<PartProcess>;
}

const image = 'millrace/millrace:dev';
/** The node waits for its pods, and a pod has 30 s. */
const nodeGraceMs = 40_000;

const partDefinitions = {
  nats: {
    needs: [],
    ports: ['nats', 'nats-monitor'],
    binaries: ['nats-server'],
    address: ({ endpoints }) => endpoints.natsUrl,
    launch: ({ layout, ports }, onSpawn, logFile) =>
      startNats({ dir: layout.of('nats'), port: ports.nats, monitorPort: ports['nats-monitor'], logFile, onSpawn }),
  },
  temporal: {
    needs: [],
    ports: ['temporal', 'temporal-ui'],
    binaries: ['temporal'],
    address: ({ endpoints }) => `${endpoints.temporalAddress}, UI ${endpoints.temporalUiUrl}`,
    launch: ({ layout, ports }, onSpawn, logFile) =>
      startTemporal({
        dir: layout.of('temporal'),
        port: ports.temporal,
        uiPort: ports['temporal-ui'],
        logFile,
        onSpawn,
      }),
  },
  etcd: {
    needs: [],
    ports: ['etcd'],
    binaries: ['etcd'],
    address: ({ ports }) => `https://127.0.0.1:${ports.etcd}`,
    launch: ({ plane }, onSpawn) => startEtcd({ ...plane, onSpawn }),
  },
  'kube-apiserver': {
    needs: ['etcd'],
    ports: ['apiserver'],
    binaries: ['kube-apiserver'],
    address: ({ endpoints }) => endpoints.kubernetesUrl,
    launch: ({ plane }, onSpawn) => startApiserver({ ...plane, onSpawn }),
  },
  'kube-controller-manager': {
    needs: ['kube-apiserver'],
    ports: [],
    binaries: ['kube-controller-manager'],
    address: () => '',
    launch: ({ plane }, onSpawn) => startControllerManager({ ...plane, onSpawn }),
  },
  'kube-scheduler': {
    needs: ['kube-apiserver'],
    ports: [],
    binaries: ['kube-scheduler'],
    address: () => '',
    launch: ({ plane }, onSpawn) => startScheduler({ ...plane, onSpawn }),
  },
  clickhouse: {
    needs: [],
    ports: ['clickhouse'],
    binaries: [],
    address: ({ endpoints }) => endpoints.clickhouseUrl,
    requires: requireEngine,
    launch: ({ layout, ports, endpoints }, onSpawn, logFile) =>
      startProcess({
        name: 'clickhouse',
        command: nodeCommand(),
        args: [
          program('local/clickhouse/main'),
          ...['--dir', layout.of('clickhouse'), '--port', String(ports.clickhouse)],
        ],
        // Each query that runs holds a thread of the pool; file access needs some too.
        env: { UV_THREADPOOL_SIZE: '16' },
        logFile,
        onSpawn,
        graceMs: 15_000,
        ready: () => answersOk(`${endpoints.clickhouseUrl}/ping`),
      }),
  },
  kafka: {
    needs: [],
    ports: ['kafka', 'kafka-controller'],
    binaries: [],
    optional: true,
    address: ({ ports }) => `127.0.0.1:${ports.kafka}`,
    graceMs: 30_000,
    async launch({ layout, ports, say, publish }, onSpawn, logFile) {
      const kafka = await startKafka({
        dir: layout.of('kafka'),
        port: ports.kafka,
        controllerPort: ports['kafka-controller'],
        autoCreateTopics: true,
        logFile,
        progress: say,
        onSpawn,
      });
      publish({ kafka: kafka.brokers.join(',') });
      return asPartProcess(kafka);
    },
  },
  postgres: {
    needs: [],
    ports: ['postgres'],
    binaries: [],
    optional: true,
    address: ({ ports }) => `127.0.0.1:${ports.postgres}`,
    async launch({ layout, ports, publish }, onSpawn, logFile) {
      const postgres = await startPostgres({ dir: layout.of('postgres'), port: ports.postgres, logFile, onSpawn });
      publish({ postgres: postgres.url });
      return asPartProcess(postgres);
    },
  },
  node: {
    needs: ['definitions', 'kube-controller-manager'],
    ports: ['kubelet'],
    binaries: [],
    address: ({ ports }) => `https://127.0.0.1:${ports.kubelet}`,
    graceMs: nodeGraceMs,
    launch: ({ layout, ports, endpoints, plane }, onSpawn, logFile) =>
      startProcess({
        name: 'node',
        command: nodeCommand(),
        args: [
          program('local/node/main'),
          ...['--kubeconfig', endpoints.kubeconfig, '--data-dir', layout.of('node')],
          ...['--kubelet-port', String(ports.kubelet), '--name', 'local'],
        ],
        logFile,
        onSpawn,
        graceMs: nodeGraceMs,
        ready: async () => (await kubeletAnswers(ports.kubelet)) && (await isNodeReady(plane, 'local')),
      }),
  },
  lifecycle: {
    needs: ['definitions', 'nats', 'temporal'],
    ports: ['lifecycle-health'],
    binaries: [],
    address: (context) => `health ${healthUrl(context, 'lifecycle')}`,
    launch: (context, onSpawn, logFile) =>
      startOwn('lifecycle', context, onSpawn, logFile, `${healthUrl(context, 'lifecycle')}/health/ready`),
  },
  controller: {
    needs: ['definitions', 'nats', 'temporal'],
    ports: ['controller-health'],
    binaries: [],
    address: (context) => `health ${healthUrl(context, 'controller')}`,
    launch: (context, onSpawn, logFile) =>
      startOwn('controller', context, onSpawn, logFile, `${healthUrl(context, 'controller')}/health/ready`),
  },
  api: {
    needs: ['definitions', 'nats', 'temporal'],
    ports: ['api'],
    binaries: [],
    address: ({ endpoints }) => endpoints.apiUrl,
    launch: (context, onSpawn, logFile) =>
      startOwn('api', context, onSpawn, logFile, `http://127.0.0.1:${context.ports.api}/readyz`),
  },
} as const satisfies Record<string, PartDefinition>;

export type PartName = keyof typeof partDefinitions;
export const partNames = Object.keys(partDefinitions).filter((name): name is PartName => name in partDefinitions);

export function definitionOf(name: PartName): PartDefinition {
  return partDefinitions[name];
}

/** Millrace's own processes: the same programs as in a cluster, told by environment where the others are. */
function startOwn(
  name: Exclude<ControlProcess, 'uninstall'>,
  { endpoints, ports, layout, plane }: PartContext,
  onSpawn: (pid: number) => void,
  logFile: string,
  readyUrl: string,
): Promise<PartProcess> {
  return startProcess({
    name,
    command: nodeCommand(),
    args: [program('cli/millrace'), name],
    env: {
      NODE_COMPILE_CACHE: compileCache(),
      KUBECONFIG: kubeconfigOf(name, plane.dir),
      MILLRACE_NAMESPACE: ownNamespace,
      MILLRACE_NATS_URL: endpoints.natsUrl,
      MILLRACE_TEMPORAL_ADDRESS: endpoints.temporalAddress,
      MILLRACE_TEMPORAL_NAMESPACE: 'default',
      MILLRACE_TEMPORAL_UI_URL: endpoints.temporalUiUrl,
      MILLRACE_IMAGE: image,
      MILLRACE_API_LISTEN: `127.0.0.1:${ports.api}`,
      ...(name === 'api'
        ? { MILLRACE_API_TOKEN_FILE: layout.apiToken }
        : { MILLRACE_HEALTH_LISTEN: `127.0.0.1:${ports[`${name}-health`]}` }),
    },
    logFile,
    onSpawn,
    graceMs: 15_000,
    ready: () => answersOk(readyUrl),
  });
}

function healthUrl({ ports }: PartContext, name: 'controller' | 'lifecycle'): string {
  return `http://127.0.0.1:${ports[`${name}-health`]}`;
}

/** A part on a busy machine answers late; one that hangs is found by its lack of work. */
const answerMs = 20_000;

async function answersOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerMs) });
  if (answer.ok) return true;
  throw new Error(`${url} answers ${answer.status}: ${cut(await answer.text(), 500)}`);
}

/** Its certificate is self-signed, as the API server expects of a kubelet. */
function kubeletAnswers(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const url = `https://127.0.0.1:${port}/healthz`;
    get(url, { rejectUnauthorized: false, agent: false, timeout: answerMs }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    }).on('error', reject);
  });
}

const nodeObject = z.looseObject({
  status: z.looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })) }),
});

async function isNodeReady(plane: PartContext['plane'], name: string): Promise<boolean> {
  const access = { url: apiserverUrl(plane), ca: plane.pki.ca, user: plane.pki.admin };
  const answer = await requestApi(access, 'GET', `/api/v1/nodes/${name}`);
  if (answer.status !== 200) return false;
  const { conditions } = nodeObject.parse(JSON.parse(answer.body)).status;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

interface Restartable {
  readonly pid: () => number;
  readonly isRunning: () => boolean;
  stop(): Promise<void>;
}

const pollMs = 200;

/** A launcher's handle that follows its process over restarts, seen as the one process that runs now. */
async function asPartProcess(running: Restartable): Promise<PartProcess> {
  const pid = running.pid();
  const identity = await identify(pid);
  const gone = async () => {
    while (identity && (await isSameProcess(identity))) await delay(pollMs, undefined, { ref: false });
    return { code: null, signal: null };
  };
  return {
    pid,
    exited: gone(),
    isRunning: running.isRunning,
    stop: () => running.stop(),
    kill: (signal) => {
      if (running.isRunning()) process.kill(-pid, signal);
    },
  };
}
