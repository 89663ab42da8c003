/**
 * The data plane alone, on loopback: Kafka, nats-server, the ClickHouse endpoint, and for each case one ingestor and
 * one sink process, started just as a pod starts them. No Kubernetes and no Temporal: they carry no record.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeOptions } from '../activities/kubernetes/render/node-options.ts';
import { compile } from '../crds/compile.ts';
import { apiVersion, kind } from '../model/names.ts';
import { pipelineSchema } from '../crds/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import { startClickHouse, type ClickHouse } from '../local/clickhouse/clickhouse.ts';
import { startKafka, type Kafka } from '../local/kafka/kafka.ts';
import { startNats, type Nats } from '../local/parts/nats.ts';
import { freePort } from '../local/ports.ts';
import { startProcess, type RunningProcess } from '../local/process.ts';
import { connectStreams } from '../stream/connection.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../stream/streams.ts';
import type { BenchCase } from './cases.ts';

export interface Rig {
  readonly kafka: Kafka;
  readonly nats: Nats;
  readonly clickhouse: ClickHouse;
  /** Makes streams for a case and starts its two workers. */
  startWorkers(benchCase: BenchCase, topic: string, table: string): Promise<Workers>;
  stop(): Promise<void>;
}

export interface Workers {
  readonly ingestor: RunningProcess;
  readonly sink: RunningProcess;
  stop(): Promise<void>;
}

const cli = join(import.meta.dirname, '../cli/millrace.ts');

export async function startRig(): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const kafka = await startKafka({ dir: join(dir, 'kafka'), port: await freePort() });
  const nats = await startNats({ dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort() });
  const clickhouse = await startClickHouse({ dir: join(dir, 'clickhouse'), port: await freePort() });
  let started = 0;
  return {
    kafka,
    nats,
    clickhouse,
    async startWorkers(benchCase, topic, table) {
      started += 1;
      const plan = planOf(benchCase, `case-${started}`, kafka.brokers, topic, clickhouse.url, table);
      await makeStreams(nats.url, plan);
      const home = join(dir, plan.pipeline.name);
      await mkdir(join(home, 'credentials'), { recursive: true });
      await writeFile(join(home, 'plan.json'), JSON.stringify(plan));
      const worker = async (role: 'ingestor' | 'sink', stage: string, ip: string): Promise<RunningProcess> =>
        await startProcess({
          name: role,
          command: process.execPath,
          args: [cli, 'worker', role],
          logFile: join(home, `${role}.log`),
          // Loading code is not moving records: the measurement starts after it.
          ready: async () => (await fetch(`http://${ip}:8080/health/ready`)).ok,
          env: {
            NODE_OPTIONS: nodeOptions(role),
            MILLRACE_STAGE: stage,
            MILLRACE_PLAN_FILE: join(home, 'plan.json'),
            MILLRACE_CREDENTIALS_DIR: join(home, 'credentials'),
            MILLRACE_NATS_URL: nats.url,
            MILLRACE_POD_NAME: `${role}-0`,
            MILLRACE_POD_IP: ip,
          },
        });
      const sink = await worker('sink', 'sink-warehouse', '127.0.91.2');
      const ingestor = await worker('ingestor', 'ingestor-orders', '127.0.91.1');
      return {
        ingestor,
        sink,
        async stop() {
          await ingestor.stop();
          await sink.stop();
        },
      };
    },
    async stop() {
      await nats.stop();
      await kafka.stop();
      await clickhouse.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function planOf(
  benchCase: BenchCase,
  name: string,
  brokers: readonly string[],
  topic: string,
  url: string,
  table: string,
): Plan {
  return compile(
    pipelineSchema.parse({
      apiVersion,
      kind,
      metadata: { name, namespace: 'bench', uid: name, generation: 1 },
      spec: {
        sources: [{ name: 'orders', kafka: { brokers, topic } }],
        steps: benchCase.steps,
        sinks: [
          {
            name: 'warehouse',
            clickhouse: { url, table, createTable: { columns: benchCase.columns, orderBy: [] } },
          },
        ],
      },
    }),
  );
}

async function makeStreams(url: string, plan: Plan): Promise<void> {
  const streams = await connectStreams({ url, name: 'bench' });
  try {
    await ensureSharedStreams(streams);
    await ensurePipelineStreams(streams, plan);
  } finally {
    await streams.nc.drain();
  }
}
