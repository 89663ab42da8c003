/** Pipelines as they were seen last, by `namespace/name`; whoever works on one reads it here. */
import { pidOf } from '../../model/names.ts';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { statusSchema } from '../../crds/status.ts';
import type { PipelineStatus } from '../../model/status.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';

export interface CachedPipeline {
  readonly key: string;
  readonly ref: PipelineRef;
  readonly pid: string;
  readonly resource: KubeObject;
  readonly status: PipelineStatus;
}

export class PipelineCache {
  readonly #byKey = new Map<string, CachedPipeline>();
  readonly #keyByPid = new Map<string, string>();

  get(key: string): CachedPipeline | undefined {
    return this.#byKey.get(key);
  }

  byPid(pid: string): CachedPipeline | undefined {
    const key = this.#keyByPid.get(pid);
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  all(): readonly CachedPipeline[] {
    return [...this.#byKey.values()];
  }

  put(resource: KubeObject): CachedPipeline {
    const { namespace = '', name, uid = '' } = resource.metadata;
    const key = `${namespace}/${name}`;
    const parsed = statusSchema.safeParse(resource['status'] ?? {});
    const pid = pidOf(name, uid);
    const before = this.#byKey.get(key);
    // The same name may be another pipeline now.
    if (before !== undefined && before.pid !== pid) this.#keyByPid.delete(before.pid);
    const cached = { key, ref: { namespace, name, uid }, pid, resource, status: parsed.success ? parsed.data : {} };
    this.#byKey.set(key, cached);
    this.#keyByPid.set(pid, key);
    return cached;
  }

  remove(key: string): CachedPipeline | undefined {
    const cached = this.#byKey.get(key);
    this.#byKey.delete(key);
    if (cached !== undefined) this.#keyByPid.delete(cached.pid);
    return cached;
  }

  /** The list is the truth: returns what is no more. */
  replaceAll(resources: readonly KubeObject[]): readonly CachedPipeline[] {
    const present = new Set(resources.map((resource) => this.put(resource).key));
    const gone = this.all().filter(({ key }) => !present.has(key));
    for (const { key } of gone) this.remove(key);
    return gone;
  }
}
