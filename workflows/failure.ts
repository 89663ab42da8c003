/** Extracts the code and the sentence from the failures that Temporal wraps around them. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';
import { handlingOf } from '../model/errors.ts';
import type { OperationKind, RefusedSpec } from '../model/lifecycle.ts';

export interface TypedFailure {
  /** Code of the error table, when the failure came from an activity. */
  readonly code: string;
  readonly message: string;
  /** When a spec was read and refused. */
  readonly read?: RefusedSpec;
  /** When the operation was fenced: the sequence of the newer one. */
  readonly newer?: number;
}

export function failureOf(error: unknown): TypedFailure {
  if (error instanceof ChildWorkflowFailure || error instanceof ActivityFailure) {
    return failureOf(error.cause ?? new Error(error.message));
  }
  if (error instanceof ApplicationFailure) {
    return { code: error.type ?? 'MR_INTERNAL', message: error.message, ...detailsOf(error.details?.[0]) };
  }
  return { code: 'MR_INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** Whether the failure of a step refuses the spec: a problem that was found late, and that only another spec solves. */
export function refusesSpec(code: string, during: OperationKind): boolean {
  const carriesOut = during === 'provision' || during === 'reconfigure' || during === 'resume';
  return carriesOut && code !== 'MR_INTERNAL' && handlingOf(code) === 'refuse';
}

/** What `activities/failures.ts` adds to code and sentence; failures of v0.1 have less. */
interface Details {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly read?: RefusedSpec;
}

function detailsOf(details: unknown): Pick<TypedFailure, 'read' | 'newer'> {
  if (!isOurs(details)) return {};
  const { read, params } = details;
  const newer = params?.['newer'];
  return { ...(read === undefined ? {} : { read }), ...(typeof newer === 'number' ? { newer } : {}) };
}

/** Only `activities/failures.ts` makes failures with details. */
function isOurs(details: unknown): details is Details {
  return typeof details === 'object' && details !== null && 'code' in details;
}
