/** Stops stages, and lets sinks write what was read before they are stopped. */
import type { LiveStage } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { actsOf, readable, type OperationInput, type Place } from './operation.ts';
import { together } from './together.ts';

/** Removes the pods of stages and waits until they are gone: only then nothing is read or written any more. */
export async function stopStages(
  input: OperationInput,
  at: Place,
  stages: readonly Pick<LiveStage, 'name'>[],
): Promise<void> {
  const act = actsOf(input, at);
  await together(
    stages.map(({ name }) => async () => {
      await run('scaleStage', ...act(`stop ${readable(name)}`, { stage: name, replicas: 0 }));
      await run('waitStageGone', ...act(`wait until ${readable(name)} is gone`, { stage: name }));
    }),
  );
}

/** Starts the sinks of a paused pipeline, which has no pods, so that they can drain the edges. */
export async function runToDrain(input: OperationInput, at: Place, sinks: readonly LiveStage[]): Promise<void> {
  const act = actsOf(input, at);
  for (const { name } of sinks.filter(({ wanted }) => wanted === 0)) {
    await run('scaleStage', ...act(`run ${readable(name)} to drain`, { stage: name, replicas: 1 }));
  }
}

/** Waits until the sinks of `live` have written what is in the edges. No ingestor may run. */
export async function drainSinks(
  input: OperationInput,
  at: Place,
  live: readonly LiveStage[],
  until: 'drained' | 'drainedOrImmediate',
): Promise<void> {
  const sinks = live.filter(({ kind }) => kind === 'sink');
  if (sinks.length === 0) return;
  const act = actsOf(input, at);
  await runToDrain(input, at, sinks);
  await run(
    'waitDrained',
    ...act('wait until what was read is written', { until, sinks: sinks.map(({ name }) => name) }),
  );
}
