/**
 * Makes the cluster what the plan of one generation says: the body of provision, reconfigure, repair and resume.
 *
 * O1  Sinks are ready before ingestors start, so that nothing is read that could not be written.
 * O2  Everything that a plan needs is stored and registered before its pods start; the plan takes effect when they run
 *     (E9, E10).
 * O3  Every step may have been carried out before, by this operation or by one that was interrupted.
 * O4  The result of an earlier step (a namespace, a plan) may be removed while a later one waits for it: then the steps
 *     are repeated, with growing pauses. So they are when a stage that was read to its end has to read on (L4 of
 *     `stream/retire.ts`).
 * O5  While the newest spec is refused, the plan in force is applied as it was accepted; no revision is recorded.
 * O6  A removed stage or source is drained while the plan without it is in force for all others; with deletionPolicy
 *     Immediate it is removed at once, before the plan is announced.
 * O7  A step that waits for a person looks again as soon as it is told that something has changed.
 * O8  A step that refuses the spec undoes what only the steps before it have stored, because the newest stored plan
 *     counts as the one in force (O5).
 */
import { CancellationScope, isCancellation, log, patched, setHandler, sleep } from '@temporalio/workflow';
import type { LiveStage, SpecSummary, StageSummary } from '../model/lifecycle.ts';
import { cut } from '../model/text.ts';
import { run } from './activities.ts';
import { failureOf, refusesSpec } from './failure.ts';
import { referencedChanged } from './messages.ts';
import {
  actsOf,
  readable,
  sayBegun,
  sayDone,
  sentence,
  type OperationInput,
  type OperationResult,
} from './operation.ts';
import { drainSinks, runToDrain, stopStages } from './stop-stages.ts';
import { together } from './together.ts';

const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
/** Temporal takes 400 bytes. */
const maxSummary = 200;

export async function converge(input: OperationInput): Promise<OperationResult> {
  const { generation, pipeline } = input;
  if (input.refused === true) return convergeInForce(input);
  const spec = await run('fetchSpec', sentence('read the spec', generation), { pipeline });
  if (spec.generation !== generation) return { is: 'superseded', generation: spec.generation };
  await sayBegun(input);
  const result = keepsStill(input) ? {} : await applyUntilItHolds(input, spec);
  const act = actsOf(input, spec);
  const { revision } = await run('recordRevision', ...act('record the revision'));
  await sayDone(input, { ...result, revision });
  return { is: 'done', generation };
}

/** O5. */
async function convergeInForce(input: OperationInput): Promise<OperationResult> {
  const { generation, pipeline } = input;
  const spec = await run('fetchSpec', sentence('read the plan in force', generation), { pipeline, plan: 'inForce' });
  await sayBegun(input);
  const result = await applyUntilItHolds({ ...input, generation: spec.generation }, spec);
  await sayDone(input, result);
  return { is: 'done', generation };
}

/** An edit of a pipeline that stays paused or stopped: its objects change when it is resumed. */
function keepsStill({ kind, desired }: OperationInput): boolean {
  return kind === 'reconfigure' && desired !== 'Running';
}

/** O4. */
async function applyUntilItHolds(input: OperationInput, spec: SpecSummary) {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, maxPauseMs)) {
    try {
      return await applyEverything(input, spec);
    } catch (error) {
      const { code, message } = failureOf(error);
      if (refusesSpec(code, input.kind) && input.refused === undefined && patched('refused-leaves-nothing'))
        await takeBack(input, spec);
      if (!isOvertaken(code)) throw error;
      await sleep(pauseMs, { summary: cut(`before the steps begin again: ${message}`, maxSummary) });
    }
  }
}

/** O4. */
function isOvertaken(code: string): boolean {
  return code === 'MR_OBJECT_VANISHED' || code === 'MR_STAGE_BEHIND_AGAIN';
}

/** O8. A failure here must not hide why the spec is refused; the next operation removes what is left. */
async function takeBack(input: OperationInput, spec: SpecSummary): Promise<void> {
  try {
    await run('takeBackPlan', ...actsOf(input, spec)('take back what was stored of the spec'));
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('what was stored of a refused spec stays until the next operation', { problem: failureOf(error).message });
  }
}

