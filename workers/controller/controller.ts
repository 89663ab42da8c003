/**
 * Watches pipelines and what they refer to, notifies their entities in Temporal, and keeps their conditions true. It
 * only connects the parts: `./informers.ts` watches, `./level.ts` compares levels, `./conditions.ts` derives
 * conditions, `./deviation-detector.ts` finds deviations, `./entity-sweep.ts` finds what needs a look at all entities.
 *
 * C1  Several copies may run. Each notifies entities: two notifications cost a signal and do no harm. Only the holder
 *     of the lease (`./lease.ts`) writes conditions and reports deviations.
 * C2  A pipeline is looked at when something about it has changed, and when something may have become untrue with time
 *     (`./alarms.ts`). An idle one costs nothing.
 */
import type { Logger } from 'pino';
import { problemOf, type MillraceError } from '../../model/errors.ts';
import { isAborted } from '../../model/is-aborted.ts';
import { classify } from '../../activities/failures.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { Alarms } from './alarms.ts';
import { ClaimsWriter } from './claims-writer.ts';
import { Copies } from './copies.ts';
import { DeviationDetector } from './deviation-detector.ts';
import type { Engine } from './engine.ts';
import { EngineGate } from './engine-gate.ts';
import { EntitySweep } from './entity-sweep.ts';
import { Events } from './events.ts';
import { Informers } from './informers.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { Lease } from './lease.ts';
import { PipelineCache, type Taken } from './pipeline-cache.ts';
import { sightingOf, type PipelineRecord, type Sighting } from './pipeline-record.ts';
import { Referenced } from './referenced.ts';
import { RepairPace } from './repair-pace.ts';
import { Reports } from './reports.ts';
import { StreamLook } from './stream-look.ts';
import { Teller } from './teller.ts';
import { Workloads } from './workloads.ts';

export interface ControllerParts {
  readonly kube: Kube;
  readonly engine: Engine;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** uid of the cluster (`kubernetes/cluster.ts`). */
  readonly cluster: () => Promise<string>;
  /** Address of NATS, without credentials. */
  readonly nats: string;
  readonly sweepMs: number;
  /** Pipelines that are repaired at the same time. */
  readonly repairsAtOnce: number;
  readonly lease: { readonly namespace: string; readonly identity: string };
}

/** Temporal's visibility lags: an entity that was started within this time may not be listed yet. */
const listingLagMs = 10_000;
const tickMs = 1_000;

export class Controller {
  readonly #parts: ControllerParts;
  readonly #end = new AbortController();
  readonly #cache = new PipelineCache();
  readonly #workloads = new Workloads();
  readonly #copies = new Copies();
  readonly #gate = new EngineGate();
  readonly #events: Events;
  readonly #reports: Reports;
  readonly #referenced: Referenced;
  readonly #teller: Teller;
  readonly #writer: ClaimsWriter;
  readonly #lease: Lease;
  readonly #repairs: RepairPace;
  readonly #informers: Informers;
  readonly #deviations: DeviationDetector;
  readonly #entitySweep: EntitySweep;
  readonly #streamLook: StreamLook;
  readonly #alarms: Alarms;
  readonly #tellings: KeyedQueue;
  readonly #writings: KeyedQueue;
  readonly #comparisons: KeyedQueue;
  #streams: JetStreamPort | undefined;
  #heard = '';

