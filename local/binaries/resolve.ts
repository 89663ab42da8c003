/**
 * Finds the binaries of the local stack, or obtains them. In order:
 *
 * 1. the path in `MILLRACE_<NAME>_PATH` (`MILLRACE_NATS_SERVER_PATH`); when it is set, nothing else is tried
 * 2. PATH, when the version fits
 * 3. the cache
 * 4. the official release, verified (`./download.ts`)
 * 5. `go build` of pinned modules (`./go-build.ts`)
 *
 * B1  A binary appears in the cache complete, by a rename, after it has printed its version.
 * B2  One process at a time obtains binaries: a build uses all cores, and no binary is built twice.
 * B3  Each step is reported; a binary that cannot be obtained is MR_BINARY_MISSING with what was tried and what to do.
 */
import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { mr, problemOf } from '../../model/errors.ts';
import { withLock } from '../lock.ts';
import { progressTo, type Progress } from '../progress.ts';
import { binaryVersions, catalog, officialOrigins, type BinaryName, type Origins, type Version } from './catalog.ts';
import { downloadRelease, HostUnreachable } from './download.ts';
import { goBuild, whyNoGo } from './go-build.ts';
import { hostPlatform } from './platform.ts';

export { binaryVersions, type BinaryName } from './catalog.ts';

export interface ResolveOptions {
  readonly cache: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly origins: Origins;
  /** The go command. */
  readonly go: string;
  readonly progress: Progress;
}

const run = promisify(execFile);
const versionTimeoutMs = 60_000;

function binaryCache(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return (
    env['MILLRACE_BIN_CACHE'] ??
    join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'millrace', 'bin')
  );
}

/** The path of an executable of a suitable version. */
export async function resolveBinary(name: BinaryName, options: Partial<ResolveOptions> = {}): Promise<string> {
  const isDefault = Object.keys(options).length === 0;
  const known = isDefault ? resolved.get(name) : undefined;
  if (known !== undefined && (await isExecutable(known))) return known;
  const path = await new Resolver(withDefaults(options)).resolve(name);
  if (isDefault) resolved.set(name, path);
  return path;
}

/** All of them, in turn. */
export async function resolveBinaries(
  names: readonly BinaryName[],
  options: Partial<ResolveOptions> = {},
): Promise<ReadonlyMap<BinaryName, string>> {
  const resolver = new Resolver(withDefaults(options));
  const paths = new Map<BinaryName, string>();
  // In turn: each build uses all cores.
  for (const name of names) paths.set(name, await resolver.resolve(name));
  return paths;
}

/** Paths found by this process, so that a restart of a part does not ask for versions again. */
const resolved = new Map<BinaryName, string>();

function withDefaults(options: Partial<ResolveOptions>): ResolveOptions {
  const env = options.env ?? process.env;
  return {
    cache: options.cache ?? binaryCache(env),
    env,
    origins: options.origins ?? officialOrigins,
    go: options.go ?? 'go',
    progress: options.progress ?? progressTo(process.stderr),
  };
}

class Resolver {
  readonly #options: ResolveOptions;
  readonly #unreachable = new Set<string>();

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  async resolve(name: BinaryName): Promise<string> {
    const configured = this.#options.env[pathVariable(name)];
    if (configured !== undefined && configured !== '') return this.#configured(name, configured);
    const found = (await this.#onPath(name)) ?? (await this.#cached(name));
    if (found !== undefined) return found;
    return withLock(
      join(this.#options.cache, '.lock'),
      async () => (await this.#cached(name)) ?? this.#make(name),
      ({ pid }) => this.#options.progress.say(`${title(name)}: waiting for process ${pid}, which makes binaries`),
    );
  }

  async #configured(name: BinaryName, path: string): Promise<string> {
    if (await isExecutable(path)) return path;
    throw missing(name, `${pathVariable(name)} names ${path}, which is no executable file`, 'Correct or unset it.');
  }

  async #onPath(name: BinaryName): Promise<string | undefined> {
    const dirs = (this.#options.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
    for (const path of dirs.map((dir) => join(dir, name))) {
      if (!(await isExecutable(path))) continue;
      const version = await versionOf(name, path);
      if (version !== undefined && fits(name, version)) return path;
      this.#options.progress.say(
        `${title(name)}: ${path} does not fit (${version?.join('.') ?? 'no version'}), passed over`,
      );
    }
    return undefined;
  }

  async #cached(name: BinaryName): Promise<string | undefined> {
    const path = this.#cachePath(name);
    return (await isExecutable(path)) ? path : undefined;
  }

