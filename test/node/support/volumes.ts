/** Volumes for those who claim some: a default StorageClass without a provisioner, and local volumes made beforehand. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodeName } from './pki.ts';

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};

/** The manifests; their folders are made. */
export async function localVolumes(dir: string, count: number): Promise<string> {
  const objects: object[] = [storageClass];
  for (let index = 0; index < count; index++) {
    const path = join(dir, 'volumes', String(index));
    await mkdir(path, { recursive: true });
    objects.push({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `local-${index}` },
      spec: {
        capacity: { storage: '10Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'local',
        local: { path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }] },
            ],
          },
        },
      },
    });
  }
  return objects.map((object) => stringify(object)).join('---\n');
}
