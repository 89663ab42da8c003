/**
 * Watches pipelines and what they refer to, tells Temporal what changed, and keeps their conditions true. No business logic:
 * levels are compared in `./level.ts`, conditions are folded in `./conditions.ts`, deviations are found in `./deviation.ts`.
 *
 * C1  Several copies may run. Each tells entities what resources say, which costs a signal and never a mistake; one at a
 *     time writes conditions and tells of deviations: the one that holds the lease (`./lease.ts`).
 * C2  A pipeline is looked at when something about it has changed, and when something may have become untrue by itself
 *     (`./alarms.ts`). One that is at rest costs nothing.
 */
import type { Logger } from 'pino';
import { problemOf, type MillraceError } from '../../model/errors.ts';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { kind, labels } from '../../model/names.ts';
import { classify } from '../../activities/failures.ts';
import { emitEvent } from '../../activities/status/event.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { watchKept } from '../../kubernetes/watch.ts';
import { isUnderWay } from '../../model/status.ts';
import { entityWorkflowId } from '../../model/workflow-ids.ts';
import type { Clock } from '../../stream/clock.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { Alarms } from './alarms.ts';
import { ClaimsWriter } from './claims-writer.ts';
import { copyOf, freshnessOf, isCopied, pairOf, type Copy } from './copies.ts';
import { deviationOf } from './deviation.ts';
import type { Engine, OpenEntities } from './engine.ts';
import { EngineGate } from './engine-gate.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { Leftovers } from './leftovers.ts';
import { Lease } from './lease.ts';
import { PipelineCache } from './pipeline-cache.ts';
import { sightingOf, type PipelineRecord, type Sighting } from './pipeline-record.ts';
import { readinessToTell } from './readiness.ts';
import { Referenced } from './referenced.ts';
import { RepairPace } from './repair-pace.ts';
import { Reports } from './reports.ts';
import { lostOf, StreamLook } from './stream-look.ts';
import { Teller } from './teller.ts';
import { workloadOf, Workloads, type Workload } from './workloads.ts';

export interface ControllerParts {
  readonly kube: Kube;
  readonly engine: Engine;
  readonly log: Logger;
  readonly clock: Clock;
  /** uid of the cluster (`kubernetes/cluster.ts`). */
  readonly cluster: () => Promise<string>;
  readonly sweepMs: number;
  /** Pipelines that are put right at once. */
  readonly repairsAtOnce: number;
  readonly lease: { readonly namespace: string; readonly identity: string };
}

/** Visibility lags behind: an entity that was started within this time is not looked for. */
const listingLagMs = 10_000;
const tickMs = 1_000;
/** Readiness is told when it has lasted so long. */
const lastingReadinessMs = 30_000;
/** Entities that a sweep tells of their readiness. */
const readinessATime = 200;
const never = Number.POSITIVE_INFINITY;

