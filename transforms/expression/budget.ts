/**
 * What the evaluation of an expression on one record may cost.
 *
 * G3  An evaluation fails when it has used {@link mostUnits}: a round of a macro, an element of a list or object that is
 *     compared, searched, added, given to a function or part of the result, and 64 characters of a text are one each. So
 *     the work, and the size of what is made, do not depend on how macros and lists multiply.
 *
 * The rounds of a macro are paid before the first, because `all` and `exists` go on when a round fails. A round that fails
 * costs cel-js as much as fifty others, so it is paid as such. One counter for all: evaluation is synchronous.
 */
import { EvaluationProblem } from './problem.ts';

/** About half a second of cel-js. */
const mostUnits = 1_000_000;
const charactersOfUnit = 64;

let left = mostUnits;

/** One for all, because a macro may meet it in each of its rounds. */
const exhausted = new EvaluationProblem(
  `the record makes for too much work (more than ${mostUnits.toLocaleString('en')} steps)`,
);

export function refill(): void {
  left = mostUnits;
}

/** Throws when too much was spent, also when what was thrown then was caught. */
export function assertWithinBudget(): void {
  if (left < 0) throw exhausted;
}

export function spend(units: number): void {
  left -= units;
  if (left < 0) throw exhausted;
}

/** Charges for a value before something looks at all of it; returns it. */
export function charged<T>(value: T): T {
  charge(value);
  return value;
}

/** Charges for the rounds of a macro over a value; returns it. */
export function rounds<T>(value: T): T {
  if (Array.isArray(value)) spend(value.length);
  else if (typeof value === 'object' && value !== null) spend(Object.keys(value).length);
  return value;
}

const failedRound = 50;

/** Before the condition of a round. */
export function begun(): boolean {
  spend(failedRound);
  return true;
}

/** After the condition of a round, when it did not fail. */
export function ended<T>(value: T): T {
  left += failedRound;
  return value;
}

function charge(value: unknown): void {
  spend(typeof value === 'string' ? 1 + Math.floor(value.length / charactersOfUnit) : 1);
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) value.forEach(charge);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const [name, member] of Object.entries(value)) {
      charge(name);
      charge(member);
    }
  }
}
