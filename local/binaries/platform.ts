/** This machine, in the terms of release files. */
import type { Platform } from './catalog.ts';

/** undefined: no binaries are published for it. */
export function hostPlatform(): Platform | undefined {
  const os = process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  if (os !== 'linux' && os !== 'darwin') return undefined;
  return arch === 'amd64' || arch === 'arm64' ? { os, arch } : undefined;
}
