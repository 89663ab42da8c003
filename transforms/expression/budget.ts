/**
 * What the evaluation of an expression on one record may cost.
 *
 * G3  An evaluation fails when it has used {@link mostUnits}. One unit is an iteration of a macro, an element of a
 *     list or object that is compared, searched, added, passed to a function or part of the result, or 64 characters
 *     of a text. So the work, and the size of the result, are bounded however macros and lists multiply.
 *
 * The iterations of a macro are charged before the first, because `all` and `exists` continue when an iteration
 * fails. A failing iteration costs cel-js as much as fifty others, and is charged as fifty. One counter for all
 * evaluations is enough, because evaluation is synchronous.
 */
import { EvaluationProblem } from './problem.ts';

/** About half a second of cel-js. */
const mostUnits = 1_000_000;
const charactersOfUnit = 64;

let left = mostUnits;

/** One error for all, because a macro may throw it in each of its iterations. */
const exhausted = new EvaluationProblem(
  `the record makes for too much work (more than ${mostUnits.toLocaleString('en')} steps)`,
);

export function refill(): void {
  left = mostUnits;
}

/** Throws when too much was spent, even if the error thrown at that time was caught. */
export function assertWithinBudget(): void {
  if (left < 0) throw exhausted;
}

export function spend(units: number): void {
  left -= units;
  if (left < 0) throw exhausted;
}

/** Charges for a value before all of it is processed; returns it. */
export function charged<T>(value: T): T {
  charge(value);
  return value;
}

/** Charges for the iterations of a macro over a value; returns it. */
export function rounds<T>(value: T): T {
  if (Array.isArray(value)) spend(value.length);
  else if (typeof value === 'object' && value !== null) spend(Object.keys(value).length);
  return value;
}

const failedRound = 50;

/** Before the condition of an iteration. */
export function begun(): boolean {
  spend(failedRound);
  return true;
}

/** After the condition of an iteration, if it did not fail. */
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
