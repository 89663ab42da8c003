/** Millrace's own programs as files: TypeScript in the repository, JavaScript in the package that is built from it. */
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of the repository, or of the built tree, which has the same folders. */
export const root = fileURLToPath(new URL('../', import.meta.url));

const extension = extname(import.meta.filename);

export function program(name: 'cli/millrace' | 'local/clickhouse/main' | 'local/node/main'): string {
  return join(root, `${name}${extension}`);
}

/** A Node that can run these programs: the one among the repository's dependencies, or else the current one. */
export function nodeCommand(): string {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  return existsSync(own) ? own : process.execPath;
}
