/** Commands, each with its name and time; all are run, and any failure is the result. */
import { spawn } from 'node:child_process';
import { InTurn } from './in-turn.ts';

export interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Runs them in turn. Returns the names of those that failed. */
export async function runSteps(steps: readonly Command[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    const { verdict, isOk } = await timed(step.name, () => run(step.command, step.args));
    process.stderr.write(verdict);
    if (!isOk) failed.push(step.name);
  }
  return failed;
}

/** Runs up to `places` at once; the output of each stays together. Returns the names of those that failed. */
export async function runBeside(
  steps: readonly Command[],
  places: number,
  print = (text: string): void => void process.stdout.write(text),
): Promise<readonly string[]> {
  const failed: string[] = [];
  const waiting = [...steps];
  const turns = new InTurn(print);
  const place = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const { command, args, name } = step;
      const output = turns.next();
      const { verdict, isOk } = await timed(name, () => run(command, args, (text) => output.write(text)));
      output.write(verdict);
      output.end();
      if (!isOk) failed.push(name);
    }
  };
  await Promise.all(Array.from({ length: places }, place));
  return failed;
}

async function timed(name: string, work: () => Promise<number>) {
  const startedAt = Date.now();
  const isOk = (await work()) === 0;
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
  return { isOk, verdict: `${isOk ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n` };
}

/** The exit code, as a shell would see it. What the command prints goes to `print`, or where this process prints. */
export function run(command: string, args: readonly string[], print?: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const colors = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    const child = print
      ? spawn(command, args, { stdio: ['inherit', 'pipe', 'pipe'], env: { ...process.env, ...colors } })
      : spawn(command, args, { stdio: 'inherit' });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => print?.(text));
    }
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}
