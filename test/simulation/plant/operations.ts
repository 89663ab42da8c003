/**
 * What the lifecycle's operations do to streams and pods, step by step, in the order of workflows/converge.ts,
 * workflows/halt.ts and workflows/teardown.ts; each step does what the activity of its name does (activities/streams), by the same functions.
 */
import { askedBy } from '../../../activities/streams/open-questions.ts';
import { MillraceError } from '../../../model/errors.ts';
import { nameFor, namingOf } from '../../../stream/announce.ts';
import { lostOf, streamsFound } from '../../../stream/carry-out.ts';
import type { Act } from '../../../stream/act.ts';
import { registerPlan } from '../../../stream/members.ts';
import { passOverAll } from '../../../stream/pass-over.ts';
import { registerWriters } from '../../../stream/register-writers.ts';
import { announcePlan } from '../../../stream/plan-store.ts';
import {
  beginLeaving,
  finishLeaving,
  leavingOf,
  prunePlans,
  stoppedBehind,
  unfinished,
} from '../../../stream/retire.ts';
import { isDrained, type Backlog } from '../../../stream/drained.ts';
import {
  deletePipelineStreams,
  ensureSharedStreams,
  forgetLeasesAndReports,
  makePipelineStreams,
  pipelineStreamsExist,
} from '../../../stream/streams.ts';
import type { OperationKind } from '../../../model/operations.ts';
import type { Plan } from '../../../model/plan.ts';
import { checkDeparture } from '../check/departure.ts';
import type { Plant } from './plant.ts';
import type { Shape } from './shape.ts';

export interface Steps {
  readonly plant: Plant;
  readonly plan: Plan;
  readonly shape: Shape;
  /** One activity: done again until it succeeds, perhaps by another process while the first still runs. */
  step<T>(what: string, act: (act: Act) => Promise<T>): Promise<T>;
  /** A step that looks until it sees what it waits for. */
  wait(what: string, look: (act: Act, waitedMs: number) => Promise<boolean>): Promise<void>;
}

const patienceMs = 3_000;

export function carryOut(kind: OperationKind, steps: Steps): Promise<void> {
  if (kind === 'pause') return halt(steps);
  if (kind === 'stop') return haltDrained(steps);
  if (kind === 'teardown') return tearDown(steps);
  return converge(steps);
}

async function converge(steps: Steps): Promise<void> {
  while ((await convergeOnce(steps)) === 'again');
}

/** `again`: a stage that was read to its end and stopped must be started once more (L4 of stream/retire.ts). */
type Outcome = 'done' | 'again';

async function convergeOnce(steps: Steps): Promise<Outcome> {
  const { plant, plan, shape } = steps;
  const { cluster } = plant;
  // A spec that is edited while it stands still: objects change when it is resumed.
  if (shape.desiredState !== 'Running') return 'done';
  const removed = cluster.stages.filter((name) => !plan.stages.some((stage) => stage.name === name));
  const drains = shape.deletionPolicy === 'Drain';
  plant.lifecycle.stored = plan;
  await steps.step('ensure streams', async (act) => {
    const replicas = plant.scenario.copies;
    await ensureSharedStreams(act.streams, { replicas });
    const lost = lostOf(plan, plant.lifecycle.known, await streamsFound(act.streams, plan));
    if (lost !== undefined) throw lost;
    await makePipelineStreams(act.streams, plan, { replicas, cluster: 'sim' });
    await registerPlan(act, plan);
    plant.lifecycle.known = await streamsFound(act.streams, plan);
  });
  if (removed.length > 0 && !drains) {
    await stop(steps, removed);
    plant.giveUp(removed);
    if ((await retire(steps)) === 'again') return 'again';
  }
  await roll(steps, 'sink');
  await roll(steps, 'ingestor');
  if ((await comeIntoForce(steps, drains ? removed : [])) === 'again') return 'again';
  for (const name of removed) cluster.forget(name);
  return 'done';
}

