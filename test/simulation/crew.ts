/** Runs seeds in processes beside each other: each takes every n-th and tells what it found, one line of JSON a seed. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { seedOf, type Focus } from './plant/focus.ts';

export interface Found {
  readonly seed: string;
  /** `I2: sink k0 has …`; absent: the run was right. */
  readonly violation?: string;
  readonly events: number;
  readonly records: number;
  readonly mishaps: number;
  readonly virtualMs: number;
}

export interface Run {
  /** Number of the first seed. */
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  /** What the seeds are about. */
  readonly focus?: Focus | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

export async function runSeeds(run: Run, onFound: (found: Found) => void): Promise<void> {
  const workers = Math.min(run.workers, run.seeds);
  await Promise.all(Array.from({ length: workers }, (_, index) => work({ ...run, workers }, index, onFound)));
}

async function work(
  { from, seeds, workers, focus, env }: Run,
  index: number,
  onFound: (found: Found) => void,
): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      join(import.meta.dirname, 'mutate.ts'),
      join(import.meta.dirname, 'worker.ts'),
      ...[seedOf(from + index, focus), String(from + seeds), String(workers)],
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    },
  );
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => onFound(JSON.parse(line) as Found));
  const read = new Promise((resolve) => lines.once('close', resolve));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  await read;
  if (code !== 0) throw new Error(`a process of the simulation ended with ${code ?? 'a signal'}`);
}
