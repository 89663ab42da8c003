/** Replaces a file in one step: a reader sees the old text or the new, also after a kill. */
import { rename, writeFile } from 'node:fs/promises';

export async function writeFileAtomic(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}
