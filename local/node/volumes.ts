/**
 * The files of a pod's volumes.
 *
 * Y1  A volume with a required ConfigMap, Secret or key that is missing is not created; the fault names what is
 *     missing.
 * Y2  `optional` ones are left out.
 * Y3  ConfigMap, Secret, downward and projected volumes change atomically (./atomic-dir.ts); emptyDir is never changed.
 */
import { mkdir } from 'node:fs/promises';
import { writeAtomicDir, type FileContent } from './atomic-dir.ts';
import type { Lookup } from './env.ts';
import { ContainerFault } from './fault.ts';
import { fieldValue, type Placement } from './field-ref.ts';
import type { DownwardItem, KeyedSource, KeyItem, Pod, Projection, Volume } from './pod.ts';

export interface VolumeContext {
  readonly pod: Pod;
  readonly placement: Placement;
  readonly lookup: Lookup;
  /** A token of the pod's service account. */
  readonly token: (audience: string | undefined, expirationSeconds: number) => Promise<string>;
}

/** Y1 to Y3. Returns whether files changed. */
export async function writeVolume(dir: string, volume: Volume, context: VolumeContext): Promise<boolean> {
  if (volume.emptyDir) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return false;
  }
  return await writeAtomicDir(dir, await filesOf(volume, context));
}

/** The ConfigMaps and Secrets that a pod names in volumes and env: their changes concern it. */
export function referencesOf(pod: Pod): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (kind: KeyedSource['kind'], name: string | undefined) => {
    if (name !== undefined) found.add(referenceKey(kind, pod.metadata.namespace, name));
  };
  for (const volume of pod.spec.volumes) {
    add('ConfigMap', volume.configMap?.name);
    add('Secret', volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  for (const container of [...pod.spec.initContainers, ...pod.spec.containers]) {
    for (const { valueFrom } of container.env) {
      add('ConfigMap', valueFrom?.configMapKeyRef?.name);
      add('Secret', valueFrom?.secretKeyRef?.name);
    }
    for (const from of container.envFrom) {
      add('ConfigMap', from.configMapRef?.name);
      add('Secret', from.secretRef?.name);
    }
  }
  return found;
}

export function referenceKey(kind: KeyedSource['kind'], namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

type Files = Map<string, FileContent>;

async function filesOf(volume: Volume, context: VolumeContext): Promise<Files> {
  const files: Files = new Map();
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) await addKeys(files, 'ConfigMap', configMap, configMap.defaultMode, context);
  else if (secret) await addKeys(files, 'Secret', { ...secret, name: secret.secretName }, secret.defaultMode, context);
  else if (downwardAPI) addFields(files, downwardAPI.items, downwardAPI.defaultMode, context);
  else if (projected) {
    // In order: a later source may replace a file of an earlier one.
    for (const source of projected.sources) await addProjection(files, source, projected.defaultMode, context);
  } else {
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
    throw new ContainerFault(
      'ContainerCreating',
      `volume "${volume.name}": the local node has no volumes of kind ${kind}`,
    );
  }
  return files;
}

async function addProjection(files: Files, source: Projection, mode: number, context: VolumeContext): Promise<void> {
  if (source.configMap) await addKeys(files, 'ConfigMap', source.configMap, mode, context);
  if (source.secret) await addKeys(files, 'Secret', source.secret, mode, context);
  if (source.downwardAPI) addFields(files, source.downwardAPI.items, mode, context);
  const wanted = source.serviceAccountToken;
  if (wanted) {
    const token = await context.token(wanted.audience, wanted.expirationSeconds);
    files.set(wanted.path, { bytes: Buffer.from(token), mode: 0o600 });
  }
}

interface KeyedRef {
  readonly name: string;
  readonly items?: readonly KeyItem[] | undefined;
  readonly optional: boolean;
}

async function addKeys(
  files: Files,
  kind: KeyedSource['kind'],
  ref: KeyedRef,
  defaultMode: number,
  { lookup }: VolumeContext,
): Promise<void> {
  const source = await lookup(kind, ref.name);
  if (!source) {
    if (ref.optional) return;
    throw new ContainerFault('ContainerCreating', `${kind.toLowerCase()} "${ref.name}" not found`);
  }
  const items = ref.items ?? [...source.data.keys()].map((key) => ({ key, path: key }));
  for (const { key, path, mode } of items as readonly KeyItem[]) {
    const bytes = source.data.get(key);
    if (bytes) files.set(path, { bytes, mode: mode ?? defaultMode });
    else if (!ref.optional) {
      const problem = `${kind.toLowerCase()} "${ref.name}" references non-existent key: ${key}`;
      throw new ContainerFault('ContainerCreating', problem);
    }
  }
}

function addFields(
  files: Files,
  items: readonly DownwardItem[],
  defaultMode: number,
  { pod, placement }: VolumeContext,
): void {
  for (const { path, mode, fieldRef } of items) {
    if (!fieldRef)
      throw new ContainerFault('ContainerCreating', `file "${path}": the local node supports fieldRef only`);
    const bytes = Buffer.from(fieldValue(fieldRef.fieldPath, pod, placement));
    files.set(path, { bytes, mode: mode ?? defaultMode });
  }
}
