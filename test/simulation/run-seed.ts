/** One seed, with what the process itself would only learn of too late: promises that were rejected and never looked at. */
import { setImmediate as turn } from 'node:timers/promises';
import { scenarioOf } from './plant/generate.ts';
import type { Scenario } from './plant/scenario.ts';
import { forgetSignals, watchSignals } from './kernel/signals.ts';
import { simulate, type Result } from './simulate.ts';
import { Violation } from './check/violation.ts';

const unhandled: unknown[] = [];
let watches = false;

export async function runSeed(seed: string | Scenario, log?: (line: string) => void): Promise<Result> {
  watchSignals();
  if (!watches) process.on('unhandledRejection', (reason) => unhandled.push(reason));
  watches = true;
  const result = await simulate(typeof seed === 'string' ? scenarioOf(seed) : seed, log);
  forgetSignals();
  // Node tells of them when the run lets go of the thread.
  await turn();
  const [reason] = unhandled.splice(0);
  if (reason === undefined || result.violation !== undefined) return result;
  const text = reason instanceof Error ? (reason.stack ?? reason.message) : JSON.stringify(reason);
  return { ...result, violation: new Violation('defect', `a rejection that nobody handles: ${text}`) };
}
