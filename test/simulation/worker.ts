/** A process of ./crew.ts: `node worker.ts <first> <end> <step>`. */
import { runSeed } from './run-seed.ts';
import type { Found } from './crew.ts';

// Most errors of a run are made to be caught: their stacks cost more than the run.
Error.stackTraceLimit = 4;

const [first = 0, end = 0, step = 1] = process.argv.slice(2).map(Number);
for (let seed = first; seed < end; seed += step) {
  const { violation, events, records, mishaps, virtualMs } = await runSeed(String(seed));
  const found: Found = {
    seed: String(seed),
    events,
    records,
    mishaps,
    virtualMs,
    ...(violation === undefined ? {} : { violation: violation.message }),
  };
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
