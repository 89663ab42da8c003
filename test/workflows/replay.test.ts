import assert from 'node:assert/strict';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/lifecycle/bundle.ts';
import { EntityRun } from './entity-run.ts';
import { storedHistories, storeHistories } from './stored-histories.ts';
import { recordWholeCycle, type Recorded } from './whole-cycle.ts';

/** A replay only compares what is in the history: so these go through whole cycles, and are cut in the middle, too. */
describe('replay of recorded histories', function () {
  let run: EntityRun;
  let codePath: string;
  let whole: Recorded[];
  let cut: Recorded;

  before(async () => {
    codePath = await workflowBundle(new DefaultLogger('ERROR'));
    run = await EntityRun.start();
    ({ whole, cut } = await recordWholeCycle(run));
    const version = process.env['MILLRACE_RECORD_HISTORIES'];
    if (version !== undefined) await storeHistories(version, [...whole, cut]);
  });
  after(() => run.stop());

  it('the entity and each operation of a full cycle replay', async () => {
    const histories = whole.map(({ id, history }) => ({ workflowId: id, history }));
    const failed: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, histories)) {
      if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
    }
    assert.deepEqual(failed, []);
  });

  it('an entity that is cut in the middle of an operation replays', async () => {
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, cut.history, cut.id);
  });

  it('a history stored as JSON replays', async () => {
    const stored: unknown = JSON.parse(historyToJSON(cut.history));
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, stored, cut.id);
  });

  it('histories of released versions replay', async () => {
    const stored = await storedHistories();
    assert.ok(stored.length >= 9, `only ${stored.length} histories are stored`);
    for (const { name, workflowId, history } of stored) {
      await assert.doesNotReject(Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId), name);
    }
  });

  it('a stop of an earlier version goes on, also one whose spec gives the sink up', async () => {
    const [stop] = (await storedHistories()).filter(({ name }) => name.endsWith('6-stop-g5'));
    assert.ok(stop);
    const text = JSON.stringify(stop.history);
    const [result = ''] = /[A-Za-z0-9+/=]{200,}/.exec(text.slice(text.indexOf('"fetchSpec"'))) ?? [];
    const spec = Buffer.from(result, 'base64').toString();
    const givesUp = spec.replace('"Drain"', '"Immediate"').replace('"sink-warehouse"', '"sink-other"');
    assert.match(givesUp, /"Immediate".*"sink-other"/);
    const changed = text.replace(result, Buffer.from(givesUp).toString('base64'));
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, JSON.parse(changed), stop.workflowId);
  });

  it('a replay notices a command that the workflow no longer gives', async () => {
    const [first] = (await storedHistories()).filter(({ name }) => name.endsWith('1-provision-g1'));
    assert.ok(first);
    const text = JSON.stringify(first.history).replaceAll('"ensureStreams"', '"ensureRivers"');
    await assert.rejects(
      Worker.runReplayHistory({ workflowBundle: { codePath } }, JSON.parse(text), first.workflowId),
      /ensureStreams/,
    );
  });

  it('a cycle costs the entity and its operations a bounded number of events', () => {
    const events = whole.map(({ name, history }) => [name, history.events?.length ?? 0] as const);
    for (const [name, count] of events) assert.ok(count < (name === 'entity' ? 165 : 120), JSON.stringify(events));
  });
});
