/** A process of ./crew.ts: `node worker.ts <first seed> <end> <step>`. */
import { focusOf, numberOf, seedOf } from './plant/focus.ts';
import { runSeed } from './run-seed.ts';
import type { Found } from './crew.ts';

// Most errors of a run are made to be caught: their stacks cost more than the run.
Error.stackTraceLimit = 4;

const [first = '', end = 0, step = 1] = [process.argv[2], ...process.argv.slice(3).map(Number)];
for (let number = numberOf(first); number < end; number += step) {
  const seed = seedOf(number, focusOf(first));
  const { violation, events, records, mishaps, virtualMs } = await runSeed(seed);
  const found: Found = {
    seed,
    events,
    records,
    mishaps,
    virtualMs,
    ...(violation === undefined ? {} : { violation: violation.message }),
  };
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
