/**
 * Carries out a person's decision on the streams. The lifecycle runs it, and may repeat it after an interruption anywhere.
 *
 * C1  A decision about positions is only recorded: the slots that wait for it act on it (`./decisions.ts`).
 * C2  A decision about a lost stream recreates the stream and registers the new one; until then every slot waits. A
 *     stream that exists and is the registered one is never touched. `./lost-stream.ts` says which streams are lost.
 * C3  A sink that is no longer in the plan reads to its end (`./retire.ts`, L2), and may ask until it is removed.
 */
import { decisionText, tokenOf, type Decision } from '../model/decision.ts';
import { mr, type MillraceError } from '../model/errors.ts';
import { commitsEdge, deadEdge, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import type { StreamStatus } from '../model/status.ts';
import { noteDecision } from './decisions.ts';
import { findStream } from './find-stream.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { endsOf, saidOf, saysEnds } from './edge-ends.ts';
import type { Act } from './act.ts';
import { firstFrames } from './register-writers.ts';
import { registerAgain, type Remembered } from './register-again.ts';
import { changeRegistry, readRegistry } from './registry.ts';
import { leavingOf } from './retire.ts';
import { firstLost, isLost, lostStream } from './lost-stream.ts';
import { makePipelineStreams, pipelineStreams } from './streams.ts';

export interface DecisionAct extends Act, Remembered {
  readonly replicas: number;
  /** uid of the cluster that the pipeline is in. */
  readonly cluster: string;
  /** The streams, as the status names them. */
  readonly known: readonly StreamStatus[];
}

/** Resolves with the streams that the status must name from now on. Throws MR_DECISION_REFUSED. */
export async function carryOut(act: DecisionAct, plan: Plan, decision: Decision): Promise<readonly StreamStatus[]> {
  const { pid } = plan.pipeline;
  const { scope, number } = decision;
  const isStream = scope === commitsEdge || scope === deadEdge || plan.edges.some(({ name }) => name === scope);
  if (scope !== commitsEdge && (await isToRestore(act, plan, commitsEdge))) {
    const token = tokenOf({ scope: commitsEdge, number: 'lost' });
    throw refused(decision, `stream ${edgeStream(pid, commitsEdge)} is lost, and ${token} is to be decided first`);
  }
  if (!isStream && !plan.stages.some(({ name }) => name === scope) && !(await isLeaving(act, plan, scope))) {
    throw refused(decision, `pipeline ${plan.pipeline.name} has no edge and no stage ${scope}`);
  }
  if (number === 'lost') {
    if (!isStream) throw refused(decision, `${scope} is not a stream that could be gone`);
    if (await isToRestore(act, plan, scope)) await restore(act, plan, decision);
    else await assertRestored(act, pid, decision);
    return knownAfter(act, plan, scope);
  }
  const isNoted = await noteDecision(act.streams, plan, decision);
  if (!isNoted) throw refused(decision, 'no slot asks for it: it was taken already, or nothing is lost');
  return act.known;
}

/** Streams that are still lost stay in the status, so that only a decision recreates them. */
async function knownAfter({ streams, known }: DecisionAct, plan: Plan, scope: string): Promise<StreamStatus[]> {
  const found = await streamsFound(streams, plan);
  if (scope === commitsEdge) return found;
  const restored = edgeStream(plan.pipeline.pid, scope);
  const others = known.filter(({ name }) => name !== restored);
  return [...others, ...found.filter(({ name }) => name === restored)];
}

/** C3 */
async function isLeaving({ streams }: Act, plan: Plan, scope: string): Promise<boolean> {
  return (await leavingOf(streams, plan)).readers.includes(scope);
}

/** Those streams of the plan that exist. */
export async function streamsFound(streams: JetStreamPort, plan: Plan): Promise<StreamStatus[]> {
  const found: StreamStatus[] = [];
  for (const { name } of pipelineStreams(plan)) {
    const info = await findStream(streams, name);
    if (info !== undefined) found.push({ name, created: info.created });
  }
  return found;
}

/**
 * The first stream of the status that is missing or was recreated by somebody else: only a decision lets the pipeline
 * continue with another.
 */
export function lostOf(
  plan: Plan,
  known: readonly StreamStatus[],
  found: readonly StreamStatus[],
): MillraceError | undefined {
  const { pipeline } = plan;
  const isOfPlan = ({ name }: StreamStatus) => pipelineStreams(plan).some((one) => one.name === name);
  const lost = firstLost(pipeline.pid, known.filter(isOfPlan), found);
  return lost && lostStream(pipeline, lost);
}

/**
 * Streams that are lost by the status and by the registry. A recreated stream counts as lost until its decision is carried
 * out completely: the decision may have been interrupted before all participants were registered.
 */
async function isToRestore({ streams, known }: DecisionAct, plan: Plan, scope: string): Promise<boolean> {
  const { pid } = plan.pipeline;
  const name = edgeStream(pid, scope);
  const info = await findStream(streams, name);
  if (info === undefined) return true;
  const isEdge = plan.edges.some((edge) => edge.name === scope);
  const registered = isEdge ? (await readRegistry(streams, pid, scope))?.created : undefined;
  if (registered !== undefined) return isLost({ name, created: registered }, info.created);
  const before = known.find((one) => one.name === name);
  return before === undefined ? saysEnds(info.config) : isLost(before, info.created);
}

/** An earlier attempt recreated the stream and was interrupted before it could report it. */
async function assertRestored({ streams, known }: DecisionAct, pid: string, decision: Decision): Promise<void> {
  const name = edgeStream(pid, decision.scope);
  const info = await findStream(streams, name);
  const before = known.find((one) => one.name === name);
  if (before !== undefined && isLost(before, info?.created)) return;
  throw refused(decision, `stream ${name} is there, and is the one that was made for this pipeline`);
}

async function restore(act: DecisionAct, plan: Plan, decision: Decision): Promise<void> {
  const { streams, opSeq, replicas, cluster, clock } = act;
  // Microseconds since 1970: higher than any sequence an earlier stream can have reached; a safe integer until 2255.
  const options = { replicas, cluster, firstSequence: clock.now() * 1_000 };
  const { pid } = plan.pipeline;
  const { scope, choice } = decision;
  if (scope === commitsEdge) {
    const ends = await endsOf(streams, plan);
    await makePipelineStreams(streams, plan, { ...options, ofCommits: saidOf(ends) });
    await registerAgain(act, plan, { ...act, readFrom: choice === 'reread' ? 'start' : 'end', ends });
    return;
  }
  await makePipelineStreams(streams, plan, { ...options, only: scope });
  if (scope === deadEdge) return;
  await noteDecision(streams, plan, decision);
  await firstFrames(act, plan, scope);
  // If nobody is registered yet, registration will find the new stream.
  if ((await readRegistry(streams, pid, scope)) === undefined) return;
  const { created } = await streams.streamInfo(edgeStream(pid, scope));
  await changeRegistry(streams, { pid, edge: scope, opSeq }, (now) => {
    if (now === undefined) throw new TypeError('a registry is never taken back');
    return { ...now, created };
  });
}

function refused(decision: Decision, problem: string): MillraceError {
  return mr('MR_DECISION_REFUSED', { decision: decisionText(decision), problem });
}
