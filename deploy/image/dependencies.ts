/**
 * What the code needs at run time, for one platform: the packages of package-lock.json, of which only those files are
 * taken that the code can reach; and Node.
 *
 * The engines of the local stack are no dependencies of the image, so it has none of them.
 */
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeFileTrace } from '@vercel/nft';
import { z } from 'zod';
import { ask } from './commands.ts';
import { filesBelow, type Entry } from './entry.ts';
import { archs, platforms, type Arch } from './platform.ts';
import { npmComponents, type Component } from './sbom.ts';

/** Where the code is in the image. */
export const home = 'opt/millrace';

export interface Program {
  /** The compiled code. */
  readonly code: readonly Entry[];
  readonly packages: readonly Entry[];
  readonly components: readonly Component[];
}

/** Reached, and not needed: what only bundles workflows, which are bundled when the code is built. */
const unused = ['node_modules/@swc/**', '**/*.d.ts', '**/*.map'];

/** `root`: the repository, built. `folder`: an empty one to work in. */
export async function programOf(arch: Arch, root: string, folder: string): Promise<Program> {
  const { npmCpu } = platforms[arch];
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(root, name), join(folder, name));
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  const platform = ['--os=linux', `--cpu=${npmCpu}`, '--libc=glibc'];
  await ask('npm', ['ci', '--omit=dev', '--ignore-scripts', ...platform], folder);
  const { fileList } = await nodeFileTrace([join(folder, 'dist', 'cli', 'millrace.js')], {
    base: folder,
    processCwd: folder,
    ignore: [...unused, ...foreign(arch)],
  });
  const paths = [...fileList].filter((path) => path !== 'package.json').sort();
  const [code, packages] = [paths.filter(isOwn), paths.filter((path) => !isOwn(path))];
  return {
    code: filesBelow(home, folder, [...new Set([...code, ...(await assetsOf(folder))])]),
    packages: filesBelow(home, folder, packages),
    components: await npmComponents(folder, packages),
  };
}

/** Temporal's client brings its native part for every platform. */
function foreign(arch: Arch): string[] {
  const others = [
    '*-apple-darwin',
    '*-pc-windows-msvc',
    ...archs.filter((each) => each !== arch).map((each) => platforms[each].temporal),
  ];
  return others.map((name) => `node_modules/@temporalio/core-bridge/releases/${name}/**`);
}

function isOwn(path: string): boolean {
  return path.startsWith('dist/');
}

/** Files that the code reads, and does not import. */
async function assetsOf(folder: string): Promise<string[]> {
  const all = await readdir(join(folder, 'dist'), { recursive: true, withFileTypes: true });
  const files = all.filter((each) => each.isFile() && !/\.(js|d\.ts)$/.test(each.name));
  return [
    'dist/workflow-bundle.js',
    ...files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)),
  ];
}

export interface NodeRuntime {
  readonly entries: readonly Entry[];
  readonly component: Component;
}

const packed = z.tuple([z.object({ filename: z.string() })]);

/** The Node binary as its project has released it. `version`: of the package `node`. */
export async function nodeRuntime(arch: Arch, version: string, folder: string): Promise<NodeRuntime> {
  const name = platforms[arch].node;
  const answer = await ask('npm', ['pack', `${name}@${version}`, '--json'], folder);
  const [{ filename }] = packed.parse(JSON.parse(answer));
  const unpacked = join(folder, 'node');
  await mkdir(unpacked);
  await ask('tar', ['-xzf', filename, '-C', unpacked, 'package/bin/node', 'package/LICENSE'], folder);
  return {
    entries: [
      { kind: 'file', path: 'usr/local/bin/node', from: join(unpacked, 'package/bin/node'), isProgram: true },
      { kind: 'file', path: 'usr/share/doc/node/LICENSE', from: join(unpacked, 'package/LICENSE') },
    ],
    component: { name: 'node', version, purl: `pkg:npm/${name}@${version}`, licence: 'MIT' },
  };
}