async function comeIntoForce(steps: Steps, removed: readonly string[]): Promise<Outcome> {
  const { plant, plan } = steps;
  const sinks = removed.filter((name) => name.startsWith('sink-'));
  await stop(
    steps,
    removed.filter((name) => name.startsWith('ingestor-')),
  );
  runToDrain(plant, sinks);
  await steps.step('announce the plan', async (act) => {
    await registerWriters(act, plan);
    await announcePlan(act.streams, plan);
  });
  await steps.wait('announce the plan', async (act, waitedMs) => {
    const { behind } = await namingOf(act.streams, plan);
    if (behind.length === 0) return true;
    if (waitedMs > patienceMs) for (const tail of behind) await nameFor(act, tail, plan);
    return false;
  });
  plant.witness.isInForce(plan);
  if (removed.length > 0) {
    await steps.step('begin to take off', (act) => beginLeaving(act, plan));
    if ((await readToTheEnd(steps, lookAtLeaving(steps))) === 'again') return 'again';
    await stop(steps, sinks);
  }
  return retire(steps);
}

type Look = (act: Act) => Promise<Outcome | undefined>;

/** Undefined: it waits for who leaves, who has to read or, with pods that would act upon an answer, to ask. */
function lookAtLeaving({ plan, plant: { cluster, lifecycle } }: Steps): Look {
  const isStopped = (stage: string) => cluster.stages.includes(stage) && cluster.wantedOf(stage) === 0;
  return async ({ streams }) => {
    const { readers } = await leavingOf(streams, plan);
    const mayAct = (stage: string) => readers.includes(stage) && cluster.wantedOf(stage) > 0;
    // Before the positions, as the activity does: who acts upon an answer in between may have to read again.
    const asked = await askedBy(streams, plan, mayAct);
    const behind = await unfinished(streams, plan);
    const isNobody = ({ stage }: Backlog) => readers.includes(stage) && !cluster.stages.includes(stage);
    lifecycle.waitsForNobody = behind.find(isNobody)?.stage;
    if (stoppedBehind(behind, readers, isStopped) !== undefined) return 'again';
    return asked === undefined && behind.length === 0 ? 'done' : undefined;
  };
}

async function readToTheEnd({ wait }: Steps, look: Look): Promise<Outcome> {
  const seen: { outcome?: Outcome | undefined } = {};
  await wait('read to the end', async (act) => {
    seen.outcome = await look(act);
    return seen.outcome !== undefined;
  });
  return seen.outcome ?? 'done';
}

/** With Drain it is read to its end first, whatever the cluster shows of it. */
async function retire(steps: Steps): Promise<Outcome> {
  const { plant, step, plan } = steps;
  const look = lookAtLeaving(steps);
  for (;;) {
    let isGivenUp = false;
    const outcome = await readToTheEnd(steps, async (act) => {
      isGivenUp = plant.lifecycle.resource.deletionPolicy !== 'Drain';
      if (isGivenUp) return 'done';
      await beginLeaving(act, plan);
      return look(act);
    });
    if (outcome === 'again') return 'again';
    const seen = { isTakenOff: false };
    await step('take off', async (act) => {
      seen.isTakenOff = await finishLeaving(act, plan, { isGivenUp }).then(() => true, unlessWroteAgain);
      if (!seen.isTakenOff) return;
      // At once: an edit that adds the sink again may come before this operation ends (seed 14019051).
      for (const name of plant.cluster.stages)
        if (!plan.stages.some((stage) => stage.name === name)) plant.takenOff(name.replace('sink-', ''));
      await prunePlans(act.streams, plan);
    });
    if (seen.isTakenOff) return 'done';
  }
}

/** The activity is tried again, and begins with its look. */
function unlessWroteAgain(error: unknown): false {
  if (error instanceof MillraceError && error.code === 'MR_SOURCE_WROTE_AGAIN') return false;
  throw error;
}

async function roll(steps: Steps, kind: 'sink' | 'ingestor'): Promise<void> {
  const { plant, plan } = steps;
  const stages = plan.stages.filter((stage) => stage.kind === kind);
  for (const { name, replicas } of stages) plant.cluster.apply(name, plan, replicas);
  await steps.wait(`roll ${kind}s`, () => Promise.resolve(stages.every(({ name }) => plant.cluster.isRolled(name))));
}

