/** Runs seeds in processes beside each other: each takes every n-th and tells what it found, one line of JSON a seed. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

export interface Found {
  readonly seed: string;
  /** `I2: sink k0 has …`; absent: the run was right. */
  readonly violation?: string;
  readonly events: number;
  readonly records: number;
  readonly mishaps: number;
  readonly virtualMs: number;
}

export async function runSeeds(
  from: number,
  seeds: number,
  workers: number,
  onFound: (found: Found) => void,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ends = Array.from({ length: Math.min(workers, seeds) }, (_, index) =>
    work(from + index, from + seeds, workers, onFound, env),
  );
  await Promise.all(ends);
}

async function work(
  first: number,
  end: number,
  step: number,
  onFound: (found: Found) => void,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      join(import.meta.dirname, 'mutate.ts'),
      join(import.meta.dirname, 'worker.ts'),
      String(first),
      String(end),
      String(step),
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
