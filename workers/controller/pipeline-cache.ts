/** Pipelines as they were seen last, by `namespace/name`, by pid and by uid; whoever works on one reads it here. */
import { PipelineRecord, type Seen, type Sighting } from './pipeline-record.ts';

export interface Taken {
  readonly record: PipelineRecord;
  /** No pipeline of this uid was known. */
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
   * The answer to a write of ours. The watch may have told meanwhile that the pipeline is gone, or that another has its name:
   * then the answer is no news, and nobody would ever take back what it says. undefined: nothing is known of it.
   */
  answered(sighting: Sighting): Taken | undefined {
    return this.#byUid.has(sighting.ref.uid) ? this.put(sighting) : undefined;
  }

  /** The answer to a write may overtake the watch: what is older than what is known is no news. A list always is. */
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

  /** The list is the truth: returns what is no more. */
  keepOnly(present: ReadonlySet<string>): readonly PipelineRecord[] {
    const gone = [...this.#byKey.values()].filter(({ key }) => !present.has(key));
    for (const record of gone) this.remove(record);
    return gone;
  }
}

/** The versions of one object can be compared since Kubernetes 1.35; where they are no numbers, nothing is concluded. */
function isOlder(seen: Seen, than: Seen): boolean {
  const [one, other] = [Number(seen.resourceVersion), Number(than.resourceVersion)];
  return Number.isSafeInteger(one) && Number.isSafeInteger(other) && one < other;
}
