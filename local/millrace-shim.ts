/**
 * `millrace` as a small program in a directory: for containers of the local node, and for the PATH of a person.
 *
 * It names the Node and the program by their full paths, so that it starts without searching for either, and keeps the
 * compiled form of the program's files: loading them is most of the time of a short command.
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

/** Owned by this user: a file in a shared temporary directory could have been put there by others. */
export function compileCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'millrace', 'compiled');
}

/** Quoted for a shell, whatever the text contains. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
