/**
 * Keeps the controller's part of each pipeline's status true: writes what differs, no more often than the pace allows.
 *
 * C1  Only the controller that holds the lease writes (`./lease.ts`).
 * C2  Writes are limited by the pace of their pipeline (`./write-pace.ts`).
 * C3  The answer to a write goes into the cache at once, so that the same is not written again before the watch reports
 *     it.
 * C4  Outages that last, and their ends, are reported as Events (`./outages.ts`).
 */
import type { Logger } from 'pino';
import { countDeadLetters, noDeadLetters, type DeadLetterCount } from '../../stream/dead-letter-count.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { isDefect } from '../../activities/failures.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { claimsOf } from './conditions.ts';
import { takesReadyBack, urgencyOf, writeDataStatus, type Said } from './data-status.ts';
import type { Events } from './events.ts';
import { listedStages } from './listed-stages.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import { ask, askAt } from './pod-reasons.ts';
import type { Reports } from './reports.ts';
import {
  isCovered,
  isStopped,
  liveMs,
  missingText,
  spokesmen,
  stillMs,
  stuckMs,
  type Heard,
  type StageFact,
} from './stage-fact.ts';
import { lostOf } from './stream-look.ts';
import type { Workload, Workloads } from './workloads.ts';

export interface ClaimsWriterParts {
  readonly kube: Kube;
  readonly reports: Reports;
  readonly workloads: Workloads;
  readonly streams: () => JetStreamPort | undefined;
  /** Address of NATS, named while there is no connection. */
  readonly nats: string;
  /** C1. */
  readonly mayWrite: () => boolean;
  /** C3. */
  readonly onWritten: (resource: KubeObject) => void;
  readonly log: Pick<Logger, 'error' | 'warn'>;
  /** For dead letters and outages. */
  readonly events: Events;
  readonly now: () => number;
}

/** Between two counts of dead letters of a pipeline. */
const countMs = 10_000;
/** Nothing is due before something changes. */
const never = Number.POSITIVE_INFINITY;

export class ClaimsWriter {
  readonly #parts: ClaimsWriterParts;
  writes = 0;

  constructor(parts: ClaimsWriterParts) {
    this.#parts = parts;
  }

  /**
   * When there is something to write or to look up: at once if not after `now`; Infinity: not before something changes, or
   * a pod falls silent (`Reports.silentAt`). Reads memory only.
   */
  dueAt(record: PipelineRecord): number {
    if (!this.#mayConclude(record)) return never;
    const now = this.#parts.now();
    const heard = this.#parts.reports.live(record);
    const stages = this.#stages(record, heard);
    const said = this.#said(record, stages);
    this.#observe(record, said);
    return Math.min(
      this.#countAt(record, heard),
      this.#askAt(record),
      record.outages.dueAt(now),
      writeAt(record, said, now),
      this.#changesAt(stages, now),
    );
  }

  async work(record: PipelineRecord): Promise<void> {
    if (!this.#mayConclude(record)) return;
    const { now } = this.#parts;
    const heard = this.#parts.reports.live(record);
    if (this.#countAt(record, heard) <= now()) await this.#count(record, heard);
    for (const workload of this.#workloads(record)) {
      const at = askAt(record, workload);
      if (at !== undefined && at <= now()) await this.#ask(record, workload);
    }
    const said = this.#said(record, this.#stages(record, this.#parts.reports.live(record)));
    this.#observe(record, said);
    await this.#tellOutages(record);
    if (writeAt(record, said, now()) > now()) return;
    try {
      record.pace.wrote(now());
      this.writes += 1;
      this.#parts.onWritten(await writeDataStatus(this.#parts.kube, record.ref, record.seen, said, now()));
    } catch (error) {
      // Deleted, changed, or replaced by another pipeline of this name meanwhile: the next look decides what to write.
      if (error instanceof KubeError && (error.isProvenAbsent() || error.isConflict())) return;
      throw error;
    }
  }

  #mayConclude({ ref }: PipelineRecord): boolean {
    return this.#parts.mayWrite() && this.#parts.workloads.isSyncedIn(ref.namespace);
  }

  #workloads({ ref }: PipelineRecord): readonly Workload[] {
    return this.#parts.workloads.of(ref.uid);
  }

  #askAt(record: PipelineRecord): number {
    return Math.min(never, ...this.#workloads(record).map((workload) => askAt(record, workload) ?? never));
  }

  /** When the present claims may become untrue without an event: by patience, or `hearing` that changes. */
  #changesAt(stages: readonly StageFact[], now: number): number {
    const { ear } = this.#parts.reports;
    const times = stages.flatMap(({ heard, freeSince, leftAt }) => [
      ...(leftAt === undefined ? [] : [leftAt + liveMs]),
      ...heard.map((each) => now + stuckMs - (stillMs(each, now) ?? never)),
      ...(freeSince === undefined ? [] : [freeSince + stuckMs]),
    ]);
    // Times in the past are in the claims already.
    return Math.min(never, ear.changesAt ?? never, ...times.filter((at) => at > now));
  }

