/**
 * One local stack for all end-to-end tests of a run: started by the first that asks, ended after the last.
 *
 * It is the stack of `millrace dev`, on free ports and in a directory of its own.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { startStack, type PartName, type Stack } from '../../../local/stack.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { Warehouse } from './clickhouse.ts';
import { Kubectl } from './kubectl.ts';
import { killPod } from './pods.ts';

export interface RunningStack {
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly warehouse: Warehouse;
  readonly clickhouseUrl: string;
  readonly kafkaBrokers: readonly string[];
  readonly postgresUrl: string;
  readonly temporalAddress: string;
  readonly apiUrl: string;
  /** Headers that the API asks for. */
  readonly apiToken: Readonly<Record<string, string>>;
  /** kill -9 of a part; the stack starts it again. */
  kill(part: PartName): void;
  /** kill -9 of the processes of a stage's pods; the node starts them again. */
  killPod(pipeline: string, stage: string): Promise<void>;
  streamNames(): Promise<string[]>;
  /** Listens on a port of 127.0.0.1 and hands every connection on to Kafka. */
  startForwarder(port: number): Promise<{ close(): Promise<void> }>;
}

let shared: Promise<{ stack: Stack; running: RunningStack; dir: string }> | undefined;

/** For a `describe`: starts the shared stack before its tests, and gives access to it inside them. */
export function useStack(): () => RunningStack {
  let running: RunningStack | undefined;
  before(async function () {
    shared ??= start();
    ({ running } = await shared);
  });
  return () => {
    assert.ok(running, 'the stack is used inside tests and hooks only');
    return running;
  };
}

after(async function () {
  if (shared === undefined) return;
  const { stack, running, dir } = await shared;
  await running.warehouse.close();
  await stack.stop();
  if (process.env['MILLRACE_KEEP_STACK'] === undefined) await rm(dir, { recursive: true, force: true });
});

async function start() {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-e2e-'));
  const stack = await startStack({
    dataDir: dir,
    with: ['kafka', 'postgres'],
    otherPorts: 'free',
    unsafeNoFsync: true,
  });
  const { endpoints } = stack;
  assert.ok(endpoints.kafka);
  assert.ok(endpoints.postgres);
  const kafkaBrokers = endpoints.kafka.split(',');
  const kubectl = new Kubectl(endpoints.kubeconfig);
  const running: RunningStack = {
    kubeconfig: endpoints.kubeconfig,
    kubectl,
    warehouse: new Warehouse(endpoints.clickhouseUrl),
    clickhouseUrl: endpoints.clickhouseUrl,
    kafkaBrokers,
    postgresUrl: endpoints.postgres,
    temporalAddress: endpoints.temporalAddress,
    apiUrl: endpoints.apiUrl,
    apiToken: { 'millrace-token': (await readFile(join(dir, 'api-token'), 'utf8')).trim() },
    kill: (part) => stack.part(part).kill('SIGKILL'),
    killPod: (pipeline, stage) => killPod(kubectl, pipeline, stage),
    streamNames: () => streamNames(endpoints.natsUrl),
    startForwarder: (port) => startTcpProxy(Number(kafkaBrokers[0]?.split(':')[1]), port),
  };
  return { stack, running, dir };
}

async function streamNames(natsUrl: string): Promise<string[]> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await jetstreamManager(connection);
    const names: string[] = [];
    for await (const name of manager.streams.names()) names.push(name);
    return names;
  } finally {
    await connection.close();
  }
}
