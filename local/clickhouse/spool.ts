/**
 * Bodies of inserts on their way to the engine, which reads binary formats from a file only.
 *
 * S1  Files are in memory (/dev/shm) where that exists: nothing here has to survive.
 * S2  What a killed process left behind is removed by the next start.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Spool {
  /** Writes the chunks to a new file, hands its path to `use`, and removes it. */
  with<T>(chunks: AsyncIterable<Uint8Array>, use: (path: string) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** How much is collected before it is written: most inserts are one write. */
const gatherBytes = 32 * 2 ** 20;

export async function openSpool(dataDir: string): Promise<Spool> {
  const name = `millrace-clickhouse-${createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 16)}`;
  const dir = join(await memoryDir(), name);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { mode: 0o700 });
  return {
    async with(chunks, use) {
      const path = join(dir, randomUUID());
      try {
        await writeChunks(path, chunks);
        return await use(path);
      } finally {
        await rm(path, { force: true });
      }
    },
    close: () => rm(dir, { recursive: true, force: true }),
  };
}

async function memoryDir(): Promise<string> {
  try {
    await access('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

async function writeChunks(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of chunks) {
      gathered.push(chunk);
      bytes += chunk.length;
      if (bytes < gatherBytes) continue;
      await file.writev(gathered);
      gathered = [];
      bytes = 0;
    }
    if (gathered.length > 0) await file.writev(gathered);
  } finally {
    await file.close();
  }
}
