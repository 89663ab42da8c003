/** Takes each guard away in turn and says which seed or test noticed, and how. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { runSeeds } from './crew.ts';
import { numberOf } from './plant/focus.ts';
import { runSeed } from './run-seed.ts';
import { mutations, nameOf, type Mutation } from './mutations.ts';

export interface Tried {
  readonly mutation: Mutation;
  /** Absent: nothing noticed. */
  readonly noticed?: string;
}

/** `only`: guards of this label; empty: all. */
export async function tryMutations(
  seeds: number,
  workers: number,
  only: readonly string[],
  onTried: (tried: Tried) => void,
): Promise<void> {
  for (const [index, mutation] of mutations.entries()) {
    if (only.length > 0 && !only.includes(mutation.guard)) continue;
    onTried(
      mutation.test === undefined
        ? await tried(index, mutation, seeds, workers)
        : triedByTest(index, mutation, mutation.test),
    );
  }
}

/** In growing portions: most are noticed within a few seeds. */
async function tried(index: number, mutation: Mutation, seeds: number, workers: number): Promise<Tried> {
  const env = { MILLRACE_MUTATION: String(index) };
  let done = 0;
  for (let portion = 20; done < seeds; portion *= 3) {
    const count = Math.min(portion, seeds - done);
    const found: { seed: string; violation: string }[] = [];
    await runSeeds({ from: done + 1, seeds: count, workers, focus: mutation.focus, env }, ({ seed, violation }) => {
      if (violation !== undefined) found.push({ seed, violation });
    });
    found.sort((a, b) => numberOf(a.seed) - numberOf(b.seed));
    const first = await firstOfIts(found);
    if (first !== undefined) return { mutation, noticed: `seed ${first.seed}: ${first.violation.slice(0, 110)}` };
    done += count;
  }
  return { mutation };
}

/** A seed that breaks without the mutation as well has noticed nothing. */
async function firstOfIts<T extends { readonly seed: string }>(found: readonly T[]): Promise<T | undefined> {
  for (const one of found) if ((await runSeed(one.seed)).violation === undefined) return one;
  return undefined;
}

/** No index: an empty text would be that of the first. */
const none = 'none';

function triedByTest(index: number, mutation: Mutation, file: string): Tried {
  const fails = (index: string) => {
    const { status, error } = spawnSync(
      process.execPath,
      ['--import', join(import.meta.dirname, 'mutate.ts'), 'node_modules/mocha/bin/mocha.js', '--bail', file],
      { cwd: join(import.meta.dirname, '../..'), stdio: 'ignore', env: { ...process.env, MILLRACE_MUTATION: index } },
    );
    if (error !== undefined) throw error;
    return status !== 0;
  };
  return fails(String(index)) && !fails(none) ? { mutation, noticed: `a test of ${file} fails` } : { mutation };
}

export function lineOfTried({ mutation, noticed }: Tried): string {
  return `${nameOf(mutation).padEnd(86)} ${noticed ?? 'NOT NOTICED'}`;
}
