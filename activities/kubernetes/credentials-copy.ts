/**
 * The copy of credentials that a pipeline's pods mount.
 *
 * U1  It has what every live workload mounts, and what the plan that is applied refers to. So pods that wait to be
 *     replaced keep theirs, and so do those of the plan in force when the streams refuse the new one.
 * U2  What only such pods mount is copied anew where it can be read. Where its source is gone, they keep the value.
 * U3  What nothing mounts any more is removed when an operation has ended, or is refused.
 * U4  Its version changes when a value that is mounted has: a key that comes or goes replaces no other stage's pods.
 */
import { untilNoConflict } from '../../kubernetes/conflicts.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { MillraceError } from '../../model/errors.ts';
import type { PlanRef } from '../../model/lifecycle.ts';
import { annotations, credentialKey, credentialOf, fieldManagers } from '../../model/names.ts';
import type { CredentialRef, Plan } from '../../model/plan.ts';
import { sourceOf, sourceText } from '../../model/credential-source.ts';
import { copiedCredentials, readCredentials, type Credentials } from './credentials.ts';
import { checkFence } from './fenced.ts';
import { credentialsInUse } from './mounted.ts';
import { belongsTo } from './owned.ts';
import { namesIn } from './render/context.ts';
import type { PlanPlace } from './stored-plan.ts';

type Copy = Credentials & { readonly version: string };

/** U1, U2, U4. `seq`: of the operation that copies. Throws what is missing of the plan's own. */
export async function copyFor(kube: Pick<Kube, 'get' | 'list'>, plan: Plan, { op, ...place }: PlanRef): Promise<Copy> {
  const { namespace } = op.pipeline;
  const own = await readCredentials(kube, namespace, plan.credentials);
  const live = await kube.get('Secret', nameIn({ op, ...place }), place.workloadNamespace);
  const copied = live === undefined ? undefined : copiedCredentials(live);
  const mounted = await credentialsInUse(kube, { op, ...place });
  const data: Record<string, string> = { ...own.data };
  const sources: Record<string, string> = { ...own.sources };
  for (const key of mounted) {
    const ref = credentialOf(key);
    if (data[key] !== undefined || ref === undefined) continue;
    const kept = (await readIfThere(kube, namespace, ref)) ?? keptOf(copied, ref);
    Object.assign(data, kept.data);
    // If one object was read twice, the earlier version counts: at worst it is copied once more.
    for (const [source, version] of Object.entries(kept.sources)) sources[source] ??= version;
  }
  const isSame = [...mounted].every((key) => copied?.data[key] === data[key]);
  return { data, sources, version: (isSame ? copied?.version : undefined) ?? String(op.seq) };
}

/** U3. Keeps what is mounted, and what `plan` refers to. */
export async function removeUnused(kube: Kube, input: PlanRef, plan?: Plan): Promise<void> {
  const { op, workloadNamespace } = input;
  const name = nameIn(input);
  const wanted = await credentialsInUse(kube, input);
  for (const ref of plan?.credentials ?? []) wanted.add(credentialKey(ref));
  await untilNoConflict(async () => {
    const live = await kube.get('Secret', name, workloadNamespace);
    if (live === undefined || !belongsTo(live, op.pipeline.uid)) return;
    const copied = copiedCredentials(live);
    const unused = Object.keys(copied.data).filter((key) => !wanted.has(key));
    if (unused.length === 0) return;
    checkFence('Secret', live, op);
    const used = new Set([...wanted].flatMap((key) => credentialOf(key) ?? []).map((ref) => sourceText(sourceOf(ref))));
    const sources = Object.fromEntries(Object.entries(copied.sources).filter(([source]) => used.has(source)));
    const { uid, resourceVersion } = live.metadata;
    const noted = { [annotations.copiedFrom]: JSON.stringify(sources), [annotations.opSeq]: String(op.seq) };
    const patch = {
      metadata: { uid, resourceVersion, annotations: noted },
      data: Object.fromEntries(unused.map((key) => [key, null])),
    };
    await kube.patchMerge('Secret', name, workloadNamespace, patch, { fieldManager: fieldManagers.lifecycle });
  });
}

function nameIn({ isolation, op }: PlanPlace): string {
  return namesIn(isolation, op.pipeline.name).credentials;
}

async function readIfThere(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  ref: CredentialRef,
): Promise<Credentials | undefined> {
  try {
    return await readCredentials(kube, namespace, [ref]);
  } catch (error) {
    const isMissing = error instanceof MillraceError && missing.has(error.code);
    if (isMissing) return undefined;
    throw error;
  }
}

const missing: ReadonlySet<string> = new Set(['MR_SECRET_MISSING', 'MR_SECRET_KEY_MISSING']);

function keptOf(copied: Credentials | undefined, ref: CredentialRef): Credentials {
  const [key, source] = [credentialKey(ref), sourceText(sourceOf(ref))];
  const value = copied?.data[key];
  const version = copied?.sources[source];
  return {
    data: value === undefined ? {} : { [key]: value },
    sources: value === undefined || version === undefined ? {} : { [source]: version },
  };
}
