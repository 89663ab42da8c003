/** One pipeline through every operation, as histories: what a change of the workflows must still replay. */
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { eventually } from '../support/eventually.ts';
import type { EntityRun } from './entity-run.ts';

export interface Recorded {
  /** `entity`, `2-reconfigure-g2`, … */
  readonly name: string;
  readonly id: string;
  readonly history: History;
}

const operations = [
  '1-provision-g1',
  '2-reconfigure-g2',
  '3-repair-g2',
  '4-pause-g3',
  '5-resume-g4',
  '6-stop-g5',
  '7-teardown-g6',
];

/** The entity and its operations over the whole life of a pipeline, and the entity cut in the middle of an operation. */
export async function recordWholeCycle(run: EntityRun): Promise<{ whole: Recorded[]; cut: Recorded }> {
  await run.provision();
  await change(run, {}, 'Running');
  await run.handle.signal('driftDetected', { what: 'The Deployment of sink-warehouse was deleted.' });
  await run.until(({ history }) => history.length === 3);
  await change(run, { desiredState: 'Paused' }, 'Paused');
  run.world.hold('waitStage');
  run.world.edit({ desiredState: 'Running' });
  await run.signal();
  await eventually(() => run.world.calls.lastIndexOf('waitStage') > run.world.calls.lastIndexOf('scaleStage'));
  const cut = { name: 'entity-cut', id: run.id, history: await run.handle.fetchHistory() };
  run.world.release('waitStage');
  await run.untilReached('Running');
  await change(run, { desiredState: 'Stopped' }, 'Stopped');
  run.world.edit({ deleting: true });
  await run.signal(true);
  await run.handle.result();
  const { workflow } = run.temporal.client;
  const whole = ['entity', ...operations].map(async (name) => {
    const id = name === 'entity' ? run.id : `${run.id}/op/${name}`;
    return { name, id, history: await workflow.getHandle(id).fetchHistory() };
  });
  return { whole: await Promise.all(whole), cut };
}

async function change(
  run: EntityRun,
  edit: Parameters<EntityRun['world']['edit']>[0],
  reached: 'Running' | 'Paused' | 'Stopped',
): Promise<void> {
  run.world.edit(edit);
  await run.signal();
  await run.untilReached(reached);
}
