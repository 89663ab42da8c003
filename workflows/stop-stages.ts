/** Stops stages, and lets sinks write what was read before they are stopped. */
import type { LiveStage } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { actsOf, readable, type OperationInput, type Place } from './operation.ts';
import { together } from './together.ts';

/** Takes the pods of stages away and waits until they are gone: only then is it true that nothing is read or written. */
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

/** The sinks of a paused pipeline have no pods: without any, nothing would ever be written. */
export async function runToDrain(input: OperationInput, at: Place, sinks: readonly LiveStage[]): Promise<void> {
  const act = actsOf(input, at);
  for (const { name } of sinks.filter(({ wanted }) => wanted === 0)) {
    await run('scaleStage', ...act(`run ${readable(name)} to drain`, { stage: name, replicas: 1 }));
  }
}

/** With no ingestor left: waits until every sink has written what is in the edges. */
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
  await run('waitDrained', ...act('wait until what was read is written', { until }));
}
