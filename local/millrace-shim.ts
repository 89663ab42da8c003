/**
 * `millrace` as a small program in a directory: for containers of the local node, and for the PATH of a person.
 *
 * It names the Node and the program by their full paths, so that it starts without looking for either, and keeps the
 * compiled form of the program's files: loading them is most of what a short command costs.
 */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from './files.ts';
import { nodeCommand, program } from './programs.ts';

export async function writeMillraceShim(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const text = `#!/bin/sh
export NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-${compileCache()}}"
exec ${quoted(nodeCommand())} ${quoted(program('cli/millrace'))} "$@"
`;
  await writeFileAtomic(join(dir, 'millrace'), text, 0o755);
}

/** Of this user: what lies in a shared folder for temporary files could have been put there by others. */
export function compileCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'millrace', 'compiled');
}

/** For a shell, whatever the text holds. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
