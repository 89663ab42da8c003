/**
 * Pause and stop, and the repair of a pipeline that should stand still.
 *
 * Paused: everything stops at once; when the operation is done no pod is left that could write a row.
 * Stopped: sources stop, the sinks write what was read, then the sinks stop.
 */
import { run } from './activities.ts';
import { begin, sentence, stepOf, succeed, type OperationInput, type OperationResult } from './operation.ts';
import { drainSinks, stopStages } from './stop-stages.ts';

export async function haltPipeline(input: OperationInput): Promise<OperationResult> {
  const { generation } = input;
  const spec = await run('fetchSpec', sentence('read the spec', generation), { pipeline: input.pipeline });
  if (spec.generation !== generation) return { is: 'superseded', generation: spec.generation };
  await begin(input);
  const step = stepOf(input, spec);
  const live = await run('listStages', sentence('list live stages', generation), step('list live stages'));

  if (input.kind === 'stop') {
    await stopStages(
      input,
      spec,
      live.filter(({ kind }) => kind === 'ingestor'),
    );
    await drainSinks(input, spec, live, 'drained');
  }
  await stopStages(input, spec, live);

  const { revision } = await run(
    'recordRevision',
    sentence('record the revision', generation),
    step('record the revision'),
  );
  await succeed(input, { revision, stages: live.map(({ name }) => ({ name, replicas: 0 })) });
  return { is: 'done', generation };
}
