import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runSeeds, type Found } from './crew.ts';
import { scenarioOf } from './plant/generate.ts';
import { runSeed } from './run-seed.ts';

const seedsSchema = z.object({
  /** Seeds that failed once, with what was wrong. */
  mended: z.array(z.object({ seed: z.string(), was: z.string() })),
  /** Seeds that fail today, with what is known about it. */
  known: z.record(z.string(), z.string()),
});
const { mended, known } = seedsSchema.parse(
  JSON.parse(await readFile(join(import.meta.dirname, 'seeds.json'), 'utf8')),
);

/** Of everything, and of what is dangerous and rarely drawn: pods come and go while a person is asked. */
const calls = [
  { seeds: 2_000, focus: undefined },
  { seeds: 200, focus: 'asked' },
] as const;

describe('simulation', () => {
  it('is the same run for the same seed, to the line', async () => {
    for (const seed of ['1', '7', '42']) {
      const [one, two]: [string[], string[]] = [[], []];
      await runSeed(seed, (line) => one.push(line));
      await runSeed(seed, (line) => two.push(line));
      assert(one.length > 10);
      assert.deepEqual(one, two);
    }
  });

  for (const { seed, was } of mended) {
    it(`seed ${seed}: ${was}`, async () => {
      assert.equal((await runSeed(scenarioOf(seed))).violation?.message, undefined);
    });
  }

  for (const { seeds, focus } of calls) {
    const which = focus === undefined ? `${seeds} runs` : `${seeds} runs about "${focus}"`;
    it(`I1–I9, I11–I13, I15, E5, E6, E9 and E10 hold in ${which}, and I7, I10 and I14 at their end`, async function () {
      const failed: Found[] = [];
      let runs = 0;
      await runSeeds({ from: 1, seeds, workers: 2, focus }, (found) => {
        runs++;
        if (found.violation !== undefined && known[found.seed] === undefined) failed.push(found);
      });
      assert.equal(runs, seeds);
      assert.deepEqual(
        failed.map(({ seed, violation }) => `seed ${seed}: ${violation}`),
        [],
      );
    });
  }
});
