/**
 * Mount paths without mount namespaces.
 *
 * M1  A text that is a mount path, or begins with one and a slash, begins with the volume's directory instead.
 * M2  The longest matching mount path wins. Nothing else in the text changes.
 */
import { join } from 'node:path';
import type { Container } from './pod.ts';

export interface Mount {
  readonly mountPath: string;
  readonly hostPath: string;
}

export function mountsOf(container: Container, volumeDir: (volume: string) => string): readonly Mount[] {
  return container.volumeMounts
    .map((mount) => ({
      mountPath: withoutTrailingSlash(mount.mountPath),
      hostPath: mount.subPath === undefined ? volumeDir(mount.name) : join(volumeDir(mount.name), mount.subPath),
    }))
    .sort((a, b) => b.mountPath.length - a.mountPath.length);
}

/** M1, M2. `mounts` as {@link mountsOf} orders them. */
export function rewrite(text: string, mounts: readonly Mount[]): string {
  for (const { mountPath, hostPath } of mounts) {
    if (text === mountPath) return hostPath;
    if (text.startsWith(`${mountPath}/`)) return hostPath + text.slice(mountPath.length);
  }
  return text;
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
