/** Stops stages, and lets sinks write what was read before they are stopped. */
import type { LiveStage, Location, SpecSummary } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { readable, sentence, stepOf, type OperationInput } from './operation.ts';
import { together } from './together.ts';

type Place = Pick<SpecSummary | Location, 'workloadNamespace' | 'isolation'>;

/** Takes the pods of stages away and waits until they are gone: only then is it true that nothing is read or written. */
export async function stopStages(
  input: OperationInput,
  at: Place,
  stages: readonly Pick<LiveStage, 'name'>[],
): Promise<void> {
  const step = stepOf(input, at);
  const say = (what: string) => sentence(what, input.generation);
  await together(
    stages.map(({ name }) => async () => {
      const stop = `stop ${readable(name)}`;
      await run('scaleStage', say(stop), { ...step(stop), stage: name, replicas: 0 });
      const wait = `wait until ${readable(name)} is gone`;
      await run('waitStageGone', say(wait), { ...step(wait), stage: name });
    }),
  );
}

/** The sinks of a paused pipeline have no pods: without any, nothing would ever be written. */
export async function runToDrain(input: OperationInput, at: Place, sinks: readonly LiveStage[]): Promise<void> {
  const step = stepOf(input, at);
  for (const { name } of sinks.filter(({ wanted }) => wanted === 0)) {
    const what = `run ${readable(name)} to drain`;
    await run('scaleStage', sentence(what, input.generation), { ...step(what), stage: name, replicas: 1 });
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
  const step = stepOf(input, at);
  const say = (what: string) => sentence(what, input.generation);
  await runToDrain(input, at, sinks);
  const what = 'wait until what was read is written';
  await run('waitDrained', say(what), { ...step(what), until });
}
