/**
 * `npm run simulate -- --seeds 2000 --from 1`: runs seeds and prints what broke.
 *
 *   --seeds N     how many (default 200)
 *   --from S      the first (default 1)
 *   --workers W   processes beside each other (default 2)
 *   --shrink      makes the first failing scenario small and prints it with its schedule
 *   --mutations   takes each guard away in turn; some seed must notice (see ./mutations.ts)
 *   --only E9     of these guards alone; may be given more than once
 *   --trace       prints the schedule of seed S, and runs no other
 */
import { parseArgs } from 'node:util';
import { runSeeds, type Found } from './crew.ts';
import { scenarioOf } from './plant/generate.ts';
import type { Scenario } from './plant/scenario.ts';
import { runSeed } from './run-seed.ts';
import { shrink } from './shrink.ts';
import { lineOf, tryMutations } from './try-mutations.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    shrink: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const print = (line: string) => process.stdout.write(`${line}\n`);

process.exitCode = values.mutations
  ? await mutate()
  : values.trace
    ? await trace(scenarioOf(values.from))
    : await search();

async function mutate(): Promise<number> {
  let unnoticed = 0;
  await tryMutations(Number(values.seeds), Number(values.workers), values.only, (tried) => {
    if (tried.noticed === undefined) unnoticed++;
    print(lineOf(tried));
  });
  print(`${unnoticed} of them nothing noticed`);
  return unnoticed === 0 ? 0 : 1;
}

async function search(): Promise<number> {
  const totals = { runs: 0, records: 0, mishaps: 0, virtualMs: 0 };
  const failed: Found[] = [];
  await runSeeds(Number(values.from), Number(values.seeds), Number(values.workers), (found) => {
    totals.runs++;
    totals.records += found.records;
    totals.mishaps += found.mishaps;
    totals.virtualMs += found.virtualMs;
    if (found.violation === undefined) return;
    failed.push(found);
    print(`seed ${found.seed}  ${found.violation}`);
  });
  const hours = (totals.virtualMs / 3_600_000).toFixed(1);
  print(
    `${totals.runs} runs, ${totals.records} records, ${totals.mishaps} mishaps, ${hours} h of model time: ${failed.length} failed`,
  );
  const [first] = failed;
  if (first === undefined) return 0;
  if (!values.shrink) {
    print(`Make it small: npm run simulate -- --seeds 1 --from ${first.seed} --shrink`);
    return 1;
  }
  const judge = async (one: Scenario) => (await runSeed(one)).violation?.label;
  const small = await shrink(scenarioOf(first.seed), judge);
  print(JSON.stringify(small, null, 2));
  await trace(small);
  return 1;
}

async function trace(scenario: Scenario): Promise<number> {
  const { violation } = await runSeed(scenario, print);
  print(violation === undefined ? 'right' : violation.message);
  return violation === undefined ? 0 : 1;
}
