/**
 * The keys that a spec refers to, from the resource's own namespace: those keys and no others.
 *
 * C1  Values go from Secret to Secret. They are in no answer, log line or error.
 * C2  A missing object is MR_SECRET_MISSING, a missing key MR_SECRET_KEY_MISSING. Both are retried: creating it is
 *     all that a person has to do.
 * C3  The values come with the version of each object that they were read from (`sources`): comparing these versions
 *     with the current ones detects a change without reading a value, whenever it happened.
 */
import { z } from 'zod';
import { sourceKindOf, sourceOf, sourceText } from '../../model/credential-source.ts';
import { mr } from '../../model/errors.ts';
import { jsonOrNothing } from '../../model/json-or-nothing.ts';
import { annotations, credentialKey } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { credentialsAnnotation } from './render/deployment.ts';

const sourcesSchema = z.record(z.string(), z.string());
const dataSchema = z.record(z.string(), z.string()).nullish();

export interface Credentials {
  /** base64 by key of the pipeline's own Secret. */
  readonly data: Readonly<Record<string, string>>;
  /** resourceVersion by text of its source (model/credential-source.ts). */
  readonly sources: Readonly<Record<string, string>>;
}

export async function readCredentials(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  refs: readonly CredentialRef[],
): Promise<Credentials> {
  const data: Record<string, string> = {};
  const sources: Record<string, string> = {};
  for (const ref of refs) {
    const { value, version } = await readOne(kube, namespace, ref);
    data[credentialKey(ref)] = value;
    // If one object was read twice, the earlier version counts: at worst it is copied once more.
    sources[sourceText(sourceOf(ref))] ??= version;
  }
  return { data, sources };
}

/** The pipeline's own Secret. What somebody else has written there counts as touched: its values are compared. */
export function copiedCredentials(copy: KubeObject): Credentials & { readonly version: string | undefined } {
  const { annotations: noted } = copy.metadata;
  return {
    data: dataSchema.parse(copy['data']) ?? {},
    sources: parseSources(noted?.[annotations.copiedFrom] ?? ''),
    version: noted?.[credentialsAnnotation],
  };
}

export function parseSources(text: string): Readonly<Record<string, string>> {
  const parsed = sourcesSchema.safeParse(jsonOrNothing(text));
  return parsed.success ? parsed.data : {};
}

async function readOne(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  ref: CredentialRef,
): Promise<{ value: string; version: string }> {
  const kind = sourceKindOf(ref.kind);
  const object = await kube.get(kind, ref.name, namespace);
  const { name, key } = ref;
  if (object === undefined)
    throw mr('MR_SECRET_MISSING', { kind, name, namespace, key, problem: `there is no such ${kind}` });
  const withoutKey = () => mr('MR_SECRET_KEY_MISSING', { kind, name, namespace, key });
  const version = object.metadata.resourceVersion ?? '';
  const text = dataSchema.parse(object['data'])?.[ref.key];
  if (kind === 'Secret') {
    if (text === undefined) throw withoutKey();
    return { value: text, version };
  }
  const binary = dataSchema.parse(object['binaryData'])?.[ref.key];
  if (binary !== undefined) return { value: binary, version };
  if (text === undefined) throw withoutKey();
  return { value: Buffer.from(text).toString('base64'), version };
}
