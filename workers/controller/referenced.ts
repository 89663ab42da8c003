/**
 * Versions of the Secrets and ConfigMaps that pipelines refer to, and of no others: those in the spec, and the sources
 * of the copy, which differ from them while a newer spec is refused.
 *
 * V1  Only namespaces with references are watched, and only metadata: no value is read, and a hundred thousand Secrets
 *     in other namespaces cost nothing.
 * V2  Only versions of referenced objects are kept. An index gives the pipelines to notify of a change.
 * V3  A name that was not referenced when its namespace was listed is unknown until the next list, which follows at
 *     once.
 */
import { problemOf } from '../../model/errors.ts';
import { parseSourceText, sourceOf, type SourceKind, type SourceName } from '../../model/credential-source.ts';
import type { Clock } from '../../model/clock.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { watchKept } from '../../kubernetes/watch.ts';
import type { PipelineRecord } from './pipeline-record.ts';

export interface Source extends SourceName {
  readonly namespace: string;
}

export interface CopiedFrom {
  /** Version by text of its source. */
  readonly sources: Readonly<Record<string, string>>;
}

export type Version =
  | { readonly is: 'there'; readonly version: string }
  | { readonly is: 'absent' }
  /** Not listed yet. */
  | { readonly is: 'unknown' };

export interface ReferencedParts {
  readonly kube: Kube;
  readonly clock: Clock;
  /** Ends all watches. */
  readonly signal: AbortSignal;
  /** Keys of the pipelines that refer to what has changed. */
  readonly onChange: (keys: Iterable<string>) => void;
  readonly onError: (what: string, problem: string) => void;
}

export class Referenced {
  readonly #parts: ReferencedParts;
  readonly #watches = new Map<string, NamespaceWatch>();
  /** The sources under which each pipeline is in the index. */
  readonly #sourcesOf = new Map<string, readonly Source[]>();

  constructor(parts: ReferencedParts) {
    this.#parts = parts;
  }

  /** Called whenever a pipeline or its copy was seen. Costs nothing when the references are unchanged. */
  note(record: PipelineRecord, copy: CopiedFrom | undefined): void {
    const before = this.#sourcesOf.get(record.key) ?? [];
    const after = sourcesOf(record, copy);
    if (before.length === after.length && after.every((source, index) => isSame(source, before[index]))) return;
    for (const source of after) this.#watch(source).add(source.name, record.key);
    this.#sourcesOf.set(record.key, after);
    this.#drop(
      record.key,
      before.filter((source) => !after.some((each) => isSame(source, each))),
    );
  }

  forget(key: string): void {
    this.#drop(key, this.#sourcesOf.get(key) ?? []);
    this.#sourcesOf.delete(key);
  }

  versionOf({ kind, namespace, name }: Source): Version {
    return this.#watches.get(`${kind}/${namespace}`)?.versionOf(name) ?? { is: 'unknown' };
  }

  /** Resolves when all watches have ended, after the signal was aborted. */
  async ended(): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.ended));
  }

  #watch({ kind, namespace }: Source): NamespaceWatch {
    const key = `${kind}/${namespace}`;
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const watch = new NamespaceWatch(kind, namespace, this.#parts);
    this.#watches.set(key, watch);
    return watch;
  }

  #drop(key: string, sources: readonly Source[]): void {
    for (const { kind, namespace, name } of sources) {
      const watch = this.#watches.get(`${kind}/${namespace}`);
      watch?.remove(name, key);
      if (watch?.isIdle !== true) continue;
      this.#watches.delete(`${kind}/${namespace}`);
      watch.close();
    }
  }
}

/** Each object once, however many of its keys are referred to. */
export function sourcesOf(
  { ref: { namespace }, seen }: Pick<PipelineRecord, 'ref' | 'seen'>,
  copy: CopiedFrom | undefined,
): readonly Source[] {
  const wanted = seen.references.map((ref): Source => ({ ...sourceOf(ref), namespace }));
  const copied = Object.keys(copy?.sources ?? {}).flatMap((text): Source[] => {
    const source = parseSourceText(text);
    return source === undefined ? [] : [{ ...source, namespace }];
  });
  const sources = [...wanted, ...copied];
  return sources.filter((source, index) => sources.findIndex((each) => isSame(source, each)) === index);
}

