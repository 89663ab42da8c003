/** Finds the binaries of the local stack. */
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { mr } from '../../../crds/errors.ts';

export const binaryVersions = {
  'nats-server': '2.15.2',
  temporal: '1.5.1',
  etcd: '3.6.7',
  'kube-apiserver': '1.36.3',
  'kube-controller-manager': '1.36.3',
  'kube-scheduler': '1.36.3',
  kubectl: '1.36.3',
} as const;

export type BinaryName = keyof typeof binaryVersions;

export function binaryCache(): string {
  return process.env['MILLRACE_BIN_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace', 'bin');
}

/** The path of an executable of the tested version. */
export async function resolveBinary(name: BinaryName): Promise<string> {
  const path = join(binaryCache(), `${name}-${binaryVersions[name]}`, name);
  try {
    await access(path);
    return path;
  } catch (error) {
    throw mr('MR_BINARY_MISSING', { binary: name, version: binaryVersions[name], problem: 'not in the cache', hint: '' }, { cause: error });
  }
}
