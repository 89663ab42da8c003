/** Downward API: the value of a `fieldRef.fieldPath`. */
import { ContainerFault } from './fault.ts';
import type { Pod } from './pod.ts';

/** What the node adds to a pod beyond its manifest. */
export interface Placement {
  readonly nodeName: string;
  readonly hostIP: string;
  readonly podIP: string;
}

export function fieldValue(path: string, pod: Pod, placement: Placement): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed) return (keyed[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations)[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace;
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return lines(pod.metadata.labels);
    case 'metadata.annotations':
      return lines(pod.metadata.annotations);
    case 'spec.nodeName':
      return placement.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName;
    case 'status.podIP':
    case 'status.podIPs':
      return placement.podIP;
    case 'status.hostIP':
    case 'status.hostIPs':
      return placement.hostIP;
    default:
      throw new ContainerFault('CreateContainerConfigError', `fieldPath "${path}" is not supported`);
  }
}

function lines(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}
