/**
 * Whether the credentials that a pipeline's pods have are still the values of what they were copied from.
 *
 * K1  Versions are compared first: those that the copy was made from, and those that there are. While they are equal no
 *     value is read.
 * K2  It is a level: a change while the controller was down is seen as well as one that it watched.
 * K3  What is gone does not count: pods keep what they have, and the next operation says what is missing.
 * K4  A version that differs says only that something was touched: the values of the keys that were copied decide, read
 *     once for each pair of versions and forgotten. A label on a Secret starts nothing.
 * K5  A key that was never copied is of a spec that was refused, or could not be carried out: it does not count. A key of the
 *     spec before it does: its pods are the ones that run.
 */
import { copiedCredentials, parseSources, readCredentials } from '../../activities/kubernetes/credentials.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { sourceKindOf, sourceText } from '../../model/credential-source.ts';
import { MillraceError, type ErrorCode } from '../../model/errors.ts';
import { annotations, credentialOf, labels } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import { sourcesOf, type Source, type Version } from './referenced.ts';

/** The pipeline's own Secret, and what it says of where its content came from. */
export interface Copy {
  readonly pipelineUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** Version by text of its source. */
  readonly sources: Readonly<Record<string, string>>;
}

/** undefined: it is no copy. */
export function copyOf({ metadata }: KubeObject): Copy | undefined {
  const { name, namespace = '', resourceVersion = '', labels: labelled, annotations: annotated } = metadata;
  const pipelineUid = labelled?.[labels.pipelineUid];
  const text = annotated?.[annotations.copiedFrom];
  if (pipelineUid === undefined || text === undefined) return undefined;
  return { pipelineUid, namespace, name, version: resourceVersion, sources: parseSources(text) };
}

/** The copies of all pipelines as they were seen last. */
export class Copies {
  readonly #byUid = new Map<string, Copy>();
  #isSynced = false;

  /** False: nothing may be concluded from what is not here. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  of(pipelineUid: string): Copy | undefined {
    return this.#byUid.get(pipelineUid);
  }

  put(copy: Copy): void {
    this.#byUid.set(copy.pipelineUid, copy);
  }

  remove({ pipelineUid }: Copy): void {
    this.#byUid.delete(pipelineUid);
  }

  replaceAll(copies: readonly Copy[]): void {
    this.#byUid.clear();
    for (const copy of copies) this.put(copy);
    this.#isSynced = true;
  }
}

export type Freshness =
  /** Texts of sources whose values differ. */
  | { readonly is: 'stale'; readonly sources: readonly string[] }
  /** Versions differ: values must be compared. */
  | { readonly is: 'unclear'; readonly sources: readonly Source[] }
  /** Nothing differs, or nothing may be concluded yet. */
  | { readonly is: 'fresh' };

/** K1, K3, K4. Pure. `compared`: what {@link isCopied} has answered, by {@link pairOf}. */
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

/** K4, K5: reads both and forgets them. A key that is missing is for the next operation to say. */
export async function isCopied(kube: Pick<Kube, 'get'>, copy: Copy, source: Source): Promise<boolean> {
  const live = await kube.get('Secret', copy.name, copy.namespace);
  const copied = live === undefined ? {} : copiedCredentials(live).data;
  const refs = Object.keys(copied).flatMap((key) => credentialOf(key) ?? []);
  const ofSource = refs.filter((ref) => sourceKindOf(ref.kind) === source.kind && ref.name === source.name);
  // Each by itself: one that is missing says nothing of the others.
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

/** What an answer holds for: these versions of both. */
export function pairOf(source: Source, version: string, copy: Copy): string {
  return `${sourceText(source)}@${version} ${copy.version}`;
}
