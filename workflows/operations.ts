/**
 * The operations as workflows with their own names, so that a list of workflows reads as a history. The compiler
 * demands an exported workflow for each row of the operation table (`model/operations.ts`, `./run-child.ts`).
 *
 * A running operation continues with the newest code: one that waits for a person, perhaps for days, must not depend on
 * the build that started it. So a change of its steps or their order must be able to replay histories of older code
 * (docs/decisions/040).
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

/** Restores what somebody else has changed; a pipeline that should be paused or stopped is made so again. */
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
