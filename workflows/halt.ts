/**
 * Pause and stop, and the repair of a pipeline that should stand still.
 *
 * Paused: everything stops at once; when the operation is done no pod is left that could write a row.
 * Stopped: sources stop, the sinks write what was read, then the sinks stop.
 *
 * Neither needs a valid spec: by one that is refused, a pipeline can be paused and stopped all the same.
 */
import type { Location, SpecSummary } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { begin, refOf, sentence, stepOf, succeed, type OperationInput, type OperationResult } from './operation.ts';
import { drainSinks, stopStages } from './stop-stages.ts';

export async function haltPipeline(input: OperationInput): Promise<OperationResult> {
  const { generation } = input;
  const at = await placeOf(input);
  if (at.generation !== generation && input.refused === undefined) {
    return { is: 'superseded', generation: at.generation };
  }
  await begin(input);
  const step = stepOf(input, at);
  const live = await run('listStages', sentence('list live stages', generation), step('list live stages'));

  if (input.kind === 'stop') {
    await stopStages(
      input,
      at,
      live.filter(({ kind }) => kind === 'ingestor'),
    );
    await drainSinks(input, at, live, 'drained');
  }
  await stopStages(input, at, live);

  const stages = live.map(({ name }) => ({ name, replicas: 0 }));
  if (input.refused === true) {
    await succeed(input, { stages });
  } else {
    const what = 'record the revision';
    const { revision } = await run('recordRevision', sentence(what, generation), step(what));
    await succeed(input, { revision, stages });
  }
  return { is: 'done', generation };
}

type Place = Pick<SpecSummary | Location, 'generation' | 'isolation' | 'workloadNamespace'>;

function placeOf(input: OperationInput): Promise<Place> {
  const { generation, pipeline } = input;
  if (input.refused === undefined) return run('fetchSpec', sentence('read the spec', generation), { pipeline });
  const what = 'find what there is';
  return run('locatePipeline', sentence(what, generation), { op: refOf(input), step: what });
}
