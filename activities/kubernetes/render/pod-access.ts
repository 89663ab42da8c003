/**
 * What lets a pipeline's pods in at NATS, and the kubelet at the registry of their image.
 *
 * S1  Without access nothing is added to a pod: its template is what it was.
 * S2  The content of the Secret is not in the template: a pod reads it at each attempt to connect, and one that is rotated
 *     replaces no pod.
 */
import type { Manifest } from '../../../kubernetes/objects.ts';
import { metadata, objectNames, type RenderContext } from './context.ts';

const volumeName = 'nats-access';
const natsAccessDir = '/etc/millrace/nats';

/** `files`: text by name. */
export function renderNatsAccess(context: RenderContext, files: Readonly<Record<string, string>>): Manifest {
  const encoded = Object.entries(files).map(([name, content]) => [name, base64(content)]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(context, objectNames(context.plan).natsAccess),
    type: 'Opaque',
    data: Object.fromEntries(encoded),
  };
}

/** `config`: a dockerconfigjson. */
export function renderPullSecret(context: RenderContext, config: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(context, objectNames(context.plan).imagePull),
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(config) },
  };
}

/** S1. What a pod and its container have more. */
export function natsAccessParts({ plan, mountsNatsAccess = false }: RenderContext) {
  if (!mountsNatsAccess) return { env: [], volumeMounts: [], volumes: [] };
  return {
    env: [{ name: 'MILLRACE_NATS_ACCESS_DIR', value: natsAccessDir }],
    volumeMounts: [{ name: volumeName, mountPath: natsAccessDir, readOnly: true }],
    volumes: [{ name: volumeName, secret: { secretName: objectNames(plan).natsAccess } }],
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