export class Controller {
  readonly #parts: ControllerParts;
  readonly #end = new AbortController();
  readonly #cache = new PipelineCache();
  readonly #workloads = new Workloads();
  /** Copied credentials by uid of the pipeline. */
  readonly #copies = new Map<string, Copy>();
  readonly #gate = new EngineGate();
  readonly #reports: Reports;
  readonly #referenced: Referenced;
  readonly #teller: Teller;
  readonly #writer: ClaimsWriter;
  readonly #lease: Lease;
  readonly #repairs: RepairPace;
  readonly #leftovers: Leftovers;
  readonly #streamLook: StreamLook;
  readonly #alarms: Alarms;
  readonly #tellings: KeyedQueue;
  readonly #writings: KeyedQueue;
  readonly #comparisons: KeyedQueue;
  #streams: JetStreamPort | undefined;
  #isSynced = false;
  #areCopiesSynced = false;
  #heard = '';
  relists = 0;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    const { kube, engine, clock, lease } = parts;
    const now = () => clock.now();
    const onWritten = (resource: KubeObject) => this.#take(this.#sight(resource));
    const warn = (what: string) => (pipeline: string, error: unknown, retryInMs: number) =>
      parts.log.warn({ pipeline, problem: problemOf(error), retryInMs: Math.round(retryInMs) }, what);
    this.#alarms = new Alarms(now());
    this.#repairs = new RepairPace(parts.repairsAtOnce);
    this.#reports = new Reports(this.#cache, now, (record) => this.#look(record));
    this.#referenced = new Referenced({
      kube,
      signal: this.#end.signal,
      onChange: (keys) => this.#lookAt(keys),
      onError: (what, problem) => parts.log.warn({ problem }, `${what} are not watched for now`),
    });
    this.#lease = new Lease({
      ...{ kube, clock, ...lease, name: 'millrace-controller' },
      hears: () => this.#reports.ear.isConnected,
      onChange: (isHeld) => this.#leaseChanged(isHeld),
      onError: (problem) => parts.log.warn({ problem }, 'the lease of the conditions cannot be looked after'),
    });
    this.#teller = new Teller({ kube, engine, now, onWritten, gate: this.#gate });
    this.#writer = new ClaimsWriter({
      ...{ kube, now, onWritten, reports: this.#reports, workloads: this.#workloads },
      streams: () => this.#streams,
      mayWrite: () => this.#lease.isHeld,
      onEventFailed: ({ key: pipeline }, problem) =>
        parts.log.warn({ pipeline, problem }, 'what has happened could not be told as an Event'),
    });
    this.#leftovers = new Leftovers({
      ...{ kube, now, cluster: parts.cluster, distanceMs: parts.sweepMs / 2 },
      streams: () => this.#streams,
      isKnown: (of) => ('uid' in of ? this.#cache.byUid(of.uid) : this.#cache.byPid(of.pid)) !== undefined,
      tell: (pipeline, trace) => this.#tellOfLeftover(pipeline, trace),
    });
    this.#streamLook = new StreamLook({
      streams: () => this.#streams,
      onNews: (record) => this.#look(record),
    });
    this.#tellings = new KeyedQueue({
      work: (key) => this.#withRecord(key, (record) => this.#teller.work(record)),
      onError: warn('the entity could not be told'),
    });
    this.#writings = new KeyedQueue({
      work: (key) => this.#withRecord(key, (record) => this.#writer.work(record)),
      onError: (pipeline, error, retryInMs) => {
        warn('conditions could not be written')(pipeline, error, retryInMs);
        void this.#tellForbidden(pipeline, classify(error));
      },
    });
    this.#comparisons = new KeyedQueue({
      concurrency: 2,
      work: (key) => this.#withRecord(key, (record) => this.#compare(record)),
      onError: warn('credentials could not be compared'),
    });
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get counts() {
    return {
      signals: this.#teller.signals,
      suppressed: this.#teller.suppressed,
      statusWrites: this.#writer.writes,
      pipelines: this.#cache.size,
      queueDepth: this.#tellings.depth,
      oldestKeyAgeMs: this.#tellings.oldestAgeMs,
      waitingForEngine: this.#gate.waiting,
      repairsRunning: this.#repairs.running,
      repairsWaiting: this.#repairs.waiting,
      isLeader: this.#lease.isHeld,
      hears: this.#reports.ear.isConnected,
      relists: this.relists,
      leftovers: this.#leftovers.size,
    };
  }

  /** Pods are heard from now on; until then nothing is concluded from their silence. */
  useStreams(streams: JetStreamPort): void {
    this.#streams = streams;
    this.#reports.follow(streams);
  }

  /** Resolves when `signal` is aborted and what was begun has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#end.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all([
      this.#watchPipelines(),
      this.#watchCopies(),
      this.#watchWorkloads(),
      this.#lease.run(this.#end.signal),
      this.#every(tickMs, () => this.#tick()),
      this.#every(tickMs, () => this.#probeEngine()),
      this.#every(this.#parts.sweepMs, () => this.#sweep()),
      this.#every(this.#parts.sweepMs, () => this.#lookAtStreams()),
    ]);
    await Promise.all([
      this.#referenced.ended(),
      this.#tellings.close(),
      this.#writings.close(),
      this.#comparisons.close(),
    ]);
    this.#reports.close();
  }

  // -- what is watched ---------------------------------------------------------------------------------------------

  #watchPipelines(): Promise<void> {
    return watchKept<Sighting>(this.#parts.kube, {
      kind,
      signal: this.#end.signal,
      keep: (resource) => this.#sight(resource),
      onList: (sightings) => {
        const isFirst = !this.#isSynced;
        for (const sighting of sightings) this.#take(sighting, true);
        for (const gone of this.#cache.keepOnly(new Set(sightings.map(({ key }) => key)))) this.#gone(gone);
        this.#isSynced = true;
        this.relists += 1;
        if (isFirst) this.#parts.log.info({ pipelines: this.#cache.size }, 'pipelines are known');
      },
      onChange: (change, sighting) => {
        if (change === 'changed') return this.#take(sighting);
        const record = this.#cache.get(sighting.key);
        // Another one may have its name already.
        if (record?.ref.uid !== sighting.ref.uid) return;
        this.#cache.remove(record);
        this.#gone(record);
      },
      onError: (problem) => this.#parts.log.warn({ problem }, 'pipelines are not watched for now'),
    });
  }

  #watchCopies(): Promise<void> {
    return watchKept(this.#parts.kube, {
      kind: 'Secret',
      metadataOnly: true,
      labels: { [labels.managedBy]: 'millrace' },
      signal: this.#end.signal,
      keep: copyOf,
      onList: (copies) => {
        this.#copies.clear();
        for (const copy of copies) this.#copies.set(copy.pipelineUid, copy);
        this.#areCopiesSynced = true;
        this.#lookAtAll();
      },
      onChange: (change, copy) => {
        if (change === 'deleted') this.#copies.delete(copy.pipelineUid);
        else this.#copies.set(copy.pipelineUid, copy);
        this.#lookAtUid(copy.pipelineUid);
      },
      onError: (problem) => this.#parts.log.warn({ problem }, 'copied credentials are not watched for now'),
    });
  }

  #watchWorkloads(): Promise<void> {
    return watchKept<Workload>(this.#parts.kube, {
      kind: 'Deployment',
      labels: { [labels.managedBy]: 'millrace' },
      signal: this.#end.signal,
      keep: workloadOf,
      onList: (workloads) => {
        this.#workloads.replaceAll(workloads);
        this.#lookAtAll();
      },
      onChange: (change, workload) => {
        if (change === 'deleted') this.#workloads.remove(workload);
        else this.#workloads.put(workload);
        this.#lookAtUid(workload.pipelineUid);
      },
      onError: (problem) => this.#parts.log.warn({ problem }, 'Deployments are not watched for now'),
    });
  }

  #sight(resource: KubeObject): Sighting {
    return sightingOf(resource, (key) => this.#cache.get(key));
  }

  #take(sighting: Sighting, isListed = false): void {
    const { record, isNew, hasChanged, replaced } = this.#cache.put(sighting, { isListed });
    if (replaced !== undefined) this.#gone(replaced);
    if (!hasChanged) return;
    const { status } = record.seen;
    this.#repairs.observe(record.key, status.opSeq ?? 0, status.operation !== undefined);
    this.#referenced.note(record);
    if (isNew || this.#teller.mustTell(record)) this.#tellings.add(record.key);
    this.#look(record);
  }

  #gone({ key }: PipelineRecord): void {
    this.#tellings.forget(key);
    this.#writings.forget(key);
    this.#comparisons.forget(key);
    this.#alarms.forget(key);
    this.#repairs.leave(key);
    this.#referenced.forget(key);
  }

  // -- what is done about it ---------------------------------------------------------------------------------------

  /** Finds what is due for a pipeline, now or later. Reads nothing but memory. */
  #look(record: PipelineRecord): void {
    const now = this.#parts.clock.now();
    const writeAt = this.#writer.dueAt(record);
    if (writeAt <= now) this.#writings.add(record.key);
    // What is written is looked at again when it is.
    this.#alarms.set(
      record.key,
      Math.min(writeAt <= now ? now + tickMs : writeAt, this.#lookForDeviation(record, now)),
    );
  }

  #lookAt(keys: Iterable<string>): void {
    for (const key of keys) {
      const record = this.#cache.get(key);
      if (record !== undefined) this.#look(record);
    }
  }

  #lookAtUid(uid: string): void {
    const record = this.#cache.byUid(uid);
    if (record !== undefined) this.#look(record);
  }

  #lookAtAll(): void {
    for (const record of this.#cache.all()) this.#look(record);
  }

  /** When to look again. */
  #lookForDeviation(record: PipelineRecord, now: number): number {
    if (!this.#lease.isHeld || !this.#workloads.isSynced || !this.#areCopiesSynced) return never;
    const { key, ref, seen } = record;
    const deviation = deviationOf({
      generation: seen.generation,
      deleting: seen.deleting,
      status: seen.status,
      workloads: this.#workloads.of(ref.uid),
      stale: this.#staleSources(record),
      lost: lostOf(record),
    });
    const opSeq = seen.status.opSeq ?? 0;
    const at = record.deviations.tellAt(deviation, opSeq, now);
    if (deviation === undefined) this.#repairs.leave(key);
    if (deviation === undefined || at === undefined) return never;
    if (at > now) return at;
    if (!this.#repairs.admit(key, deviation, opSeq, now)) return never;
    this.#parts.log.info({ pipeline: key, ...deviation }, 'the cluster is not as it was left');
    record.deviations.told(deviation, opSeq, now);
    this.#teller.noteDeviation(record, deviation);
    this.#tellings.add(key);
    return never;
  }

  #staleSources(record: PipelineRecord): readonly string[] {
    const { phase } = record.seen.status;
    const copy = this.#copies.get(record.ref.uid);
    // What has failed before anything was copied reads them when it is tried again.
    if (!isUnderWay(phase) && !(phase === 'Failed' && copy !== undefined)) return [];
    const freshness = freshnessOf(record, copy, (source) => this.#referenced.versionOf(source));
    if (freshness.is === 'unclear') this.#comparisons.add(record.key);
    return freshness.is === 'stale' ? freshness.sources : [];
  }

  async #compare(record: PipelineRecord): Promise<void> {
    const copy = this.#copies.get(record.ref.uid);
    const freshness = freshnessOf(record, copy, (source) => this.#referenced.versionOf(source));
    if (copy === undefined || freshness.is !== 'unclear') return;
    // Answers for other versions are of no use any more.
    record.compared.clear();
    for (const source of freshness.sources) {
      const now = this.#referenced.versionOf(source);
      if (now.is !== 'there') continue;
      // One after the other: each reads two objects, and there are few.
      record.compared.set(pairOf(source, now.version, copy), await isCopied(this.#parts.kube, record, copy, source));
    }
    this.#look(record);
  }

  async #withRecord(key: string, work: (record: PipelineRecord) => Promise<void>): Promise<void> {
    const record = this.#cache.get(key);
    if (record === undefined) return;
    await work(record);
    if (this.#cache.get(key) === record) this.#look(record);
  }

  /** Conditions that may not be written cannot say so: an Event does, once an hour. */
  async #tellForbidden(pipeline: string, { code, reason, sentence: note }: MillraceError): Promise<void> {
    const { kube, clock, log } = this.#parts;
    const record = this.#cache.get(pipeline);
    if (record === undefined || (code !== 'MR_KUBERNETES_FORBIDDEN' && code !== 'MR_KUBERNETES_REFUSED')) return;
    const content = { type: 'Warning', reason, action: 'writeStatus', note } as const;
    const source = { controller: 'millrace.io/controller', instance: 'controller' } as const;
    const about = { key: `status/${Math.floor(clock.now() / 3_600_000)}`, at: clock.now(), source };
    await emitEvent(kube, record.ref, content, about).catch((error: unknown) =>
      // Nothing more can be written: the log is what is left.
      log.warn({ pipeline, problem: problemOf(error) }, 'that could not be told as an Event'),
    );
  }

  #leaseChanged(isHeld: boolean): void {
    this.#parts.log.info({ isHeld }, isHeld ? 'writes conditions from now on' : 'another controller writes conditions');
    if (isHeld) this.#lookAtAll();
  }

  /** Nobody tells that time has passed, or that NATS is lost. */
  #tick(): void {
    const now = this.#parts.clock.now();
    this.#reports.listen();
    this.#repairs.expire(now);
    this.#lookAt(this.#alarms.take(now));
    this.#lookAt(this.#repairs.next());
    const { hearing, isConnected } = this.#reports.ear;
    const heard = `${hearing} ${isConnected}`;
    if (heard === this.#heard) return;
    this.#heard = heard;
    this.#lookAtAll();
  }

  /** T1: those that waited for Temporal go on together. */
  async #probeEngine(): Promise<void> {
    const keys = await this.#gate.probe(() => this.#parts.engine.ping());
    if (keys.length > 0) this.#parts.log.info({ pipelines: keys.length }, 'Temporal is back');
    for (const key of keys) this.#tellings.add(key);
  }

  /** Entities that were ended by hand, or lost: their pipelines are told again. And what has no pipeline (`./leftovers.ts`). */
  async #sweep(): Promise<void> {
    if (!this.#isSynced || !this.#lease.isHeld) return;
    const open = await this.#parts.engine.openEntities();
    for (const record of this.#cache.all()) {
      const { namespace, name, uid } = record.ref;
      if (!record.seen.isOurs || open.states.has(entityWorkflowId(namespace, name, uid))) continue;
      if (this.#teller.noteMissing(record, listingLagMs)) this.#tellings.add(record.key);
    }
    await this.#tellReadiness(open);
    await this.#leftovers.sweep(open);
  }

  async #lookAtStreams(): Promise<void> {
    if (this.#isSynced && this.#lease.isHeld) await this.#streamLook.sweep([...this.#cache.all()]);
  }

  /** A bounded number each time: when NATS is away no pipeline is ready. */
  async #tellReadiness({ states }: OpenEntities): Promise<void> {
    const now = this.#parts.clock.now();
    const lastingMs = Math.min(lastingReadinessMs, this.#parts.sweepMs / 2);
    let left = readinessATime;
    for (const { ref, seen, telling } of this.#cache.all()) {
      const id = entityWorkflowId(ref.namespace, ref.name, ref.uid);
      if (!states.has(id)) continue;
      const toldAt = telling.readinessToldAt;
      const readiness = readinessToTell({ seen, shown: states.get(id), now, toldAt, lastingMs });
      if (readiness === undefined) continue;
      if (left-- === 0) return;
      await this.#gate.pass(() => this.#parts.engine.tellReadiness(ref, readiness));
      telling.readinessToldAt = now;
    }
  }

  async #tellOfLeftover(pipeline: PipelineRef, trace: string): Promise<void> {
    const { kube, engine, log, clock } = this.#parts;
    const { namespace, name, uid } = pipeline;
    await this.#gate.pass(() => engine.tell(pipeline, { generation: 0, deleting: false }));
    log.warn({ pipeline: `${namespace}/${name}`, uid, trace }, 'something is left of a pipeline that is gone');
    const note = `The pipeline is gone, and ${trace} is left of it. What is left is taken down.`;
    const content = { type: 'Warning', reason: 'LeftBehind', action: 'takeDown', note } as const;
    const source = { controller: 'millrace.io/controller', instance: 'controller' } as const;
    await emitEvent(kube, pipeline, content, { key: trace, at: clock.now(), source }).catch((error: unknown) =>
      // The log says the same, and Temporal what is done.
      log.warn({ pipeline: `${namespace}/${name}`, problem: problemOf(error) }, 'that could not be told as an Event'),
    );
  }

  async #every(ms: number, act: () => void | Promise<void>): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await clock.sleep(ms, signal).catch(() => undefined);
      if (isAborted(signal)) return;
      try {
        await act();
      } catch (error) {
        log.warn({ problem: problemOf(error) }, 'a regular look failed and comes again');
      }
    }
  }
}

/** A function, so that the compiler does not conclude from the loop's condition that this cannot be true. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
