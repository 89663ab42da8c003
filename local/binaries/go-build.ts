/**
 * Builds a binary from pinned Go modules, through whatever module proxy `go` is configured for.
 *
 * Two of the modules cannot be installed as they are: Kubernetes replaces its own parts by directories, and etcd's
 * command is the root of its module. Both are required by a small module of ours instead, written here.
 */
import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { assertNever } from '../../model/errors.ts';
import type { BinaryName, GoBuild, ToolsModule } from './catalog.ts';

const run = promisify(execFile);

/** Go 1.21 and later fetch the toolchain that a module asks for by themselves. */
const oldestGo = [1, 21] as const;

export interface GoBuildOptions {
  readonly go: string;
  /** Our modules and logs; kept, so that the second binary of a module starts where the first stopped. */
  readonly workDir: string;
  /** Where the executable is put. */
  readonly outDir: string;
}

/** Why `go` cannot be used; undefined when it can. */
export async function whyNoGo(go: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(go, ['env', 'GOVERSION'], { env: { ...process.env, GOTOOLCHAIN: 'local' } });
    const [, major = '0', minor = '0'] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
    if (Number(major) > oldestGo[0] || Number(minor) >= oldestGo[1]) return undefined;
    return `${go} is ${stdout.trim()}, which is too old`;
  } catch {
    return 'Go is not installed';
  }
}

/** Builds and resolves with the path of the executable. */
export async function goBuild(name: BinaryName, build: GoBuild, options: GoBuildOptions): Promise<string> {
  await mkdir(options.workDir, { recursive: true });
  const out = join(options.outDir, name);
  const log = join(options.workDir, `${name}.log`);
  await rm(log, { force: true });
  switch (build.kind) {
    case 'install': {
      const args = ['install', '-ldflags', build.ldflags, `${build.package}@${build.version}`];
      await runGo(options.go, args, { cwd: options.workDir, log, env: { GOBIN: options.outDir } });
      return join(options.outDir, commandOf(build.package));
    }
    case 'tools': {
      const dir = await writeToolsModule(options, build.module, log);
      const args = ['build', '-mod=mod', '-ldflags', build.module.ldflags, '-o', out, build.package];
      await runGo(options.go, args, { cwd: dir, log });
      return out;
    }
    default:
      return assertNever(build);
  }
}

/** The last element of an import path that is not a major version: what `go install` calls the executable. */
function commandOf(path: string): string {
  const elements = path.split('/').filter((element) => !/^v\d+$/.test(element));
  return elements.at(-1) ?? path;
}

async function writeToolsModule(options: GoBuildOptions, module: ToolsModule, log: string): Promise<string> {
  const dir = join(options.workDir, `${module.name}-${module.version}`);
  await mkdir(dir, { recursive: true });
  const replaces = await replaceLines(options.go, module, dir);
  const goMod = ['module tools', 'go 1.26.0', `require ${module.requires} ${module.version}`, ...replaces];
  const imports = module.packages.map((path) => `import _ "${path}"`);
  await writeFile(join(dir, 'go.mod'), `${goMod.join('\n')}\n`);
  await writeFile(join(dir, 'tools.go'), `//go:build tools\n\npackage tools\n\n${imports.join('\n')}\n`);
  // -e: test dependencies of the replaced modules do not resolve, and nothing here needs them. If a needed one is
  // missing, the build fails.
  await runGo(options.go, ['mod', 'tidy', '-e'], { cwd: dir, log });
  return dir;
}

const downloaded = z.object({ GoMod: z.string() });

async function replaceLines(go: string, module: ToolsModule, cwd: string): Promise<readonly string[]> {
  const { staging } = module;
  if (!staging) return [];
  const { stdout } = await run(go, ['mod', 'download', '-json', `${module.requires}@${module.version}`], { cwd });
  const theirs = await readFile(downloaded.parse(JSON.parse(stdout)).GoMod, 'utf8');
  return [...theirs.matchAll(staging.pattern)].map(([, path]) => `replace ${path} => ${path} ${staging.version}`);
}

async function runGo(
  go: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly log: string; readonly env?: Readonly<Record<string, string>> },
): Promise<void> {
  const log = createWriteStream(options.log, { flags: 'a' });
  const child = spawn(go, args, {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, GOWORK: 'off', ...options.env },
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  log.end();
  await finished(log);
  if (code === 0) return;
  const said = (await readFile(options.log, 'utf8')).trimEnd().split('\n').slice(-5).join(' / ');
  throw new Error(`go ${args[0] ?? ''} ended with ${String(code)}: ${said} (log: ${options.log})`);
}
