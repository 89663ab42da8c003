/**
 * Whether the copied credentials of a pipeline's pods still have the values of their sources.
 *
 * K1  Versions are compared first: those that the copy was made from with the present ones. While they are equal, no
 *     value is read.
 * K2  Levels are compared, so a change while the controller was down is noticed like any other.
 * K3  A missing source does not count: pods keep what they have, and the next operation reports what is missing.
 * K4  A different version only says that the object was touched: the values of the copied keys decide. They are read
 *     once per pair of versions and not kept. A label on a Secret starts nothing.
 * K5  A key that was never copied belongs to a spec that was refused or not carried out, and does not count. A key of
 *     the spec before it does, because the pods of that spec run.
 */
import { copiedCredentials, parseSources, readCredentials } from '../../activities/kubernetes/credentials.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { sourceKindOf, sourceText } from '../../model/credential-source.ts';
import { MillraceError, type ErrorCode } from '../../model/errors.ts';
import { annotations, credentialOf, labels } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import { ListedNamespaces } from './listed-namespaces.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import { sourcesOf, type Source, type Version } from './referenced.ts';

/** The pipeline's own Secret, with the sources that it was copied from. */
export interface Copy {
  readonly pipelineUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** Version by text of its source. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Undefined when the Secret is not a copy. */
export function copyOf({ metadata }: KubeObject): Copy | undefined {
  const { name, namespace = '', resourceVersion = '', labels: labelled, annotations: annotated } = metadata;
  const pipelineUid = labelled?.[labels.pipelineUid];
  const text = annotated?.[annotations.copiedFrom];
  if (pipelineUid === undefined || text === undefined) return undefined;
  return { pipelineUid, namespace, name, version: resourceVersion, sources: parseSources(text) };
}

/** The copies of all pipelines as last seen. */
export class Copies {
  readonly #byUid = new Map<string, Copy>();
  readonly #listed = new ListedNamespaces();

  /** False: not listed there yet, so nothing may be concluded from a missing copy. */
  isSyncedIn(namespace: string): boolean {
    return this.#listed.has(namespace);
  }

  /** Undefined when the pipeline has no copy, as far as is known. */
  of(pipelineUid: string): Copy | undefined {
    return this.#byUid.get(pipelineUid);
  }

  put(copy: Copy): void {
    this.#byUid.set(copy.pipelineUid, copy);
  }

  remove({ pipelineUid }: Copy): void {
    this.#byUid.delete(pipelineUid);
  }

  /** `namespace` undefined: of all. */
  replaceAll(copies: readonly Copy[], namespace: string | undefined): void {
    for (const copy of this.#byUid.values())
      if (namespace === undefined || copy.namespace === namespace) this.remove(copy);
    for (const copy of copies) this.put(copy);
    this.#listed.note(namespace);
  }
}

export type Freshness =
  /** `sources`: texts of the sources whose values differ. */
  | { readonly is: 'stale'; readonly sources: readonly string[] }
  /** Versions differ: values must be compared. */
  | { readonly is: 'unclear'; readonly sources: readonly Source[] }
  /** Nothing differs, or it is too early to tell. */
  | { readonly is: 'fresh' };

/** K1, K3, K4. Pure. `compared`: answers of {@link isCopied}, by {@link pairOf}. */
export function freshnessOf(
  record: Pick<PipelineRecord, 'ref' | 'seen' | 'compared'>,
  copy: Copy | undefined,
  versionOf: (source: Source) => Version,
): Freshness {
  const stale: string[] = [];
  const unclear: Source[] = [];
  for (const source of sourcesOf(record, copy)) {
    const now = versionOf(source);
    if (now.is === 'unknown') return { is: 'fresh' };
    if (now.is === 'absent' || copy?.sources[sourceText(source)] === now.version) continue;
    const isSame = copy === undefined ? false : record.compared.get(pairOf(source, now.version, copy));
    if (isSame === undefined) unclear.push(source);
    else if (!isSame) stale.push(sourceText(source));
  }
  if (stale.length > 0) return { is: 'stale', sources: stale.sort() };
  return unclear.length > 0 ? { is: 'unclear', sources: unclear } : { is: 'fresh' };
}

/** K4, K5: reads both and keeps neither. A missing key is reported by the next operation. */
export async function isCopied(kube: Pick<Kube, 'get'>, copy: Copy, source: Source): Promise<boolean> {
  const live = await kube.get('Secret', copy.name, copy.namespace);
  const copied = live === undefined ? {} : copiedCredentials(live).data;
  const refs = Object.keys(copied).flatMap((key) => credentialOf(key) ?? []);
  const ofSource = refs.filter((ref) => sourceKindOf(ref.kind) === source.kind && ref.name === source.name);
  // One by one: a missing key says nothing about the others.
  for (const ref of ofSource) if (!(await isAsCopied(kube, source.namespace, ref, copied))) return false;
  return true;
}

async function isAsCopied(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  ref: CredentialRef,
  copied: Readonly<Record<string, string>>,
): Promise<boolean> {
  try {
    const { data } = await readCredentials(kube, namespace, [ref]);
    return Object.entries(data).every(([key, value]) => copied[key] === value);
  } catch (error) {
    if (error instanceof MillraceError && isMissing(error.code)) return true;
    throw error;
  }
}

function isMissing(code: ErrorCode): boolean {
  return code === 'MR_SECRET_MISSING' || code === 'MR_SECRET_KEY_MISSING';
}

/** Identifies the versions of source and copy that a comparison is about. */
export function pairOf(source: Source, version: string, copy: Copy): string {
  return `${sourceText(source)}@${version} ${copy.version}`;
}
