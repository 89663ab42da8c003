/**
 * Pause and stop, and the repair of a pipeline that should be paused or stopped.
 *
 * Paused: everything stops at once; after the operation no pod is left that could write a row.
 * Stopped: sources stop, the sinks write what was read, then the sinks stop.
 *
 * Neither needs a valid spec: a refused one can still pause or stop the pipeline.
 */
import { patched } from '@temporalio/workflow';
import type { LiveStage, Location, SpecSummary } from '../model/lifecycle.ts';
import { givesUp } from '../model/plan.ts';
import { run } from './activities.ts';
import { actsOf, refOf, sayBegun, sayDone, sentence, type OperationInput, type OperationResult } from './operation.ts';
import { drainSinks, stopStages } from './stop-stages.ts';

export async function haltPipeline(input: OperationInput): Promise<OperationResult> {
  const { generation } = input;
  const at = await placeOf(input);
  if (at.generation !== generation && input.refused === undefined) {
    return { is: 'superseded', generation: at.generation };
  }
  await sayBegun(input);
  const act = actsOf(input, at);
  const live = await run('listStages', ...act('list live stages'));

  if (input.kind === 'stop') {
    const ingestors = live.filter(({ kind }) => kind === 'ingestor');
    await stopStages(input, at, ingestors);
    // What the spec gives up is neither started for its records nor waited for; a later operation takes it off.
    const isGivenUp = ({ name }: LiveStage) => 'stages' in at && givesUp(at, name) && patched('stop-gives-up');
    const kept = live.filter((stage) => !isGivenUp(stage));
    await drainSinks(input, at, kept, 'drained');
  }
  await stopStages(input, at, live);

  const stages = live.map(({ name }) => ({ name, replicas: 0 }));
  if (input.refused === true) {
    await sayDone(input, { stages });
  } else {
    const { revision } = await run('recordRevision', ...act('record the revision'));
    await sayDone(input, { revision, stages });
  }
  return { is: 'done', generation };
}

/** From the spec; from the cluster when the spec is refused. */
function placeOf(input: OperationInput): Promise<SpecSummary | Location> {
  const { generation, pipeline } = input;
  if (input.refused === undefined) return run('fetchSpec', sentence('read the spec', generation), { pipeline });
  const what = 'find what there is';
  return run('locatePipeline', sentence(what, generation), { op: refOf(input), step: what });
}
