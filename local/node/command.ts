/**
 * The command and environment with which a container's process is started.
 *
 * C1  `$(NAME)` is expanded in command and args, then mount paths are rewritten in them, in every variable and in
 *     workingDir.
 * C2  The program is looked up on PATH with the shim directory first.
 *
 * The environment holds what an image would set (PATH, HOME, TMPDIR, LANG, HOSTNAME) and what the pod defines:
 * nothing else of the node's own environment.
 */
import { access, constants, mkdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { expand } from './env.ts';
import { ContainerFault } from './fault.ts';
import type { Command } from './instance.ts';
import { rewrite, type Mount } from './mounts.ts';
import type { Container, Pod } from './pod.ts';

export interface CommandContext {
  readonly pod: Pod;
  readonly container: Container;
  /** As in the pod's manifest. */
  readonly env: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly shimDir: string;
  /** Where a container without workingDir runs. */
  readonly homeDir: string;
  /** The node's own environment: PATH and the like are taken from it. */
  readonly hostEnv: NodeJS.ProcessEnv;
}

/** The program cannot be run: a failed start, not a fault that heals by itself. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The container's own command. C1, C2. */
export async function containerCommand(context: CommandContext): Promise<Command> {
  const { container } = context;
  if (container.restartPolicy !== undefined) {
    const problem = `init container "${container.name}": the local node has no sidecars (restartPolicy of an init container)`;
    throw new ContainerFault('UnsupportedField', problem);
  }
  if (container.command.length === 0) {
    throw new ContainerFault(
      'NoCommand',
      `container "${container.name}" has no command: the local node runs host processes and does not read image "${container.image}"`,
    );
  }
  const written = [...container.command, ...container.args].map((text) => expand(text, context.env));
  return await commandOf(written, context);
}

/** Any command in the container's environment, such as that of an exec probe. */
export async function commandOf(written: readonly string[], context: CommandContext): Promise<Command> {
  const { mounts, homeDir, container } = context;
  const env = environment(context);
  const cwd = container.workingDir === undefined ? homeDir : resolve(homeDir, rewrite(container.workingDir, mounts));
  if (cwd === homeDir) await mkdir(cwd, { recursive: true });
  else if (!(await can(cwd, constants.X_OK))) throw new StartError(`workingDir ${cwd} is not there`);
  const [name = '', ...args] = written.map((text) => rewrite(text, mounts));
  return { argv: [await findProgram(name, env.get('PATH') ?? '', cwd), ...args], env, cwd };
}

function environment({ pod, env, mounts, shimDir, homeDir, hostEnv }: CommandContext): ReadonlyMap<string, string> {
  const all = new Map<string, string>([
    ['HOME', hostEnv['HOME'] ?? homeDir],
    ['LANG', hostEnv['LANG'] ?? 'C.UTF-8'],
    ['HOSTNAME', pod.metadata.name],
  ]);
  if (hostEnv['TMPDIR'] !== undefined) all.set('TMPDIR', hostEnv['TMPDIR']);
  for (const [name, value] of env) all.set(name, rewrite(value, mounts));
  all.set('PATH', [shimDir, all.get('PATH') ?? hostEnv['PATH'] ?? '/usr/bin:/bin'].join(delimiter));
  return all;
}

/** C2. */
async function findProgram(name: string, path: string, cwd: string): Promise<string> {
  if (isAbsolute(name) || name.includes('/')) {
    const program = resolve(cwd, name);
    if (await can(program, constants.X_OK)) return program;
    throw new StartError(`exec: "${name}": no such executable file`);
  }
  for (const dir of path.split(delimiter)) {
    const program = join(dir, name);
    if (dir !== '' && (await can(program, constants.X_OK))) return program;
  }
  throw new StartError(`exec: "${name}": executable file not found in $PATH`);
}

async function can(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}