async function stop(steps: Steps, stages: readonly string[]): Promise<void> {
  const { cluster } = steps.plant;
  if (stages.length === 0) return;
  for (const name of stages) cluster.scale(name, 0);
  await steps.wait(`stop ${stages.join(', ')}`, () => Promise.resolve(stages.every((name) => cluster.isGone(name))));
}

function runToDrain({ cluster }: Plant, sinks: readonly string[]): void {
  for (const name of sinks) if (cluster.wantedOf(name) === 0) cluster.scale(name, 1);
}

/** Paused: no pod is left that could write a row. */
async function halt(steps: Steps): Promise<void> {
  await stop(steps, steps.plant.cluster.stages);
}

/** Stopped: sources stop, the sinks write what was read, then the sinks stop. */
async function haltDrained(steps: Steps): Promise<void> {
  const { plant, plan } = steps;
  const { stages } = plant.cluster;
  const sinks = stages.filter((name) => name.startsWith('sink-'));
  await stop(
    steps,
    stages.filter((name) => name.startsWith('ingestor-')),
  );
  runToDrain(plant, sinks);
  const newest = plant.lifecycle.applied ?? plan;
  await steps.wait('drain', async ({ streams }) => {
    await passOverAll(streams, newest);
    return (await isDrained(streams, newest, { stage: (name) => plant.cluster.stages.includes(name) })).drained;
  });
  await stop(steps, sinks);
}

/** Deleted: as stopped, with what was read given up when that is wanted; then nothing of it stays. */
async function tearDown(steps: Steps): Promise<void> {
  const { plant } = steps;
  const { cluster, lifecycle, pid, uid } = plant;
  const isLeftover = !lifecycle.isThere;
  const policy = await steps.step('find what there is', () => {
    return Promise.resolve(isLeftover ? 'Immediate' : lifecycle.resource.deletionPolicy);
  });
  const { stages } = cluster;
  const sinks = stages.filter((name) => name.startsWith('sink-'));
  await stop(
    steps,
    stages.filter((name) => name.startsWith('ingestor-')),
  );
  plant.ledger.haveSourcesStopped = true;
  const isDrained = policy === 'Drain' && (await drainUnlessImmediate(steps, sinks));
  await stop(steps, sinks);
  if (!isLeftover) checkDeparture(plant, isDrained);
  await steps.step('delete streams', async ({ streams }) => {
    await deletePipelineStreams(streams, { pid, uid, adopts: false });
  });
  // With the namespace go the plans that were stored in it.
  for (const name of cluster.stages) cluster.forget(name);
  lifecycle.stored = undefined;
  await steps.step('forget leases and reports', ({ streams }) =>
    forgetLeasesAndReports(streams, { pid, uid, adopts: false }),
  );
}

/** Whether it is drained: without it the person has given up what is left. */
async function drainUnlessImmediate(steps: Steps, sinks: readonly string[]): Promise<boolean> {
  const { lifecycle, cluster } = steps.plant;
  if (sinks.length === 0) return true;
  runToDrain(steps.plant, sinks);
  let isGivenUp = false;
  await steps.wait('drain', async ({ streams }) => {
    const { stored } = lifecycle;
    if (stored === undefined) return true;
    isGivenUp = lifecycle.resource.deletionPolicy !== 'Drain';
    if (isGivenUp) return true;
    // A person decides, or gives the records up.
    if (lostOf(stored, lifecycle.known, await streamsFound(streams, stored)) !== undefined) return false;
    if (!(await pipelineStreamsExist(streams, stored))) return true;
    const isLive = (name: string) => cluster.stages.includes(name);
    await passOverAll(streams, stored);
    return (
      (await askedBy(streams, stored, (name) => sinks.includes(name) && isLive(name))) === undefined &&
      (await isDrained(streams, stored, { stage: isLive })).drained
    );
  });
  return !isGivenUp;
}