function isSame(a: Source, b: Source | undefined): boolean {
  return a.kind === b?.kind && a.namespace === b.namespace && a.name === b.name;
}

interface Named {
  readonly name: string;
  readonly version: string;
}

/** Names that come within this time share one list. */
const settleMs = 500;

class NamespaceWatch {
  ended: Promise<void> = Promise.resolve();
  readonly #kind: SourceKind;
  readonly #namespace: string;
  readonly #parts: ReferencedParts;
  readonly #end = new AbortController();
  /** Keys of the pipelines, by the name of the object that they refer to. */
  readonly #wanted = new Map<string, Set<string>>();
  readonly #versions = new Map<string, string>();
  /** Names that a list was read for. */
  #listed: ReadonlySet<string> = new Set();
  #again = new AbortController();
  /** Cancels the list that is scheduled. */
  #unsettle: (() => void) | undefined;
  #hasBegun = false;

  constructor(kind: SourceKind, namespace: string, parts: ReferencedParts) {
    this.#kind = kind;
    this.#namespace = namespace;
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#wanted.size === 0;
  }

  add(name: string, key: string): void {
    const keys = this.#wanted.get(name) ?? new Set<string>();
    this.#wanted.set(name, keys.add(key));
    if (keys.size === 1 && !this.#listed.has(name)) this.#listSoon();
  }

  remove(name: string, key: string): void {
    const keys = this.#wanted.get(name);
    keys?.delete(key);
    if (keys?.size !== 0) return;
    this.#wanted.delete(name);
    this.#versions.delete(name);
  }

  versionOf(name: string): Version {
    const version = this.#versions.get(name);
    if (version !== undefined) return { is: 'there', version };
    return { is: this.#listed.has(name) ? 'absent' : 'unknown' };
  }

  close(): void {
    this.#unsettle?.();
    this.#end.abort();
  }

  /** V3. Schedules a restart of the watch, which begins with a list. */
  #listSoon(): void {
    this.#unsettle ??= this.#parts.clock.after(settleMs, () => {
      this.#unsettle = undefined;
      if (this.#hasBegun) return this.#again.abort();
      this.#hasBegun = true;
      this.ended = this.#run();
    });
  }

  async #run(): Promise<void> {
    const end = AbortSignal.any([this.#end.signal, this.#parts.signal]);
    // One watch at a time: it is restarted when there are new names.
    while (!end.aborted) {
      this.#again = new AbortController();
      await this.#follow(AbortSignal.any([end, this.#again.signal]));
    }
    this.#unsettle?.();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let asked: ReadonlySet<string> = new Set(this.#wanted.keys());
    await watchKept<Named>(this.#parts.kube, {
      kind: this.#kind,
      namespace: this.#namespace,
      metadataOnly: true,
      ...{ signal, clock: this.#parts.clock },
      keep: ({ metadata: { name, resourceVersion = '' } }) =>
        this.#wanted.has(name) ? { name, version: resourceVersion } : undefined,
      onListing: () => (asked = new Set(this.#wanted.keys())),
      onList: (objects) => this.#list(objects, asked),
      onChange: (change, { name, version }) => {
        if (change === 'deleted') this.#versions.delete(name);
        else this.#versions.set(name, version);
        this.#parts.onChange(this.#wanted.get(name) ?? []);
      },
      onError: (problem) => this.#parts.onError(`${this.#kind}s of ${this.#namespace}`, problem),
    }).catch((error: unknown) => this.#parts.onError(`${this.#kind}s of ${this.#namespace}`, problemOf(error)));
  }

  #list(objects: readonly Named[], asked: ReadonlySet<string>): void {
    const found = new Map(objects.map(({ name, version }) => [name, version]));
    const changed = [...asked].filter(
      (name) => !this.#listed.has(name) || this.#versions.get(name) !== found.get(name),
    );
    this.#listed = asked;
    this.#versions.clear();
    for (const [name, version] of found) this.#versions.set(name, version);
    this.#parts.onChange(new Set(changed.flatMap((name) => [...(this.#wanted.get(name) ?? [])])));
  }
}
