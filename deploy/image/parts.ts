/** What the image is made of, layer by layer. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { debianBase } from './debian.ts';
import { home, nodeRuntime, programOf } from './dependencies.ts';
import type { Entry } from './entry.ts';
import type { Arch } from './platform.ts';
import type { Release } from './release.ts';
import type { Component } from './sbom.ts';

export interface Part {
  /** For `docker history`. */
  readonly what: string;
  readonly entries: readonly Entry[];
}

/**
 * `root`: the repository, built. `work`: an empty folder.
 *
 * From what changes rarely to what changes with every version, so that a new version moves only the last.
 */
export async function partsOf(
  of: Arch,
  root: string,
  work: string,
  release: Release,
): Promise<{ readonly parts: readonly Part[]; readonly components: readonly Component[] }> {
  const into = async (name: string) => {
    const path = join(work, name);
    await mkdir(path);
    return path;
  };
  const base = await debianBase(of, await into('base'));
  const node = await nodeRuntime(of, release.node, await into('node'));
  const program = await programOf(of, root, await into('program'));
  const parts: Part[] = [
    { what: 'Debian: libraries, certificate authorities, users', entries: base.entries },
    { what: `Node ${release.node}`, entries: node.entries },
    { what: 'dependencies', entries: program.packages },
    { what: `Millrace ${release.version}`, entries: [...program.code, command] },
  ];
  return { parts, components: [...base.components, node.component, ...program.components] };
}

/** `millrace` on the PATH. The kernel starts it, so the image needs no shell. */
const command: Entry = {
  kind: 'text',
  path: 'usr/local/bin/millrace',
  isProgram: true,
  text: `#!/usr/local/bin/node
import('/${home}/dist/cli/millrace.js').then(({ main }) => main(process.argv.slice(2)));
`,
};
