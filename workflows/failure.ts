/** The code and the sentence in whatever Temporal wrapped around them. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';

export interface TypedFailure {
  /** Code of the error table, when the failure came from an activity. */
  readonly code: string;
  readonly message: string;
}

export function failureOf(error: unknown): TypedFailure {
  if (error instanceof ChildWorkflowFailure || error instanceof ActivityFailure) {
    return failureOf(error.cause ?? new Error(error.message));
  }
  if (error instanceof ApplicationFailure) return { code: error.type ?? 'MR_INTERNAL', message: error.message };
  return { code: 'MR_INTERNAL', message: error instanceof Error ? error.message : String(error) };
}
