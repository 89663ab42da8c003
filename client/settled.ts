/**
 * Whether a change of a pipeline has been carried out. One answer for `--wait`, for the API's operations and for
 * `waitReady` of the client.
 *
 * A change is named by the generation that it made. It is settled when `status.observedGeneration` has reached that
 * generation and `Ready` speaks about it; a summary that is older says nothing about it.
 *
 * Who asks for standing still asks for a state, and not for a spec: it needs no valid one, so a refusal of the spec is waited
 * beyond. It has failed when the pipeline is not as it was asked for and nothing goes on.
 */
import type { Condition, ConditionType, PipelineStatus } from '../crds/pipeline.ts';
import type { DesiredState } from '../model/plan.ts';

/** What a pause or a stop asks for. */
export type StillState = 'Paused' | 'Stopped';

export type Settled =
  /** `beside`: what is wrong with the spec, of a pipeline that stands still as it was asked to. */
  | { readonly is: 'ready'; readonly reason: string; readonly message: string; readonly beside?: string }
  /** Millrace does not go on until the spec changes. */
  | { readonly is: 'refused'; readonly reason: string; readonly message: string }
  /** Millrace goes on by itself. */
  | { readonly is: 'waiting'; readonly reason: string; readonly message: string };

/** `still`: what is waited for is this state, whatever becomes of the spec that asks for it. */
export function settledAt(status: PipelineStatus | undefined, generation: number, still?: StillState): Settled {
  const observed = status?.observedGeneration ?? 0;
  const refused = refusal(status, generation);
  if (refused)
    return still === undefined
      ? { is: 'refused', ...saying(refused) }
      : stillAt(status, refused, { still, isObserved: observed >= generation, generation });
  const ready = conditionOf(status, 'Ready');
  if (observed < generation) return { is: 'waiting', ...whatItDoes(status) };
  if (ready?.status === 'True' && (ready.observedGeneration ?? observed) >= generation) {
    return { is: 'ready', ...saying(ready) };
  }
  return { is: 'waiting', ...(ready ? saying(ready) : whatItDoes(status)) };
}

interface AskedStill {
  readonly still: StillState;
  readonly generation: number;
  readonly isObserved: boolean;
}

/** Beside a spec that is refused. */
function stillAt(
  status: PipelineStatus | undefined,
  refused: Condition,
  { still, generation, isObserved }: AskedStill,
): Settled {
  const { reason, message } = saying(refused);
  const isAtRest = isObserved && status?.operation === undefined;
  if (isAtRest && status?.phase === still) {
    const beside = `its spec is refused (${reason}): ${message}`;
    return { is: 'ready', reason: still, message: `${still}, and ${beside}`, beside };
  }
  const provisioned = conditionOf(status, 'Provisioned');
  const hasFailed = provisioned?.status === 'False' && (provisioned.observedGeneration ?? 0) >= generation;
  return { is: isAtRest && hasFailed ? 'refused' : 'waiting', reason, message };
}

/** Undefined: records should move. */
export function stillOf(state: DesiredState): StillState | undefined {
  return state === 'Running' ? undefined : state;
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
