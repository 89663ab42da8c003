/** Commands one after the other, each with its name and time; all are run, and any failure is the result. */
import { spawn } from 'node:child_process';

export interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Names of those that failed. */
export async function runSteps(steps: readonly Command[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    const startedAt = Date.now();
    const code = await run(step.command, step.args);
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    process.stderr.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)\n`);
    if (code !== 0) failed.push(step.name);
  }
  return failed;
}

/** The exit code, as a shell would see it. */
export function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}
