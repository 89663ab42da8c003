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

/** `MR_SINK_AUTH_REJECTED` → `SinkAuthRejected`: the reason of a condition. */
export function reasonOfCode(code: string): string {
  const words = code.replace(/^MR_/, '').split('_');
  return words.map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join('');
}
