import assert from 'node:assert/strict';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/lifecycle/bundle.ts';
import { eventually } from '../support/eventually.ts';
import { EntityRun } from './entity-run.ts';

/** A replay only compares what is in the history: so these go through whole cycles, and are cut in the middle, too. */
describe('replay of recorded histories', function () {
  this.timeout(120_000);
  let run: EntityRun;
  let whole: { id: string; history: History }[];
  let cut: History;

  before(async () => {
    run = await EntityRun.start();
    await run.provision();
    run.world.edit({});
    await run.signal();
    await run.untilReached('Running');
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    run.world.hold('waitStage');
    run.world.edit({ desiredState: 'Running' });
    await run.signal();
    await eventually(() => run.world.calls.lastIndexOf('waitStage') > run.world.calls.lastIndexOf('scaleStage'));
    cut = await run.handle.fetchHistory();
    run.world.release('waitStage');
    await run.untilReached('Running');
    run.world.edit({ deleting: true });
    await run.signal(true);
    await run.handle.result();
    const ids = [
      run.id,
      ...['1-provision-g1', '2-reconfigure-g2', '3-pause-g3', '4-resume-g4', '5-teardown-g5'].map(
        (op) => `${run.id}/op/${op}`,
      ),
    ];
    whole = await Promise.all(
      ids.map(async (id) => ({ id, history: await run.temporal.client.workflow.getHandle(id).fetchHistory() })),
    );
  });
  after(() => run.stop());

  it('the entity and each operation of a full cycle replay', async () => {
    const codePath = await workflowBundle(new DefaultLogger('ERROR'));
    const histories = whole.map(({ id, history }) => ({ workflowId: id, history }));
    const failed: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, histories)) {
      if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
    }
    assert.deepEqual(failed, []);
  });

  it('an entity that is cut in the middle of an operation replays', async () => {
    const codePath = await workflowBundle(new DefaultLogger('ERROR'));
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, cut, run.id);
  });

  it('a history stored as JSON replays', async () => {
    const codePath = await workflowBundle(new DefaultLogger('ERROR'));
    const { historyToJSON } = await import('@temporalio/common/lib/proto-utils.js');
    const stored: unknown = JSON.parse(historyToJSON(cut));
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, stored, run.id);
  });

  it('a cycle costs the entity and its operations a bounded number of events', () => {
    const events: Record<string, number> = Object.fromEntries(
      whole.map(({ id, history }) => [id.split('/').at(-1) ?? '', history.events?.length ?? 0] as const),
    );
    const entity = whole[0]?.history.events?.length ?? 0;
    assert.ok(entity < 125, JSON.stringify(events));
    for (const { id, history } of whole.slice(1))
      assert.ok((history.events?.length ?? 0) < 120, `${id}: ${JSON.stringify(events)}`);
    if (process.env['MILLRACE_PRINT_EVENTS'] !== undefined) process.stdout.write(`${JSON.stringify(events)}\n`);
  });
});
