import assert from 'node:assert/strict';
import { changes } from '../../cli/progress.ts';
import { before, condition } from './stored.ts';

const operation = { id: 'pipeline/shop/orders/u/op/1-provision-g1', type: 'provision', startedAt: before(5) };

describe('the lines of --wait', () => {
  it('show each step once', () => {
    const first = { operation: { ...operation, step: 'create namespace' } };
    const second = { operation: { ...operation, step: 'apply sink-warehouse' } };
    assert.deepEqual(changes(undefined, first), ['provision: create namespace']);
    assert.deepEqual(changes(first, first), []);
    assert.deepEqual(changes(first, second), ['provision: apply sink-warehouse']);
  });

  it('show why a step failed, with its attempt, and again only when the reason changes', () => {
    const step = { ...operation, step: 'copy credentials' };
    const failed = { operation: { ...step, attempt: 2, lastError: 'Secret "ch" is missing' } };
    const again = { operation: { ...step, attempt: 3, lastError: 'Secret "ch" is missing' } };
    assert.deepEqual(changes({ operation: step }, failed), [
      'provision: copy credentials failed (attempt 2): Secret "ch" is missing',
    ]);
    assert.deepEqual(changes(failed, again), []);
  });

  it('show a condition when its status or reason changes, and leave out what says nothing', () => {
    const connecting = { conditions: [condition('SinkConnected', 'False', 'SinkAuthRejected', 'wrong password')] };
    const connected = { conditions: [condition('SinkConnected', 'True', 'Connected', 'ch:8123')] };
    assert.deepEqual(changes(undefined, connecting), ['SinkConnected is False (SinkAuthRejected): wrong password']);
    assert.deepEqual(changes(connecting, connecting), []);
    assert.deepEqual(changes(connecting, connected), ['SinkConnected is True (Connected): ch:8123']);
    const quiet = {
      conditions: [condition('Stalled', 'False', 'Progressing'), condition('Flowing', 'Unknown', 'Starting')],
    };
    assert.deepEqual(changes(undefined, quiet), []);
  });
});