  constructor(parts: ControllerParts) {
    const { kube, engine, clock, log, random, lease, cluster, sweepMs, nats } = parts;
    const { signal } = this.#end;
    const [cache, copies, workloads, gate] = [this.#cache, this.#copies, this.#workloads, this.#gate];
    const now = () => clock.now();
    const streams = () => this.#streams;
    const isLeader = () => this.#lease.isHeld;
    const onWritten = (resource: KubeObject) =>
      this.#noteTaken(cache.answered(sightingOf(resource, (key) => cache.get(key))));
    const warn = (what: string) => (pipeline: string, error: unknown, retryInMs: number) =>
      log.warn({ pipeline, problem: problemOf(error), retryInMs: Math.round(retryInMs) }, what);
    this.#parts = parts;
    this.#alarms = new Alarms(now());
    const repairs = (this.#repairs = new RepairPace(parts.repairsAtOnce));
    const events = (this.#events = new Events({ kube, log, now }));
    const reports = (this.#reports = new Reports(cache, now, (record) => this.#look(record)));
    const referenced = (this.#referenced = new Referenced({
      ...{ kube, clock, signal },
      onChange: (keys) => this.#referencedChanged(keys),
      onError: (what, problem) => log.warn({ problem }, `${what} are not watched for now`),
    }));
    this.#informers = new Informers({
      ...{ kube, log, clock, signal, cache, copies, workloads },
      onSighting: (sighting, isListed) => this.#take(sighting, isListed),
      onGone: (record) => this.#gone(record),
      onChange: (uid) => (uid === undefined ? this.#lookAtAll() : this.#lookAtUid(uid)),
    });
    this.#lease = new Lease({
      ...{ kube, clock, ...lease, name: 'millrace-controller' },
      hears: () => reports.ear.isConnected,
      onChange: (isHeld) => this.#leaseChanged(isHeld),
      onError: (problem) => log.warn({ problem }, 'the lease of the conditions cannot be looked after'),
    });
    this.#teller = new Teller({ kube, engine, now, onWritten, gate, events });
    this.#writer = new ClaimsWriter({
      ...{ kube, log, now, onWritten, reports, workloads, events, streams, nats },
      mayWrite: isLeader,
    });
    this.#deviations = new DeviationDetector({
      ...{ kube, log, copies, workloads, referenced, repairs, isLeader },
      onDeviation: (record, deviation) => {
        this.#teller.noteDeviation(record, deviation);
        this.#tellings.add(record.key);
      },
      onUnclear: ({ key }) => this.#comparisons.add(key),
    });
    this.#entitySweep = new EntitySweep({
      ...{ kube, engine, gate, log, events, cache, sweepMs, now, streams, cluster },
      onMissing: (record) => {
        if (this.#teller.noteMissing(record, listingLagMs)) this.#tellings.add(record.key);
      },
    });
    this.#streamLook = new StreamLook({ log, streams, onNews: (record) => this.#look(record) });
    this.#tellings = new KeyedQueue({
      ...{ clock, random },
      work: (key) => this.#withRecord(key, (record) => this.#teller.work(record)),
      onError: warn('the entity could not be told'),
    });
    this.#writings = new KeyedQueue({
      ...{ clock, random },
      work: (key) => this.#withRecord(key, (record) => this.#writer.work(record)),
      onError: (pipeline, error, retryInMs) => {
        warn('conditions could not be written')(pipeline, error, retryInMs);
        void this.#tellForbidden(pipeline, classify(error));
      },
    });
    this.#comparisons = new KeyedQueue({
      ...{ clock, random, concurrency: 2 },
      work: (key) => this.#withRecord(key, (record) => this.#deviations.compare(record)),
      onError: warn('credentials could not be compared'),
    });
  }

  get isSynced(): boolean {
    return this.#informers.isSynced;
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
      relists: this.#informers.relists,
      leftovers: this.#entitySweep.leftovers,
    };
  }

  /** Starts listening to pods; before that, nothing is concluded from their silence. */
  useStreams(streams: JetStreamPort): void {
    this.#streams = streams;
    this.#reports.follow(streams);
  }

  /** Resolves when `signal` is aborted and running work has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#end.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all([
      this.#informers.run(),
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

  #take(sighting: Sighting, isListed = false): void {
    this.#noteTaken(this.#cache.put(sighting, { isListed }));
  }

  #noteTaken(taken: Taken | undefined): void {
    if (taken === undefined) return;
    const { record, isNew, hasChanged, replaced } = taken;
    if (replaced !== undefined) this.#gone(replaced);
    if (!hasChanged) return;
    const { status } = record.seen;
    this.#repairs.observe(record.key, status.opSeq ?? 0, status.operation !== undefined);
    this.#noteReferences(record);
    const mustTell = this.#teller.see(record);
    if (isNew || mustTell) this.#tellings.add(record.key);
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

  /** Finds what is due for a pipeline, now or later. Reads memory only. */
  #look(record: PipelineRecord): void {
    const now = this.#parts.clock.now();
    const writeAt = this.#writer.dueAt(record);
    if (writeAt <= now) this.#writings.add(record.key);
    // The pipeline is looked at again after the write.
    record.lookAt = Math.min(writeAt <= now ? now + tickMs : writeAt, this.#deviations.look(record, now));
    this.#setAlarm(record, now);
  }

  /** A report that has expired already is in the claims, or waits for this controller to hear again. */
  #setAlarm(record: PipelineRecord, now: number): void {
    const silentAt = this.#reports.silentAt(record);
    this.#alarms.set(record.key, silentAt > now ? Math.min(record.lookAt, silentAt) : record.lookAt);
  }

  /**
   * An alarm without news means that a report may have expired. If all were repeated since, only the alarm moves: idle
   * pipelines ring twice a minute, and to work out the conditions of each costs more.
   */
  #ring(key: string, now: number): void {
    const record = this.#cache.get(key);
    if (record === undefined) return;
    if (now < record.lookAt && now < this.#reports.silentAt(record)) this.#setAlarm(record, now);
    else this.#look(record);
  }

  #lookAt(keys: Iterable<string>): void {
    for (const key of keys) {
      const record = this.#cache.get(key);
      if (record !== undefined) this.#look(record);
    }
  }

  #referencedChanged(keys: Iterable<string>): void {
    for (const key of keys) {
      const record = this.#cache.get(key);
      if (record === undefined) continue;
      if (this.#teller.noteReferenced(record)) this.#tellings.add(key);
      this.#look(record);
    }
  }

  #noteReferences(record: PipelineRecord): void {
    this.#referenced.note(record, this.#copies.of(record.ref.uid));
  }

  #lookAtUid(uid: string): void {
    const record = this.#cache.byUid(uid);
    if (record === undefined) return;
    this.#noteReferences(record);
    this.#look(record);
  }

  #lookAtAll(): void {
    for (const record of this.#cache.all()) {
      this.#noteReferences(record);
      this.#look(record);
    }
  }

  async #withRecord(key: string, work: (record: PipelineRecord) => Promise<void>): Promise<void> {
    const record = this.#cache.get(key);
    if (record === undefined) return;
    await work(record);
    if (this.#cache.get(key) === record) this.#look(record);
  }

  /** When the controller may not write conditions they cannot say so; an Event does, once an hour. */
  async #tellForbidden(pipeline: string, { code, reason, sentence: note }: MillraceError): Promise<void> {
    const record = this.#cache.get(pipeline);
    if (record === undefined || (code !== 'MR_KUBERNETES_FORBIDDEN' && code !== 'MR_KUBERNETES_REFUSED')) return;
    const hour = Math.floor(this.#parts.clock.now() / 3_600_000);
    const content = { type: 'Warning', reason, action: 'writeStatus', note } as const;
    await this.#events.emit(record.ref, content, `status/${hour}`);
  }

  #leaseChanged(isHeld: boolean): void {
    this.#parts.log.info({ isHeld }, isHeld ? 'writes conditions from now on' : 'another controller writes conditions');
    if (isHeld) this.#lookAtAll();
  }

  /** Polls for elapsed time and for a lost NATS connection: neither raises an event. */
  #tick(): void {
    const now = this.#parts.clock.now();
    this.#reports.listen();
    this.#repairs.expire(now);
    for (const key of this.#alarms.take(now)) this.#ring(key, now);
    this.#lookAt(this.#repairs.next());
    const { hearing, isConnected } = this.#reports.ear;
    const heard = `${hearing} ${isConnected}`;
    if (heard === this.#heard) return;
    this.#heard = heard;
    this.#lookAtAll();
  }

  /** T1: the pipelines that waited for Temporal continue together. */
  async #probeEngine(): Promise<void> {
    const keys = await this.#gate.probe(() => this.#parts.engine.ping());
    if (keys.length > 0) this.#parts.log.info({ pipelines: keys.length }, 'Temporal is back');
    for (const key of keys) this.#tellings.add(key);
  }

  async #sweep(): Promise<void> {
    if (this.isSynced && this.#lease.isHeld) await this.#entitySweep.run();
  }

  async #lookAtStreams(): Promise<void> {
    if (this.isSynced && this.#lease.isHeld) await this.#streamLook.sweep([...this.#cache.all()]);
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
