/** Pipelines as last seen, by `namespace/name`, by pid and by uid. Lookups give undefined for an unknown pipeline. */
import { PipelineRecord, type Seen, type Sighting } from './pipeline-record.ts';

export interface Taken {
  readonly record: PipelineRecord;
  /** No pipeline with this uid was known. */
  readonly isNew: boolean;
  readonly hasChanged: boolean;
  /** What had the name before. */
  readonly replaced: PipelineRecord | undefined;
}

export class PipelineCache {
  readonly #byKey = new Map<string, PipelineRecord>();
  readonly #byPid = new Map<string, PipelineRecord>();
  readonly #byUid = new Map<string, PipelineRecord>();

  get size(): number {
    return this.#byKey.size;
  }

  /** By `namespace/name`. */
  get(key: string): PipelineRecord | undefined {
    return this.#byKey.get(key);
  }

  byPid(pid: string): PipelineRecord | undefined {
    return this.#byPid.get(pid);
  }

  byUid(uid: string): PipelineRecord | undefined {
    return this.#byUid.get(uid);
  }

  all(): Iterable<PipelineRecord> {
    return this.#byKey.values();
  }

  /**
   * Takes in the answer to a write of ours. Undefined: not taken in, because the watch has meanwhile reported that the
   * pipeline is gone or that another one has its name; nothing would ever correct what the answer says.
   */
  answered(sighting: Sighting): Taken | undefined {
    return this.#byUid.has(sighting.ref.uid) ? this.put(sighting) : undefined;
  }

  /** An answer to a write may overtake the watch, so older versions are ignored, except those of a list. */
  put(sighting: Sighting, { isListed = false } = {}): Taken {
    const { key, ref, seen } = sighting;
    const before = this.#byKey.get(key);
    if (before?.ref.uid === ref.uid) {
      const hasChanged = before.seen !== seen && (isListed || !isOlder(seen, before.seen));
      if (hasChanged) before.seen = seen;
      return { record: before, isNew: false, hasChanged, replaced: undefined };
    }
    if (before !== undefined) this.remove(before);
    const record = new PipelineRecord(sighting);
    this.#byKey.set(key, record);
    this.#byPid.set(record.pid, record);
    this.#byUid.set(ref.uid, record);
    return { record, isNew: true, hasChanged: true, replaced: before };
  }

  remove({ key, pid, ref }: PipelineRecord): void {
    this.#byKey.delete(key);
    this.#byPid.delete(pid);
    this.#byUid.delete(ref.uid);
  }

  /** Keeps only the pipelines of a list; returns the others. `namespace` undefined: it is of all. */
  keepOnly(present: ReadonlySet<string>, namespace?: string): readonly PipelineRecord[] {
    const gone = [...this.#byKey.values()].filter(
      ({ key, ref }) => (namespace === undefined || ref.namespace === namespace) && !present.has(key),
    );
    for (const record of gone) this.remove(record);
    return gone;
  }
}

/** Versions of one object can be compared since Kubernetes 1.35. False when they are not numbers. */
function isOlder(seen: Seen, than: Seen): boolean {
  const [one, other] = [Number(seen.resourceVersion), Number(than.resourceVersion)];
  return Number.isSafeInteger(one) && Number.isSafeInteger(other) && one < other;
}
