/**
 * Whether a change of a pipeline has been carried out. One answer for `--wait`, for the API's operations and for
 * `waitReady` of the client.
 *
 * A change is named by the generation that it made. It is settled when `status.observedGeneration` has reached that
 * generation and `Ready` speaks about it; a summary that is older says nothing about it.
 */
import type { Condition, ConditionType, PipelineStatus } from '../crds/pipeline.ts';

export type Settled =
  | { readonly is: 'ready'; readonly reason: string; readonly message: string }
  /** Millrace does not go on until the spec changes. */
  | { readonly is: 'refused'; readonly reason: string; readonly message: string }
  /** Millrace goes on by itself. */
  | { readonly is: 'waiting'; readonly reason: string; readonly message: string };

export function settledAt(status: PipelineStatus | undefined, generation: number): Settled {
  const observed = status?.observedGeneration ?? 0;
  const refused = refusal(status, generation);
  if (refused) return { is: 'refused', ...saying(refused) };
  const ready = conditionOf(status, 'Ready');
  if (observed < generation) return { is: 'waiting', ...whatItDoes(status) };
  if (ready?.status === 'True' && (ready.observedGeneration ?? observed) >= generation) {
    return { is: 'ready', ...saying(ready) };
  }
  return { is: 'waiting', ...(ready ? saying(ready) : whatItDoes(status)) };
}

export function conditionOf(status: PipelineStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** A spec that was not accepted, or an operation that gave up, for this generation or a later one. */
function refusal(status: PipelineStatus | undefined, generation: number): Condition | undefined {
  const speaksOf = (condition: Condition | undefined) => (condition?.observedGeneration ?? 0) >= generation;
  const accepted = conditionOf(status, 'Accepted');
  if (accepted?.status === 'False' && speaksOf(accepted)) return accepted;
  const stalled = conditionOf(status, 'Stalled');
  return stalled?.status === 'True' && speaksOf(stalled) ? stalled : undefined;
}

function whatItDoes(status: PipelineStatus | undefined): { reason: string; message: string } {
  const operation = status?.operation;
  if (operation) {
    const failed = operation.lastError === undefined ? '' : `: ${operation.lastError}`;
    return { reason: 'Reconciling', message: `${operation.type} is at "${operation.step}"${failed}` };
  }
  const ready = conditionOf(status, 'Ready');
  return ready ? saying(ready) : { reason: 'Pending', message: 'Millrace has not looked at it yet' };
}

function saying(condition: Condition): { reason: string; message: string } {
  return { reason: condition.reason, message: condition.message };
}
