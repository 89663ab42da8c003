/**
 * One run: the whole local stack under load while faults come and go, then the checks.
 *
 * Pods reach NATS, ClickHouse and PostgreSQL through proxies; the checks ask them past the proxies.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectKube, type Kube } from '../../kubernetes/kube.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { kind, labels, pidOf } from '../../model/names.ts';
import type { Manifest } from '../../kubernetes/objects.ts';
import { connectStreams } from '../../stream/connection.ts';
import type { DeadLetter } from '../../stream/dead-letter.ts';
import { readDeadLetters } from '../../stream/dead-letters.ts';
import { Kubectl } from '../e2e/support/kubectl.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { Armed } from './arsenal.ts';
import { startBus, type Bus } from './bus.ts';
import { brokenEvery, Load, orderOf } from './load.ts';
import { eventsPipeline, ordersPipeline, passwordSecret, type Targets } from './pipelines.ts';
import { eventually } from '../support/eventually.ts';
import { scheduleOf, sentenceOf, type Battlefield, type FaultKind } from './schedule.ts';
import { Sinks } from './sinks.ts';
import { falseClaims, Truth, type FalseClaims } from './truth.ts';
import { canMount } from './volume.ts';
import { verifyEvents, verifyOrders, type Verdict } from './verify.ts';

export interface RunOptions {
  readonly seed: number;
  readonly lengthMs: number;
  readonly only?: readonly FaultKind[];
  /** One server of NATS, or three that keep copies. Default: one. */
  readonly bus?: Battlefield['bus'];
  readonly say: (line: string) => void;
}

export interface Recovery {
  readonly fault: string;
  /** From the end of the fault until all that was acknowledged by then had arrived; undefined: not before the run ended. */
  readonly afterMs: number | undefined;
}

export interface Outcome {
  readonly seed: number;
  readonly lengthMs: number;
  readonly bus: Battlefield['bus'];
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly orders: Verdict;
  readonly events: Verdict;
  readonly outOfOrder: number;
  readonly health: FalseClaims;
  readonly recoveries: readonly Recovery[];
  /** Undefined: it did not settle, and what is missing may only be late. */
  readonly settledMs: number | undefined;
  /** Of pipelines that were deleted, what is there nevertheless. */
  readonly left: readonly string[];
  readonly refusals: ReadonlyMap<string, number>;
  readonly restarts: Readonly<Record<string, number>>;
}

/** After the last fault: given up when nothing has arrived for so long. It finds what is stuck, not what is slow. */
const stillMs = 120_000;

export async function runFaults(options: RunOptions): Promise<Outcome> {
  const { say, seed, lengthMs, bus: kindOfBus = 'server' } = options;
  const field: Battlefield = { bus: kindOfBus, canFill: canMount };
  if (!canMount) say('The volume of NATS is not filled in this run: that needs Linux and root.');
  const dir = await mkdtemp(join(tmpdir(), 'millrace-faults-'));
  const bus = await startBus(field, join(dir, 'cluster'), join(dir, 'nats'));
  const stack = await startStack({
    dataDir: dir,
    with: ['kafka', 'postgres'],
    otherPorts: 'free',
    unsafeNoFsync: true,
    ...bus.stackOptions,
  });
  try {
    return await underFire(options, field, stack, bus);
  } finally {
    await stack.stop();
    await bus.close();
    if (process.env['MILLRACE_KEEP_STACK'] === undefined) await rm(dir, { recursive: true, force: true });
    else say(`seed ${seed}, ${lengthMs} ms: data and logs are in ${dir}`);
  }
}