  async #make(name: BinaryName): Promise<string> {
    await mkdir(this.#options.cache, { recursive: true });
    const dir = await mkdtemp(join(this.#options.cache, '.new-'));
    try {
      const problems: string[] = [];
      for (const way of [this.#download, this.#build]) {
        const made = await way.call(this, name, dir);
        if ('path' in made) return await this.#install(name, made.path);
        problems.push(made.problem);
      }
      throw missing(
        name,
        problems.join('; '),
        `Install Go 1.26 or later, or put ${name} ${binaryVersions[name]} on PATH, or name it in ${pathVariable(name)}.`,
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  async #download(name: BinaryName, dir: string): Promise<Made> {
    const platform = hostPlatform();
    const release = platform && catalog[name].release(platform, this.#options.origins);
    if (!release) return { problem: 'no release is published for this platform' };
    const { host } = new URL(release.url);
    if (this.#unreachable.has(host)) return { problem: `${host} does not answer` };
    const step = this.#options.progress.begin(`${title(name)}: downloading from ${host}`);
    try {
      const path = await downloadRelease(release, dir);
      await this.#tryOut(name, path);
      step.done('verified');
      return { path };
    } catch (error) {
      if (error instanceof HostUnreachable) this.#unreachable.add(host);
      step.failed(problemOf(error));
      return { problem: problemOf(error) };
    }
  }

  async #build(name: BinaryName, dir: string): Promise<Made> {
    const { go, cache, progress } = this.#options;
    const whyNot = await whyNoGo(go);
    if (whyNot !== undefined) return { problem: whyNot };
    const step = progress.begin(`${title(name)}: building with Go`);
    try {
      const path = await goBuild(name, catalog[name].build, { go, workDir: join(cache, '.build'), outDir: dir });
      await this.#tryOut(name, path);
      step.done('built');
      return { path };
    } catch (error) {
      step.failed('failed');
      return { problem: problemOf(error) };
    }
  }

  async #tryOut(name: BinaryName, path: string): Promise<void> {
    await chmod(path, 0o755);
    await run(path, [...catalog[name].versionArgs], { timeout: versionTimeoutMs });
  }

  async #install(name: BinaryName, made: string): Promise<string> {
    const path = this.#cachePath(name);
    await mkdir(join(path, '..'), { recursive: true });
    await rename(made, path);
    return path;
  }

  #cachePath(name: BinaryName): string {
    return join(this.#options.cache, `${name}-${binaryVersions[name]}`, name);
  }
}

type Made = { readonly path: string } | { readonly problem: string };

const title = (name: BinaryName) => `${name} ${binaryVersions[name]}`;

/** `nats-server` → `MILLRACE_NATS_SERVER_PATH`. */
function pathVariable(name: BinaryName): string {
  return `MILLRACE_${name.toUpperCase().replaceAll('-', '_')}_PATH`;
}

function missing(name: BinaryName, problem: string, hint: string) {
  return mr('MR_BINARY_MISSING', { binary: name, version: binaryVersions[name], problem, hint });
}

async function versionOf(name: BinaryName, path: string): Promise<Version | undefined> {
  try {
    const { stdout } = await run(path, [...catalog[name].versionArgs], { timeout: versionTimeoutMs });
    const [, major, minor] = /(\d+)\.(\d+)\.\d+/.exec(stdout) ?? [];
    return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
  } catch {
    // It cannot even print its version: it is skipped, and the caller reports that.
    return undefined;
  }
}

function fits(name: BinaryName, version: Version): boolean {
  const [from, below] = catalog[name].fits;
  return compare(version, from) >= 0 && compare(version, below) < 0;
}

function compare(a: Version, b: Version): number {
  return a[0] === b[0] ? a[1] - b[1] : a[0] - b[0];
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
