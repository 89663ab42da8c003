/**
 * The operations under their own names, so that a list of workflows reads as what happened. A row of the operation table
 * (`model/operations.ts`) without a workflow here does not compile, and one that is not exported neither (`./run-child.ts`).
 *
 * They go on with the newest code: one that waits for a person, perhaps for days, must not depend on the build that began
 * it. So a change of what they do, in which order, must replay what was begun (docs/decisions/040).
 */
import type { OperationKind } from '../model/operations.ts';
import { converge } from './converge.ts';
import { haltPipeline } from './halt.ts';
import type { OperationInput, OperationResult } from './operation.ts';
import { tearDown } from './teardown.ts';
import { goesOn } from './versioning.ts';

export function provision(input: OperationInput): Promise<OperationResult> {
  return converge(input);
}

export function reconfigure(input: OperationInput): Promise<OperationResult> {
  return converge(input);
}

/** Restores what somebody else has changed; of a pipeline that is paused, that it stands still. */
export function repair(input: OperationInput): Promise<OperationResult> {
  return input.desired === 'Running' ? converge(input) : haltPipeline(input);
}

export function resume(input: OperationInput): Promise<OperationResult> {
  return converge(input);
}

export function pause(input: OperationInput): Promise<OperationResult> {
  return haltPipeline(input);
}

export function stop(input: OperationInput): Promise<OperationResult> {
  return haltPipeline(input);
}

export function teardown(input: OperationInput): Promise<OperationResult> {
  return tearDown(input);
}

type Operation = (input: OperationInput) => Promise<OperationResult>;

const all: Readonly<Record<OperationKind, Operation>> = {
  provision,
  reconfigure,
  repair,
  pause,
  stop,
  resume,
  teardown,
};

goesOn('AUTO_UPGRADE', ...Object.values(all));
