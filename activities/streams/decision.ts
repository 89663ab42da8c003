/**
 * Carries out a person's decision from the annotation millrace.io/decision (model/decision.ts).
 *
 * A1  It runs beside operations, not as one: an operation may be waiting for this very decision.
 * A2  A decision about positions is carried out only if a slot has asked for it in the stored questions
 *     (`stream/decisions.ts`). The status may show another problem first, and may have changed when an attempt is
 *     repeated that had already carried the decision out. A decision about a lost stream counts only while the stream
 *     is lost.
 * A3  The current annotation counts, and counts once: its outcome is in the status, with the same text.
 * A4  While the resource is being deleted, a decision counts only if the deletion waits for it: nothing that was given up,
 *     or was deleted on purpose, is made again.
 */
import { parseDecision, type Decision } from '../../model/decision.ts';
import { MillraceError, mr, type ErrorCode } from '../../model/errors.ts';
import type { LifecycleActivities, PipelineRef } from '../../model/lifecycle.ts';
import { annotations, pidOf } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { DecisionStatus, StreamStatus } from '../../model/status.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { carryOut, lostOf, streamsFound } from '../../stream/carry-out.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { toFailure } from '../failures.ts';
import { liveStages } from '../kubernetes/stages.ts';
import { keptPlans, latestPlan } from '../kubernetes/stored-plan.ts';
import { findResource, isBeingDeleted } from '../proof.ts';
import { placeOf, wishesOf } from '../spec.ts';
import { tellEvent } from '../status/event.ts';
import { ownStatus } from '../status/merge.ts';
import { updateStatus } from '../status/write.ts';
import { changedIn, withChanged } from './known-streams.ts';

interface Asked {
  readonly pipeline: PipelineRef;
  readonly opSeq: number;
}

export function decisionActivities(deps: ActivityDependencies): Pick<LifecycleActivities, 'takeDecision'> {
  return {
    async takeDecision(asked) {
      try {
        const resource = await findResource(deps.kube, asked.pipeline);
        if (resource === undefined) return;
        const text = resource.metadata.annotations?.[annotations.decision];
        if (text === undefined || text === ownStatus(resource).decision?.text) return;
        await say(deps, asked.pipeline, resource, await outcomeOf(deps, asked, resource, text));
      } catch (error) {
        throw toFailure(error);
      }
    },
  };
}

interface Outcome {
  readonly decision: DecisionStatus;
  /** Streams that were recreated. */
  readonly streams?: readonly StreamStatus[];
}

/** A refusal is an outcome; errors that a retry may repair are thrown. */
async function outcomeOf(
  deps: ActivityDependencies,
  asked: Asked,
  resource: KubeObject,
  text: string,
): Promise<Outcome> {
  const at = new Date(deps.clock.now()).toISOString();
  try {
    const streams = await decide(deps, asked, resource, text);
    return { decision: { text, at }, streams };
  } catch (error) {
    if (!(error instanceof MillraceError) || !isFinal.has(error.code)) throw error;
    return { decision: { text, at, problem: whyNot(error) } };
  }
}

/** The place that shows it already says that a decision was not carried out. */
function whyNot(error: MillraceError): string {
  return error.code === 'MR_DECISION_REFUSED' ? String(error.params['problem']) : error.sentence;
}

const isFinal: ReadonlySet<string> = new Set<ErrorCode>(['MR_DECISION_REFUSED', 'MR_STREAM_FOREIGN']);

/** Resolves with the streams that differ from before. */
async function decide(deps: ActivityDependencies, { pipeline, opSeq }: Asked, resource: KubeObject, text: string) {
  const decision = parseDecision(text);
  if (decision === undefined) {
    throw mr('MR_DECISION_REFUSED', { decision: text, problem: 'it is not TOKEN=accept-loss or TOKEN=reread' });
  }
  const { isolation = 'Namespace' } = wishesOf(resource);
  const workloadNamespace = placeOf(isolation, pipeline, pidOf(pipeline.name, pipeline.uid));
  const place = { op: { pipeline }, isolation, workloadNamespace };
  const plan = await latestPlan(deps.kube, place);
  if (plan === undefined) {
    throw mr('MR_DECISION_REFUSED', { decision: text, problem: 'the pipeline was never provisioned' });
  }
  const { kube, clock, cluster, streamReplicas: replicas, image: release } = deps;
  const known = ownStatus(resource).streams ?? [];
  const streams = deps.streams();
  if (isBeingDeleted(resource))
    await assertAwaited({ streams, plan, known, wishes: wishesOf(resource), decision, text });
  const live = new Set((await liveStages(kube, place)).map(({ name }) => name));
  const remembered = { earlier: await keptPlans(kube, place), isLive: (stage: string) => live.has(stage) };
  const act = { streams, opSeq, clock, release, replicas, cluster, known, ...remembered };
  return changedIn(known, await carryOut(act, plan, decision));
}

/** A4. A position is waited for as long as a slot asks (A2), a stream as long as it counts as lost. */
async function assertAwaited({
  streams,
  plan,
  known,
  wishes: { deletionPolicy = 'Drain' },
  decision: { number },
  text,
}: {
  readonly streams: JetStreamPort;
  readonly plan: Plan;
  readonly known: readonly StreamStatus[];
  readonly wishes: ReturnType<typeof wishesOf>;
  readonly decision: Decision;
  readonly text: string;
}): Promise<void> {
  const refused = (problem: string) => mr('MR_DECISION_REFUSED', { decision: text, problem });
  if (deletionPolicy !== 'Drain') {
    throw refused(`the pipeline is being deleted with \`deletionPolicy: ${deletionPolicy}\`, which waits for nothing`);
  }
  if (number === 'lost' && lostOf(plan, known, await streamsFound(streams, plan)) === undefined) {
    throw refused('the pipeline is being deleted, and waits for no stream');
  }
}

/** Applies whichever operation runs: the outcome of a decision does not come from an operation. */
async function note(
  { kube, clock }: ActivityDependencies,
  pipeline: PipelineRef,
  resource: KubeObject,
  { decision, streams = [] }: Outcome,
): Promise<void> {
  const target = { pipeline, generation: resource.metadata.generation ?? 0 };
  await updateStatus(kube, clock, target, (own) => ({ decision, ...withChanged(own.streams, streams) }));
}

function refusedText(decision: string, problem: string): string {
  return mr('MR_DECISION_REFUSED', { decision, problem: problem.replace(/\.$/, '') }).sentence;
}

async function say(
  deps: ActivityDependencies,
  pipeline: PipelineRef,
  resource: KubeObject,
  outcome: Outcome,
): Promise<void> {
  const { decision } = outcome;
  // In one write: a later attempt finds both, or neither.
  await note(deps, pipeline, resource, outcome);
  const { text, problem } = decision;
  const event =
    problem === undefined
      ? ({ type: 'Normal', reason: 'Decided', note: `Decision "${text}" is carried out.` } as const)
      : ({ type: 'Warning', reason: 'DecisionRefused', note: refusedText(text, problem) } as const);
  await tellEvent(deps, pipeline, { ...event, action: 'decide' }, text);
}
