/** A nats-server of its own for a test file, on a free port, with its data in a directory that goes away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '../../../model/plan.ts';
import { startNats, type Nats, type NatsOptions } from '../../../local/parts/nats.ts';
import { freePort } from '../../../local/ports.ts';
import { connectStreams, type Streams } from '../../../stream/connection.ts';

export interface TestServer {
  /** Its disk. */
  readonly dir: string;
  readonly url: string;
  readonly port: number;
  connect(name?: string, url?: string): Promise<Streams>;
  /** kill -9, then start again on the same port and data. */
  crash(): Promise<void>;
  /** With other options, such as a lower limit, when given. */
  start(options?: TestServerOptions): Promise<void>;
  stop(): Promise<void>;
}

export type TestServerOptions = Pick<NatsOptions, 'maxFileBytes' | 'maxPayloadBytes' | 'extra'>;

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-nats-'));
  const port = await freePort();
  const monitorPort = await freePort();
  const start = (how: TestServerOptions) => startNats({ dir, port, monitorPort, ...how });
  let nats: Nats = await start(options);
  const connections: Streams[] = [];
  return {
    dir,
    url: nats.url,
    port,
    async connect(name = 'test', url = nats.url) {
      const streams = await connectStreams({ url, name, reconnectTimeWaitMs: 50, requestTimeoutMs: 1_000 });
      connections.push(streams);
      return streams;
    },
    async crash() {
      nats.kill('SIGKILL');
      await nats.exited;
    },
    async start(how = options) {
      nats = await start(how);
    },
    async stop() {
      await Promise.all(connections.map(({ nc }) => nc.close()));
      await nats.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** For all tests of a `describe`, which calls this: a server and a connection to it, given to `use` before the first one. */
export function withTestServer(use: (streams: Streams, server: TestServer) => void): void {
  let server: TestServer | undefined;
  before(async () => {
    server = await startTestServer();
    use(await server.connect(), server);
  });
  after(() => server?.stop());
}

let pipelines = 0;

export interface TestPlanOptions {
  readonly shards?: number;
  readonly sourceSlots?: number;
  readonly sinks?: readonly string[];
  readonly edgeBytes?: number;
  readonly frame?: { readonly maxRecords: number; readonly maxBytes: number; readonly lingerMs: number };
  readonly batch?: { readonly maxRecords: number; readonly maxBytes: number; readonly maxDelayMs: number };
}

/** A plan of one source `orders`, one edge, and sinks; a new pipeline id at each call. */
export function testPlan(options: TestPlanOptions = {}): Plan {
  const pid = `p${++pipelines}-${process.pid.toString(16).padStart(6, '0')}`;
  const shards = options.shards ?? 2;
  const resources = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } };
  const sinks = options.sinks ?? ['warehouse'];
  return {
    planVersion: 1,
    pipeline: { name: 'test', namespace: 'default', uid: `uid-${pid}`, pid, generation: 1 },
    workloadNamespace: `pipeline-${pid}`,
    isolation: 'Namespace',
    desiredState: 'Running',
    deletionPolicy: 'Drain',
    edges: [{ name: 'main', shards, maxBytes: options.edgeBytes ?? 256 * 2 ** 20 }],
    stages: [
      {
        kind: 'ingestor',
        name: 'ingestor-orders',
        workload: 'ingestor-orders',
        connector: 'generator',
        config: {},
        slots: options.sourceSlots ?? 2,
        replicas: 1,
        resources,
        source: 'orders',
        writes: 'main',
        frame: options.frame ?? { maxRecords: 1_000, maxBytes: 256 * 1024, lingerMs: 10 },
      },
      ...sinks.map((sink, index) => ({
        kind: 'sink' as const,
        name: `sink-${sink}`,
        workload: `sink-${sink}`,
        connector: 'clickhouse',
        config: {},
        slots: shards,
        replicas: 1,
        resources,
        sink,
        reads: 'main',
        sources: { orders: { topic: null, schema: null } },
        steps: [],
        ownsStepFailures: index === 0,
        route: { unless: [], when: null },
        batch: options.batch ?? { maxRecords: 5_000, maxBytes: 4 * 2 ** 20, maxDelayMs: 50 },
      })),
    ],
    deadLetters: { maxBytes: 16 * 2 ** 20, whenFull: 'Block' },
    credentials: [],
  };
}