  #said(record: PipelineRecord, stages: readonly StageFact[]): Said {
    const { generation, deleting, status } = record.seen;
    const { ear } = this.#parts.reports;
    const deadLetters = deadLettersOf(record);
    const { hearing, isCutOff } = ear;
    const nats = this.#parts.streams()?.server ?? this.#parts.nats;
    const { untold } = record.telling;
    const now = this.#parts.now();
    const lost = lostOf(record);
    const claims = claimsOf({
      ...{ now, generation, deleting, status, hearing, isCutOff, nats },
      ...{ stages, deadLetters, lost, untold },
    });
    const deployed = new Set(this.#workloads(record).map(({ stage }) => stage));
    const counts = stages.filter(({ name }) => deployed.has(name)).map(({ name, ready }) => ({ name, ready }));
    return { claims, deadLetters, stages: counts };
  }

  #stages(record: PipelineRecord, heard: readonly Heard[]): StageFact[] {
    const live = this.#workloads(record);
    return listedStages(record.seen.status).map(({ name, replicas }): StageFact => {
      const own = heard.filter(({ report }) => report.stage === name);
      const workload = live.find(({ stage }) => stage === name);
      return {
        name,
        kind: name.startsWith('ingestor-') ? 'ingestor' : 'sink',
        wanted: replicas,
        ready: workload?.ready ?? 0,
        isStopped: isStopped(workload?.wanted, record.seen.status),
        trouble: workload === undefined ? { why: missingText } : record.reasons.get(name)?.trouble,
        isMissing: workload === undefined,
        leftAt: record.leftAt.get(name),
        heard: own,
        freeSince: this.#freeSince(record, name, own),
      };
    });
  }

  /** A process that was ended for its memory may be back before any condition has said so for long: it is an Event at once. */
  async #ask(record: PipelineRecord, workload: Workload): Promise<void> {
    const { kube, events, log, now } = this.#parts;
    for (const { content, key } of await ask(kube, record, workload, now)) {
      log.warn({ pipeline: record.key, reason: content.reason }, content.note);
      await events.emit(record.ref, content, key);
    }
  }

  #freeSince({ freeSince }: PipelineRecord, stage: string, heard: readonly Heard[]): number | undefined {
    if (heard.length === 0 || isCovered(spokesmen(heard))) freeSince.delete(stage);
    else if (!freeSince.has(stage)) freeSince.set(stage, this.#parts.now());
    return freeSince.get(stage);
  }

  #countAt({ counted }: PipelineRecord, heard: readonly Heard[]): number {
    if (heard.length === 0 || this.#parts.streams()?.link.connected !== true) return never;
    if (counted === undefined) return 0;
    return counted.reported === sumOf(heard) ? never : counted.at + countMs;
  }

  async #count(record: PipelineRecord, heard: readonly Heard[]): Promise<void> {
    const streams = this.#parts.streams();
    if (streams === undefined) return;
    const before = record.counted;
    const { at, reported } = { at: this.#parts.now(), reported: sumOf(heard) };
    try {
      const counted = await countDeadLetters(streams, record.pid);
      record.counted = { ...counted, reported, at };
    } catch (error) {
      // A defect: it must neither keep conditions from being written nor look like an outage of NATS.
      if (isDefect(error))
        this.#parts.log.error(
          { pipeline: record.key, err: error },
          'counting dead letters failed by a defect of Millrace',
        );
      // While NATS is unreachable the count stays as it was; the next report triggers a new one.
      record.counted = { ...(before ?? deadLettersOf(record)), reported, at };
      return;
    }
    // If one fails, the next hour has its own.
    for (const { content, key } of record.letterNews.next(record.counted, this.#parts.now())) {
      await this.#parts.events.emit(record.ref, content, key);
    }
  }

  #observe(record: PipelineRecord, { claims }: Said): void {
    const { untold } = record.telling;
    const toldElsewhere = untold === undefined ? [] : [untold.reason];
    record.outages.observe({ claims, status: record.seen.status, toldElsewhere }, this.#parts.now());
  }

  /** C4. */
  async #tellOutages(record: PipelineRecord): Promise<void> {
    const { now, events } = this.#parts;
    for (let news = record.outages.next(now()); news !== undefined; news = record.outages.next(now())) {
      const { type, reason, about, note, key } = news;
      await events.emit(record.ref, { type, reason, action: about, note }, key);
    }
  }
}

/** Before the first count: the numbers in the status, from the controller that counted last. */
function deadLettersOf({ counted, seen }: PipelineRecord): DeadLetterCount {
  const { records = 0, dropped = 0 } = seen.status.deadLetters ?? {};
  return counted ?? { ...noDeadLetters, records, dropped };
}

function writeAt({ seen, pace }: PipelineRecord, said: Said, now: number): number {
  switch (urgencyOf(said, seen.status)) {
    case 'none':
      return never;
    case 'later':
      return Math.max(pace.nextAt(now), pace.nextIdleAt());
    case 'now':
      return takesReadyBack(said, seen.status) ? pace.nextTakingBackAt() : pace.nextAt(now);
  }
}

function sumOf(heard: readonly Heard[]): number {
  return heard.reduce((sum, { report }) => sum + report.deadLetters, 0);
}
