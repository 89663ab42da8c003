/** Programs of this machine. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Resolves with what it prints; rejects with what it says. */
export async function sh(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(command, args, { maxBuffer: 2 ** 26 });
  return stdout;
}

/** For what may be gone already. */
export async function shOrNot(command: string, ...args: readonly string[]): Promise<void> {
  await sh(command, ...args).catch(() => undefined);
}
