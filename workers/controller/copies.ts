/**
 * Whether the credentials that a pipeline's pods have are those that its spec refers to.
 *
 * K1  Compared are versions: those that the copy was made from, and those that there are. No value is read.
 * K2  It is a level: a change while the controller was down is seen as well as one that it watched.
 * K3  What is gone does not count: pods keep what they have, and the next operation says what is missing.
 */
import { z } from 'zod';
import { sourceOf } from '../../activities/kubernetes/credentials.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { findReferences } from '../../model/credentials.ts';
import { toJson } from '../../model/json.ts';
import { annotations, labels } from '../../model/names.ts';
import type { CachedPipeline } from './pipeline-cache.ts';

export type ReferencedKind = 'Secret' | 'ConfigMap';

const sourcesSchema = z.record(z.string(), z.string());

export class Copies {
  /** resourceVersion by `Secret/<namespace>/<name>`. */
  readonly #versions = new Map<string, string>();
  /** Sources by uid of the pipeline. */
  readonly #copied = new Map<string, Readonly<Record<string, string>>>();
  readonly #synced = new Set<ReferencedKind>();

  get isSynced(): boolean {
    return this.#synced.size === 2;
  }

  replaceAll(kind: ReferencedKind, objects: readonly KubeObject[]): void {
    for (const key of this.#versions.keys()) if (key.startsWith(`${kind}/`)) this.#versions.delete(key);
    if (kind === 'Secret') this.#copied.clear();
    for (const object of objects) this.put(kind, object);
    this.#synced.add(kind);
  }

  put(kind: ReferencedKind, object: KubeObject): void {
    const { resourceVersion = '', labels: labelled, annotations: annotated } = object.metadata;
    this.#versions.set(keyOf(kind, object), resourceVersion);
    const owner = labelled?.[labels.pipelineUid];
    const text = annotated?.[annotations.copiedFrom];
    if (kind === 'Secret' && owner !== undefined && text !== undefined) this.#copied.set(owner, parseSources(text));
  }

  remove(kind: ReferencedKind, object: KubeObject): void {
    this.#versions.delete(keyOf(kind, object));
    const owner = object.metadata.labels?.[labels.pipelineUid];
    if (kind === 'Secret' && owner !== undefined) this.#copied.delete(owner);
  }

  /** What has changed since it was copied: `Secret/ch`, …. */
  staleOf({ resource, ref }: CachedPipeline): readonly string[] {
    const { refs } = findReferences(toJson(resource['spec'] ?? null));
    const copied = this.#copied.get(ref.uid) ?? {};
    const stale = refs.map(sourceOf).filter((source) => {
      const [kind = '', name = ''] = source.split('/');
      const version = this.#versions.get(`${kind}/${ref.namespace}/${name}`);
      return version !== undefined && copied[source] !== version;
    });
    return [...new Set(stale)].sort();
  }
}

function keyOf(kind: ReferencedKind, { metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Somebody may have written anything there; then everything counts as changed, and is copied once more. */
function parseSources(text: string): Readonly<Record<string, string>> {
  try {
    const parsed = sourcesSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
