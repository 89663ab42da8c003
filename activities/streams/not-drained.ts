/**
 * An operation that waits until everything that was read is written: what keeps it, and what a person can do about it.
 *
 * ND1 The cause is what the pods say of the sinks, as the controller has it in the conditions. What they do not say is
 *     not guessed.
 * ND2 The advice is that of the operation: what ends the wait of a deletion does nothing for a stop.
 */
import type { Kube } from '../../kubernetes/kube.ts';
import { inOrder, isOutage, type ConditionType } from '../../model/conditions.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import type { OperationRef } from '../../model/lifecycle.ts';
import type { OperationKind } from '../../model/operations.ts';
import { pipelineText } from '../../stream/edge-opening.ts';
import { findResource } from '../proof.ts';
import { statusOf } from '../status/read.ts';

/** MR_NOT_DRAINED. `behind`: who has how much left. */
export async function notDrained(
  kube: Kube,
  { pipeline, kind }: Pick<OperationRef, 'pipeline' | 'kind'>,
  behind: string,
): Promise<MillraceError> {
  return mr('MR_NOT_DRAINED', { behind, because: await because(kube, pipeline), hint: advice[kind](pipeline) });
}

/** Conditions that tell of the sinks. */
const ofSinks: readonly ConditionType[] = ['SinkConnected', 'Flowing'];

/** ND1. */
async function because(kube: Kube, pipeline: OperationRef['pipeline']): Promise<string> {
  const resource = await findResource(kube, pipeline);
  const conditions = resource === undefined ? [] : inOrder(statusOf(resource).conditions ?? []);
  const cause = conditions.find((each) => ofSinks.some((type) => type === each.type) && isOutage(each));
  return cause === undefined ? '' : `, because of ${cause.reason} (${cause.message.replace(/\.$/, '')})`;
}

type Advice = (pipeline: OperationRef['pipeline']) => string;

const whileChanged: Advice = () =>
  'If a sink fails, repair it: Millrace continues by itself. Or put what was removed back into the spec and apply it; or apply it with `deletionPolicy: Immediate`, which discards those records.';

/** ND2. A pause does not drain; were it ever to, it would be ended as a stop is. */
const whileHalted: Advice = (pipeline) =>
  `If a sink fails, repair it: Millrace continues by itself. \`millrace pause ${pipelineText(pipeline)}\` stops the sinks now and keeps those records, which are written after \`millrace resume ${pipelineText(pipeline)}\`. Or apply a spec without that sink (with another in its place, if it is the only one) and with \`deletionPolicy: Immediate\`, which gives up what it has not written.`;

const advice: Readonly<Record<OperationKind, Advice>> = {
  provision: whileChanged,
  reconfigure: whileChanged,
  repair: whileChanged,
  resume: whileChanged,
  pause: whileHalted,
  stop: whileHalted,
  teardown: (pipeline) =>
    `If a sink fails, repair it: Millrace continues by itself. \`kubectl patch pipeline ${pipelineText(pipeline)} --type merge -p '{"spec":{"deletionPolicy":"Immediate"}}'\` discards those records instead.`,
};
