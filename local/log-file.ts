/** Log files of the local stack: appended to across restarts, rotated, quoted when something fails. */
import { open, rename, stat } from 'node:fs/promises';
import { isSystemError } from '../model/system-error.ts';

const maxBytes = 64 * 2 ** 20;
const quotedBytes = 8_192;
const quotedChars = 400;

/** Renames a large log to `<file>.1`. Called before a process starts, because a running one keeps the file open. */
export async function rotateLog(file: string): Promise<void> {
  if ((await sizeOf(file)) > maxBytes) await rename(file, `${file}.1`);
}

/** The last line that is not empty; undefined when there is none. */
export async function lastLine(file: string): Promise<string | undefined> {
  const size = await sizeOf(file);
  if (size === 0) return undefined;
  const log = await open(file);
  try {
    const from = Math.max(0, size - quotedBytes);
    const { buffer, bytesRead } = await log.read({ buffer: Buffer.alloc(size - from), position: from });
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.findLast((line) => line.trim() !== '')?.slice(0, quotedChars);
  } finally {
    await log.close();
  }
}

/** 0 when the file does not exist. */
export async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0;
    throw error;
  }
}
