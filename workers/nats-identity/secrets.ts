/**
 * The keys of NATS as Secrets of one namespace, made once.
 *
 * K1  What is there is never written again: the users of pods hang on the keys, and all streams on their account.
 * K2  They are made together. Where some are there and others are not, nothing is made, and a person is told which.
 * K3  The keys to keep may be taken elsewhere: nobody misses them.
 */
import type { Kube } from '../../kubernetes/kube.ts';
import type { Manifest } from '../../kubernetes/objects.ts';
import { mr } from '../../model/errors.ts';
import { fieldManagers } from '../../model/names.ts';
import { filesOf } from './files.ts';
import { makeIdentity } from './identity.ts';

export interface KeySecrets {
  readonly namespace: string;
  /** Of their names: `millrace` for `millrace-nats-server`. */
  readonly prefix: string;
}

export interface Kept {
  readonly outcome: 'made' | 'there';
  /** Of the Secrets. */
  readonly names: readonly string[];
}

/** In the order in which they are made: what nobody needs comes first, because it is not missed afterwards. */
const parts = ['keep', 'server', 'access', 'account'] as const;

/** Throws MR_NATS_KEYS_INCOMPLETE (K2). */
export async function keepKeys(kube: Pick<Kube, 'get' | 'create'>, { namespace, prefix }: KeySecrets): Promise<Kept> {
  const nameOf = (part: (typeof parts)[number]) => `${prefix}-nats-${part}`;
  const found: string[] = [];
  const missing: string[] = [];
  for (const name of parts.map(nameOf)) {
    const isThere = (await kube.get('Secret', name, namespace)) !== undefined;
    (isThere ? found : missing).push(name);
  }
  const needed = missing.filter((name) => name !== nameOf('keep'));
  if (needed.length === 0) return { outcome: 'there', names: found };
  if (found.length > 0)
    throw mr('MR_NATS_KEYS_INCOMPLETE', { namespace, found: found.join(', '), missing: needed.join(', ') });
  const files = filesOf(await makeIdentity());
  for (const part of parts) {
    const secret = secretOf({ namespace, name: nameOf(part), files: files[part] });
    await kube.create(secret, { fieldManager: fieldManagers.cli });
  }
  return { outcome: 'made', names: missing };
}

interface Wanted {
  readonly namespace: string;
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
}

function secretOf({ namespace, name, files }: Wanted): Manifest {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', stringData: files };
}
