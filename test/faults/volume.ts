/** A small volume of its own for the store of NATS, so that it can be filled (Linux, root). */
import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sizeMb = 1_024;
const chunk = Buffer.alloc(2 ** 20);

export const canMount = process.platform === 'linux' && process.getuid?.() === 0;

export async function mountVolume(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', dir]);
}

export async function unmountVolume(dir: string): Promise<void> {
  await run('umount', [dir]);
}

/** Writes until nothing fits any more. Returns what makes room again. */
export async function fill(dir: string): Promise<() => Promise<void>> {
  const filler = join(dir, 'filler');
  const file = await open(filler, 'w');
  try {
    for (;;) await file.write(chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    await file.close();
  }
  return () => rm(filler);
}
