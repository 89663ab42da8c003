/**
 * A volume's directory that changes atomically, laid out as kubelet's atomic writer does:
 *
 *   dir/..2026_1/key   the files          dir/..data -> ..2026_1          dir/key -> ..data/key
 *
 * A1  A reader sees all files of one version, through `..data`, never a mixture.
 * A2  Writing the same files again changes nothing.
 */
import { mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile, chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface FileContent {
  readonly bytes: Buffer;
  readonly mode: number;
}

/** Returns whether anything changed. Paths in `files` are relative and never leave the directory. */
export async function writeAtomicDir(dir: string, files: ReadonlyMap<string, FileContent>): Promise<boolean> {
  for (const path of files.keys()) {
    if (path.startsWith('/') || path.split('/').includes('..') || path.startsWith('..')) {
      throw new RangeError(`path "${path}" leaves the volume`);
    }
  }
  await mkdir(dir, { recursive: true });
  const current = await readlink(join(dir, '..data')).catch(() => undefined);
  if (current !== undefined && (await holds(join(dir, current), files))) return false;

  const version = `..${Date.now()}_${Number(current?.split('_')[1] ?? 0) + 1}`;
  for (const [path, { bytes, mode }] of files) {
    const target = join(dir, version, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, bytes);
    await chmod(target, mode);
  }
  await mkdir(join(dir, version), { recursive: true });
  await rm(join(dir, '..data_tmp'), { force: true });
  await symlink(version, join(dir, '..data_tmp'));
  await rename(join(dir, '..data_tmp'), join(dir, '..data'));
  await linkNames(dir, files);
  await removeOldVersions(dir, version);
  return true;
}

async function linkNames(dir: string, files: ReadonlyMap<string, FileContent>): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(dir)) {
    if (!name.startsWith('..') && !wanted.delete(name)) await rm(join(dir, name), { recursive: true });
  }
  for (const name of wanted) await symlink(join('..data', name), join(dir, name));
}

async function removeOldVersions(dir: string, version: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith('..') && name !== '..data' && name !== version) {
      await rm(join(dir, name), { recursive: true, force: true });
    }
  }
}

/** A2. */
async function holds(dir: string, files: ReadonlyMap<string, FileContent>): Promise<boolean> {
  const present = (await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])).filter((e) =>
    e.isFile(),
  );
  if (present.length !== files.size) return false;
  for (const [path, { bytes }] of files) {
    const held = await readFile(join(dir, path)).catch(() => undefined);
    if (!held?.equals(bytes)) return false;
  }
  return true;
}
