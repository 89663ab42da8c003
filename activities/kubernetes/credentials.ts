/**
 * The keys that a spec refers to, from the resource's own namespace: those keys and no others.
 *
 * C1  Values go from Secret to Secret. They are in no answer, log line or error.
 * C2  A key that is not there is MR_SECRET_MISSING, which is retried: making it is all that a person has to do.
 */
import { z } from 'zod';
import { mr } from '../../crds/errors.ts';
import { credentialKey } from '../../crds/names.ts';
import { hashOf } from '../../crds/json.ts';
import type { CredentialRef, Plan } from '../../crds/plan.ts';
import type { Kube } from './kube.ts';
import { objectNames } from './render/context.ts';
import { credentialsAnnotation } from './render/deployment.ts';

const dataSchema = z.record(z.string(), z.string()).nullish();

/** base64 by key of the pipeline's own Secret. */
export async function readCredentials(
  kube: Kube,
  namespace: string,
  refs: readonly CredentialRef[],
): Promise<Record<string, string>> {
  const copied: Record<string, string> = {};
  for (const ref of refs) copied[credentialKey(ref)] = await readOne(kube, namespace, ref);
  return copied;
}

/** The version of the copy as it is when it holds the same; a new one else. */
export async function credentialsVersion(
  kube: Kube,
  plan: Plan,
  data: Readonly<Record<string, string>>,
  seq: number,
): Promise<string> {
  const live = await kube.get('Secret', objectNames(plan).credentials, plan.workloadNamespace);
  const version = live?.metadata.annotations?.[credentialsAnnotation];
  const isSame = live !== undefined && hashOf(dataSchema.parse(live['data']) ?? {}) === hashOf(data);
  return isSame && version !== undefined ? version : String(seq);
}

async function readOne(kube: Kube, namespace: string, ref: CredentialRef): Promise<string> {
  const kind = ref.kind === 'secret' ? 'Secret' : 'ConfigMap';
  const object = await kube.get(kind, ref.name, namespace);
  const missing = (problem: string) =>
    mr('MR_SECRET_MISSING', { kind, name: ref.name, namespace, key: ref.key, problem });
  if (object === undefined) throw missing(`there is no such ${kind}`);
  const text = dataSchema.parse(object['data'])?.[ref.key];
  if (kind === 'Secret') {
    if (text === undefined) throw missing('it has no such key');
    return text;
  }
  const binary = dataSchema.parse(object['binaryData'])?.[ref.key];
  if (binary !== undefined) return binary;
  if (text === undefined) throw missing('it has no such key');
  return Buffer.from(text).toString('base64');
}
