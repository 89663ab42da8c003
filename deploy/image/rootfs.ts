/** The files of an image as a folder, for builders of their own (deploy/image/Containerfile). */
import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modeOf, type Entry } from './entry.ts';
import { withParents } from './layer.ts';

/** `to`: is made. */
export async function writeRootfs(to: string, entries: readonly Entry[]): Promise<void> {
  await mkdir(to);
  const modes: [path: string, mode: number][] = [];
  for (const entry of withParents(entries)) {
    const path = join(to, entry.path);
    if (entry.kind === 'directory') await mkdir(path);
    else if (entry.kind === 'link') await symlink(entry.to, path);
    else if (entry.kind === 'file') await cp(entry.from, path);
    else await writeFile(path, entry.text);
    if (entry.kind !== 'link') modes.push([path, modeOf(entry)]);
  }
  for (const [path, mode] of modes) await chmod(path, mode);
}
