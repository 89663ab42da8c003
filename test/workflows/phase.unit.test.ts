import assert from 'node:assert/strict';
import { operationTable } from '../../model/operations.ts';
import { phaseOf, phaseTable, shownStateOf } from '../../workflows/phase.ts';
import { newState, type Actual, type Failure, type PipelineState, type Refusal } from '../../workflows/state.ts';

const at = '2026-01-01T00:00:00Z';
const refused: Refusal = { generation: 2, code: 'MR_SPEC_EXPRESSION', message: 'no', at, desiredState: 'Running' };
const failure: Failure = { generation: 2, operation: 'reconfigure', code: 'MR_KUBERNETES_REFUSED', message: 'no', at };
const unready = { isReady: false, reason: 'SinkUnreachable', message: 'no route', since: at };

function state(some: Partial<PipelineState> = {}): PipelineState {
  return { ...newState({ namespace: 'shop', name: 'orders', uid: 'u' }), ...some };
}

const running: Actual = { is: 'Running', generation: 1 };
const paused: Actual = { is: 'Paused', generation: 1 };
const stopped: Actual = { is: 'Stopped', generation: 1 };
const half: Actual = { is: 'unfinished', provisioned: true };

describe('the word for what a pipeline is', () => {
  const rows: [title: string, some: Partial<PipelineState>, phase: string, shown: string][] = [
    ['nothing was done', {}, 'Pending', 'Pending'],
    ['it runs', { actual: running }, 'Running', 'Running'],
    ['it runs and is not ready', { actual: running, readiness: unready }, 'NotReady', 'SinkUnreachable'],
    ['it runs and is ready again', { actual: running, readiness: { ...unready, isReady: true } }, 'Running', 'Running'],
    ['it is paused', { actual: paused }, 'Paused', 'Paused'],
    ['it is stopped', { actual: stopped }, 'Stopped', 'Stopped'],
    ['the first spec is refused', { refused }, 'Failed', 'SpecExpression'],
    ['a spec is refused after an operation was cut short', { refused, actual: half }, 'Failed', 'SpecExpression'],
    ['a spec is refused, the one before runs', { refused, actual: running }, 'NotReady', 'SpecExpression'],
    [
      'a spec is refused, and its sink is away',
      { refused, actual: running, readiness: unready },
      'NotReady',
      'SpecExpression',
    ],
    ['a spec of a paused one is refused', { refused, actual: paused }, 'Paused', 'SpecExpression'],
    ['a spec of a stopped one is refused', { refused, actual: stopped }, 'Stopped', 'SpecExpression'],
    ['an operation has failed', { failure, actual: half }, 'Failed', 'KubernetesRefused'],
    [
      'a teardown has failed',
      { failure: { ...failure, operation: 'teardown' }, actual: half },
      'Deleting',
      'KubernetesRefused',
    ],
    ['it is gone', { actual: { is: 'gone' } }, 'Deleted', 'Deleted'],
  ];
  for (const [title, some, phase, shown] of rows) {
    it(`W1, W2: is ${phase}, because of ${shown}: ${title}`, () => {
      assert.deepEqual([phaseOf(state(some)), shownStateOf(state(some))], [phase, shown]);
    });
  }

  for (const [kind, { phase }] of Object.entries(operationTable)) {
    it(`W1: is ${phase} while ${kind} runs, whatever else is`, () => {
      const known = Object.keys(operationTable).find((one): one is keyof typeof operationTable => one === kind);
      assert.ok(known);
      const operation = {
        seq: 1,
        kind: known,
        generation: 1,
        desired: 'Running',
        startedAt: at,
        cancelling: false,
      } as const;
      assert.equal(phaseOf(state({ running: operation, refused, failure, actual: running })), phase);
    });
  }

  it('W1: each row says when it holds, and the last one always does', () => {
    assert.ok(phaseTable.every(({ when }) => when !== ''));
    assert.equal(phaseTable.at(-1)?.holds(state({ refused, failure })), true);
  });
});
