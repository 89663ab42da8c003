/** The directory that is first on a container's PATH: its `millrace` is this repository's, run by this Node. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from './atomic-file.ts';

const cli = fileURLToPath(new URL('../../../cli/millrace.ts', import.meta.url));

export async function writeShimDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const file = join(dir, 'millrace');
  await writeFileAtomic(file, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(cli)} "$@"\n`, 0o755);
  await chmod(file, 0o755);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
