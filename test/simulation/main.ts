/**
 * `npm run simulate -- --seeds 2000 --from 1`: runs seeds and prints what broke.
 *
 *   --seeds N     how many (default 200)
 *   --from S      the first (default 1); `power:1` begins with those that are about power (./plant/focus.ts)
 *   --workers W   processes beside each other (default 2)
 *   --summary F   adds what came of them to a file, of this call and of those before (./summary.ts)
 *   --shrink      makes the first failing scenario small and prints it with its schedule
 *   --mutations   takes each guard away in turn; some seed must notice (see ./mutations.ts)
 *   --only E9     of these guards alone; may be given more than once
 *   --trace       prints the schedule of seed S, and runs no other
 */
import { parseArgs } from 'node:util';
import { runSeeds, type Found } from './crew.ts';
import { focusOf, numberOf, seedOf } from './plant/focus.ts';
import { scenarioOf } from './plant/generate.ts';
import type { Scenario } from './plant/scenario.ts';
import { runSeed } from './run-seed.ts';
import { shrink } from './shrink.ts';
import { added, lineOf, nothing, readSummary, writeSummary, type Summary } from './summary.ts';
import { lineOfTried, tryMutations } from './try-mutations.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    summary: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});
/** A long run says so often how far it is. */
const progressMs = 30_000;
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
    print(lineOfTried(tried));
  });
  print(`${unnoticed} of them nothing noticed`);
  return unnoticed === 0 ? 0 : 1;
}

async function search(): Promise<number> {
  const { summary: file } = values;
  const [from, focus, seeds] = [numberOf(values.from), focusOf(values.from), Number(values.seeds)];
  const before = file === undefined ? nothing : readSummary(file);
  const call = { from: values.from, to: seedOf(from + seeds - 1, focus), at: new Date().toISOString() };
  let all: Summary = { ...before, calls: [...before.calls, call] };
  let own = nothing;
  const failed: Found[] = [];
  const startedAt = performance.now();
  let toldAt = startedAt;
  await runSeeds({ from, seeds, workers: Number(values.workers), focus }, (found) => {
    own = added(own, found);
    all = added(all, found);
    if (found.violation !== undefined) {
      failed.push(found);
      print(`seed ${found.seed}  ${found.violation}`);
    }
    const now = performance.now();
    if (now - toldAt < progressMs) return;
    toldAt = now;
    print(`${own.runs} of ${seeds}, ${((1_000 * own.runs) / (now - startedAt)).toFixed(1)} a second: ${lineOf(own)}`);
    if (file !== undefined) writeSummary(file, all);
  });
  print(lineOf(own));
  if (file !== undefined) {
    writeSummary(file, all);
    print(`with those before: ${lineOf(all)}`);
  }
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
