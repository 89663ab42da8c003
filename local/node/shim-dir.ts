/** The directory that is first on a container's PATH: its `millrace` is this one's, run by this Node. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from '../programs.ts';
import { writeFileAtomic } from '../files.ts';

export async function writeShimDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const file = join(dir, 'millrace');
  await writeFileAtomic(
    file,
    `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(program('cli/millrace'))} "$@"\n`,
    0o755,
  );
  await chmod(file, 0o755);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
