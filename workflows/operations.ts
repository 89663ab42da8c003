/**
 * The operations under their own names, so that a list of workflows reads as what happened. Each is short-lived and ends
 * on the version of the code that it began with.
 */
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

goesOn('PINNED', provision, reconfigure, repair, resume, pause, stop, teardown);
