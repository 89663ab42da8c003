/** A request that the API refused or could not carry out. */
import type { Problem } from './wire.ts';

export class MillraceProblem extends Error {
  override readonly name = 'MillraceProblem';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }

  /** Row of the error table. */
  get code(): string {
    return this.problem.code;
  }

  /** The same request may succeed later. */
  get isRetryable(): boolean {
    return this.problem.retryable;
  }
}
