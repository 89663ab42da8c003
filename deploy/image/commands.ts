/** Programs of this machine that the build uses. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Throws with what the command printed. Returns its standard output. */
export async function ask(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, maxBuffer: 2 ** 26 });
  return stdout;
}