async function underFire(options: RunOptions, field: Battlefield, stack: Stack, bus: Bus): Promise<Outcome> {
  const { say, seed, lengthMs, only } = options;
  const { endpoints } = stack;
  if (endpoints.kafka === undefined || endpoints.postgres === undefined)
    throw new TypeError('Kafka and PostgreSQL run');
  const brokers = endpoints.kafka.split(',');
  const postgresUrl = new URL(endpoints.postgres);
  const clickhouse = await startTcpProxy(Number(new URL(endpoints.clickhouseUrl).port));
  const postgres = await startTcpProxy(Number(postgresUrl.port));
  const targets: Targets = { brokers, clickhousePort: clickhouse.port, postgresPort: postgres.port, postgresUrl };
  const kube = connectKube(endpoints.kubeconfig);
  const kubectl = new Kubectl(endpoints.kubeconfig);
  const sinks = new Sinks(endpoints.clickhouseUrl, endpoints.postgres);
  const token = await readFile(join(dirname(endpoints.kubeconfig), 'api-token'), 'utf8');
  const load = new Load(brokers, endpoints.apiUrl, token.trim());
  const truth = new Truth();
  try {
    await load.createTopic();
    await provision(kube, targets, say);
    load.start();
    truth.start(kube, load, sinks, expectedRows);
    const armed = new Armed({ stack, kube, kubectl, links: { clickhouse, postgres }, bus, targets, load });
    const began = performance.now();
    const schedule = scheduleOf(seed, lengthMs, field, only);
    const counts: Partial<Record<FaultKind, number>> = {};
    const ended: { fault: string; atMs: number }[] = [];
    const underWay: Promise<void>[] = [];
    for (const { atMs, fault } of schedule) {
      await delay(Math.max(0, began + atMs - performance.now()));
      const sentence = sentenceOf(fault);
      say(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${sentence}`);
      counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
      underWay.push(
        armed.carryOut(fault).then(() => {
          ended.push({ fault: sentence, atMs: performance.now() });
        }),
      );
    }
    await delay(Math.max(0, began + lengthMs - performance.now()));
    await Promise.all(underWay);
    await armed.heal();
    // A fresh record after the last fault (I8) is part of what must arrive.
    await delay(2_000);
    await load.stop();
    say('The load has ended; waiting until everything has arrived …');
    const settledMs = await settled(load, sinks);
    const left = await leftOf(stack, kube, armed.gone);
    await truth.stop();
    // The last fault may just have ended: a connection that it cut is found out by the first question.
    const topic = await eventually(() => load.topicContent());
    const rows = await eventually(() => sinks.orders());
    const deadLetters = await eventually(() => deadLettersOf(stack, kube, 'orders'));
    const events = await eventually(() => sinks.events());
    return {
      seed,
      lengthMs,
      bus: field.bus,
      faults: counts,
      orders: verifyOrders({ topic, ...rows, deadLetters }),
      events: verifyEvents(load.events, events, load.mayRepeat),
      outOfOrder: await eventually(() => sinks.outOfOrder()),
      health: falseClaims(truth.samples),
      recoveries: recoveriesOf(ended, load, truth),
      settledMs,
      left,
      refusals: load.refusals,
      restarts: Object.fromEntries(stack.parts.map(({ name, record }) => [name, record.restarts])),
    };
  } finally {
    await load.stop();
    await truth.stop();
    await sinks.close();
    kube.close();
    await clickhouse.close();
    await postgres.close();
  }
}

/** Rows that orders 0 to `acknowledged` give: those that are paid and JSON. */
export function expectedRows(acknowledged: number): number {
  let rows = 0;
  for (let id = 0; id < acknowledged; id++) if (id % brokenEvery !== 0 && orderOf(id).status === 'paid') rows++;
  return rows;
}

async function provision(kube: Kube, targets: Targets, say: (line: string) => void): Promise<void> {
  const options = { fieldManager: 'faults', force: true };
  await kube.apply(passwordSecret(targets) as Manifest, options);
  const pipelines = [ordersPipeline(targets, 1, 1), eventsPipeline(targets)];
  for (const pipeline of pipelines) {
    const { name } = pipeline.metadata;
    await kube.apply({ ...pipeline, metadata: { name, namespace: 'default' } }, options);
  }
  for (const { metadata } of pipelines) {
    for (;;) {
      const object = await kube.get(kind, metadata.name, 'default');
      if (JSON.stringify(object?.['status'] ?? {}).includes('"reason":"Running"')) break;
      await delay(500);
    }
    say(`Pipeline ${metadata.name} runs.`);
  }
}

/** Milliseconds until all has arrived; undefined when nothing more comes. */
async function settled(load: Load, sinks: Sinks): Promise<number | undefined> {
  const began = performance.now();
  const orders = expectedRows(load.orders);
  let best = -1;
  for (let movedAt = began; performance.now() - movedAt < stillMs;) {
    const [arrivedOrders = 0, arrivedEvents = 0] = [await sinks.orderCount(), await sinks.eventCount()];
    if (arrivedOrders >= orders && arrivedEvents >= load.events) return performance.now() - began;
    if (arrivedOrders + arrivedEvents > best) movedAt = performance.now();
    best = Math.max(best, arrivedOrders + arrivedEvents);
    await delay(500);
  }
  return undefined;
}

/** Streams and namespaces of these pipelines. What a late act has brought back the controller finds, and takes down. */
async function leftOf(stack: Stack, kube: Kube, gone: readonly string[]): Promise<string[]> {
  const streams = await connectStreams({ url: stack.endpoints.natsUrl, name: 'faults' });
  try {
    for (const began = performance.now(); ;) {
      const left: string[] = [];
      for (const uid of gone) {
        left.push(...(await streams.streamNames(`mr.${pidOf('events', uid)}.>`)));
        const namespaces = await kube.list('Namespace', { labels: { [labels.pipelineUid]: uid } });
        left.push(...namespaces.items.map(({ metadata }) => `namespace ${metadata.name}`));
      }
      if (left.length === 0 || performance.now() - began > stillMs) return left;
      await delay(500);
    }
  } finally {
    await streams.nc.close();
  }
}

async function deadLettersOf(stack: Stack, kube: Kube, name: string): Promise<DeadLetter[]> {
  const uid = (await kube.get(kind, name, 'default'))?.metadata.uid;
  if (uid === undefined) throw new TypeError(`pipeline ${name} is there`);
  const streams = await connectStreams({ url: stack.endpoints.natsUrl, name: 'faults' });
  try {
    const letters: DeadLetter[] = [];
    for (let fromSequence = 1; ;) {
      const page = await readDeadLetters(streams, pidOf(name, uid), { fromSequence, limit: 1_000 });
      if (page.letters.length === 0) return letters;
      letters.push(...page.letters);
      fromSequence = page.nextSequence;
    }
  } finally {
    await streams.nc.close();
  }
}

/** For each fault: when had all that was acknowledged by its end arrived? */
function recoveriesOf(ended: readonly { fault: string; atMs: number }[], load: Load, truth: Truth): Recovery[] {
  return ended.map(({ fault, atMs }) => {
    const mark = load.marks.findLast((candidate) => candidate.atMs <= atMs);
    if (mark === undefined) return { fault, afterMs: 0 };
    const wanted = { orders: expectedRows(mark.orders), events: mark.events };
    const times = (['orders', 'events'] as const).map(
      (pipeline) =>
        truth.samples.find(
          (sample) => sample.pipeline === pipeline && sample.atMs >= atMs && (sample.arrived ?? 0) >= wanted[pipeline],
        )?.atMs,
    );
    const [first, second] = times;
    return { fault, afterMs: first === undefined || second === undefined ? undefined : Math.max(first, second) - atMs };
  });
}
