/**
 * One thing that an installation needs, and how it is looked at.
 *
 * F1  Every check is made, whatever the others find: a person mends all at once, not one after the other.
 * F2  A check that finds something throws the error of the table that says what to do. What is not of the table is a
 *     failure as well: what could not be found out is not in order.
 */
import { classify } from '../../activities/failures.ts';
import type { MillraceError } from '../../model/errors.ts';

export interface Check {
  readonly name: string;
  /** Resolves with what is in order, in a few words; throws what is not (F2), one error or an AggregateError. */
  look(signal: AbortSignal): Promise<string>;
}

export interface Finding {
  readonly name: string;
  /** In order when there is none. */
  readonly problems: readonly MillraceError[];
  readonly text: string;
}

/** Long enough for a server on the other side of a slow network; one that hangs is a finding. */
const timeoutMs = 20_000;

/** F1. In the order of the checks. */
export function lookAt(checks: readonly Check[]): Promise<readonly Finding[]> {
  return Promise.all(checks.map(findingOf));
}

async function findingOf(check: Check): Promise<Finding> {
  const { name } = check;
  try {
    return { name, problems: [], text: await check.look(AbortSignal.timeout(timeoutMs)) };
  } catch (error) {
    const all: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    return { name, problems: all.map(classify), text: '' };
  }
}