async function applyEverything(input: OperationInput, spec: SpecSummary) {
  const act = actsOf(input, spec);

  const where =
    spec.isolation === 'Namespace' ? `ensure namespace ${spec.workloadNamespace}` : 'ensure account and network policy';
  await run('ensureNamespace', ...act(where));
  await copyCredentials(act);
  const live = await run('listStages', ...act('list live stages'));
  const removed = live.filter(({ name }) => !spec.stages.some((stage) => stage.name === name));
  // Runs from before frames named their plan: to remove a stage, everything stops and drains.
  const isByFrame = patched('plan-in-frames');
  const readsToEnd = spec.deletionPolicy === 'Drain';
  if (!isByFrame && removed.length > 0 && readsToEnd) {
    await stopStages(
      input,
      spec,
      live.filter(({ kind }) => kind === 'ingestor'),
    );
    await drainSinks(input, spec, live, 'drainedOrImmediate');
  }
  await run('applyPlan', ...act('apply the plan'));
  await run('ensureStreams', ...act('ensure streams'));
  if (isByFrame && removed.length > 0 && !readsToEnd) {
    await stopStages(input, spec, removed);
    await run('retireStages', ...act('discard what removed stages have not read'));
  }

  const sinks = await roll(
    input,
    spec,
    spec.stages.filter(({ kind }) => kind === 'sink'),
  );
  const ingestors = await roll(
    input,
    spec,
    spec.stages.filter(({ kind }) => kind === 'ingestor'),
  );

  const planInForce = isByFrame ? await comeIntoForce(input, spec, readsToEnd ? removed : []) : undefined;

  const keep = spec.stages.map(({ name }) => name);
  const what =
    removed.length === 0 ? 'remove old plans' : `remove ${removed.map(({ name }) => readable(name)).join(', ')}`;
  await run('pruneStages', ...act(what, { keep }));
  return { stages: [...ingestors, ...sinks], ...(planInForce === undefined ? {} : { planInForce }) };
}

/** O7: a signal ends the pause between two attempts. */
async function copyCredentials(act: ReturnType<typeof actsOf>): Promise<void> {
  for (;;) {
    const attempts = new CancellationScope();
    setHandler(referencedChanged, () => attempts.cancel(), {
      description: 'A Secret or ConfigMap that the spec refers to changed; look whether it is what is waited for.',
    });
    try {
      await attempts.run(() => run('copyCredentials', ...act('copy credentials')));
      return;
    } catch (error) {
      const isWoken = attempts.consideredCancelled && !CancellationScope.current().consideredCancelled;
      if (!isCancellation(error) || !isWoken) throw error;
    }
  }
}

/** The plan takes effect at one frame of each writer; then removed stages read to that frame and are taken down. */
async function comeIntoForce(input: OperationInput, spec: SpecSummary, removed: readonly LiveStage[]) {
  const act = actsOf(input, spec);
  const sources = removed.filter(({ kind }) => kind === 'ingestor');
  const sinks = removed.filter(({ kind }) => kind === 'sink');
  // The writers of removed sources would name a plan that does not include them.
  await stopStages(input, spec, sources);
  // Before any wait: an edge full of frames that they have not read has no room for a frame that names the plan.
  await runToDrain(input, spec, sinks);
  const planInForce = await run('announcePlan', ...act('announce the plan'));
  if (removed.length > 0) {
    const wait = `wait until ${removed.map(({ name }) => readable(name)).join(', ')} is read to the end`;
    await run('waitRetired', ...act(wait));
    await stopStages(input, spec, sinks);
  }
  const forget = removed.length === 0 ? 'remove plans that are no longer needed' : 'unregister removed stages';
  await run('retireStages', ...act(forget));
  return planInForce;
}

/** Applies stages of one kind in parallel, and waits for each until its pods are ready. */
async function roll(input: OperationInput, spec: SpecSummary, stages: readonly StageSummary[]) {
  const act = actsOf(input, spec);
  return together(
    stages.map(({ name, replicas: wanted }) => async () => {
      const replicas = input.desired === 'Running' ? wanted : 0;
      await run('applyStage', ...act(`apply ${readable(name)}`, { stage: name, replicas }));
      await run('waitStage', ...act(`wait for ${readable(name)}`, { stage: name, replicas }));
      return { name, replicas };
    }),
  );
}
