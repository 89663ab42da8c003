import assert from 'node:assert/strict';
import { doorWorkflowId } from '../../../model/workflow-ids.ts';
import { ownerOfDoor } from '../../../workers/lifecycle/door.ts';
import { temporalServer } from '../../workflows/temporal-server.ts';

describe('the task queue for programs, of clusters that share a Temporal namespace', function () {
  it('D1 D2: is one cluster’s, whoever asks how often, until it is handed over', async () => {
    const { client } = await temporalServer();
    const ask = (cluster: string) => ownerOfDoor(client, cluster);
    const [first, second] = await Promise.all([ask('one'), ask('two')]);
    assert.equal(first, second);
    assert.deepEqual(await Promise.all(['one', 'two', 'three'].map(ask)), [first, first, first]);
    await client.workflow.getHandle(doorWorkflowId).terminate('handed over');
    assert.equal(await ask('three'), 'three');
    assert.equal(await ask('one'), 'three');
    await client.workflow.getHandle(doorWorkflowId).terminate('the test is over');
  });
});
