/**
 * Finds pipelines whose cluster state deviates (`./deviation.ts`), and decides when to notify their entities.
 *
 * DD1 Only the controller that holds the lease detects, and only after all lists were read: an object that was not
 *     listed yet is not missing.
 * DD2 Only a deviation that lasts is reported (`./deviation-memory.ts`), for a limited number of pipelines at a time
 *     (`./repair-pace.ts`).
 */
import type { Logger } from 'pino';
import type { Kube } from '../../kubernetes/kube.ts';
import { isUnderWay } from '../../model/status.ts';
import { freshnessOf, isCopied, pairOf, type Copies, type Freshness } from './copies.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import type { Referenced } from './referenced.ts';
import type { RepairPace } from './repair-pace.ts';
import { lostOf } from './stream-look.ts';
import type { Workloads } from './workloads.ts';

export interface DeviationDetectorParts {
  readonly kube: Kube;
  readonly log: Logger;
  readonly copies: Copies;
  readonly workloads: Workloads;
  readonly referenced: Pick<Referenced, 'versionOf'>;
  readonly repairs: RepairPace;
  /** DD1. */
  readonly isLeader: () => boolean;
  /** The entity of this pipeline must be notified. */
  readonly onDeviation: (record: PipelineRecord, deviation: Deviation) => void;
  /** Values must be read to find out: {@link DeviationDetector.compare}. */
  readonly onUnclear: (record: PipelineRecord) => void;
}

const never = Number.POSITIVE_INFINITY;

export class DeviationDetector {
  readonly #parts: DeviationDetectorParts;

  constructor(parts: DeviationDetectorParts) {
    this.#parts = parts;
  }

  /** Reports a deviation that has lasted. Returns when to look again; Infinity: not before something changes. */
  look(record: PipelineRecord, now: number): number {
    const { isLeader, workloads, copies, repairs, log, onDeviation } = this.#parts;
    const { key, ref, seen, deviations } = record;
    if (!isLeader() || !workloads.isSyncedIn(ref.namespace) || !copies.isSyncedIn(ref.namespace)) return never;
    const deviation = this.#deviationOf(record);
    const opSeq = seen.status.opSeq ?? 0;
    const at = deviations.tellAt(deviation, opSeq, now);
    if (deviation === undefined) repairs.leave(key);
    if (deviation === undefined || at === undefined) return never;
    if (at > now) return at;
    if (!repairs.admit(key, deviation, opSeq, now)) return never;
    log.info({ pipeline: key, ...deviation }, 'the cluster is not as it was left');
    deviations.told(deviation, opSeq, now);
    onDeviation(record, deviation);
    return never;
  }

  /** Reads the values where versions alone do not tell. */
  async compare(record: PipelineRecord): Promise<void> {
    const { kube, copies, referenced } = this.#parts;
    const copy = copies.of(record.ref.uid);
    const freshness = this.#freshnessOf(record);
    if (copy === undefined || freshness.is !== 'unclear') return;
    // Answers about earlier versions are no longer needed.
    record.compared.clear();
    for (const source of freshness.sources) {
      const now = referenced.versionOf(source);
      if (now.is !== 'there') continue;
      // In sequence: each reads two objects, and there are few.
      record.compared.set(pairOf(source, now.version, copy), await isCopied(kube, copy, source));
    }
  }

  #deviationOf(record: PipelineRecord): Deviation | undefined {
    const { generation, deleting, status, foreign = [] } = record.seen;
    return deviationOf({
      ...{ generation, deleting, status, foreign },
      workloads: this.#parts.workloads.of(record.ref.uid),
      stale: this.#staleSources(record),
      lost: lostOf(record),
    });
  }

  #staleSources(record: PipelineRecord): readonly string[] {
    const { phase } = record.seen.status;
    const hasCopy = this.#parts.copies.of(record.ref.uid) !== undefined;
    // A failed operation that copied nothing reads the sources when it is retried.
    if (!isUnderWay(phase) && !(phase === 'Failed' && hasCopy)) return [];
    const freshness = this.#freshnessOf(record);
    if (freshness.is === 'unclear') this.#parts.onUnclear(record);
    return freshness.is === 'stale' ? freshness.sources : [];
  }

  #freshnessOf(record: PipelineRecord): Freshness {
    const { copies, referenced } = this.#parts;
    return freshnessOf(record, copies.of(record.ref.uid), (source) => referenced.versionOf(source));
  }
}
