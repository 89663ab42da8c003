import { ok } from 'node:assert/strict';
import { passed, report } from './report.ts';
import { runFaults } from './run.ts';
import { faultKinds } from './schedule.ts';

/** Minutes and more seeds: `npm run faults`. */
const lengthMs = 60_000;
const seed = 7;

describe('a minute of random faults on the whole local stack', function () {
  it('loses, doubles and invents nothing, keeps the order, and says when it is stuck', async () => {
    const outcome = await runFaults({ seed, lengthMs, only: faultKinds, say: () => undefined });
    ok(passed(outcome), report(outcome));
    ok(outcome.orders.input > 0 && outcome.events.input > 0, report(outcome));
  });
});
