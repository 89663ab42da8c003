/**
 * Resolves `$(secret:…)` and `$(configMap:…)` of a connector's configuration from the mounted files. What comes out lives
 * in this process's memory only; it is never logged or reported.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveReferences } from '../../model/credentials.ts';
import { mr } from '../../model/errors.ts';
import { credentialKey } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import type { Json } from '../../model/value.ts';

/** Reads the files at each call, so that a retry after a repaired Secret sees the new content. */
export function resolveConfig(config: Json, directory: string, namespace: string): Json {
  return resolveReferences(config, (ref) => readCredential(ref, directory, namespace));
}

function readCredential(ref: CredentialRef, directory: string, namespace: string): string {
  try {
    return readFileSync(join(directory, credentialKey(ref)), 'utf8');
  } catch (error) {
    const kind = ref.kind === 'secret' ? 'Secret' : 'ConfigMap';
    throw mr(
      'MR_SECRET_MISSING',
      { kind, name: ref.name, namespace, key: ref.key, problem: 'it is not mounted' },
      { cause: error },
    );
  }
}
