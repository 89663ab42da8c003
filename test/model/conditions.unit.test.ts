import assert from 'node:assert/strict';
import {
  claim,
  claimBecause,
  conditionTypes,
  conditionsOf,
  firstWrong,
  isKnownWell,
  isWell,
  reasonsOf,
} from '../../model/conditions.ts';

describe('the table of conditions', () => {
  it('C1: every condition has one writer', () => {
    const written = [...conditionsOf('lifecycle'), ...conditionsOf('controller')];
    assert.deepEqual([...written].sort(), [...conditionTypes].sort());
  });

  it('C2: a claim has the status and the sentence of its row, filled in', () => {
    assert.deepEqual(claim('Ready', 'Pending', { generation: 7 }), {
      type: 'Ready',
      status: 'False',
      reason: 'Pending',
      message: 'Generation 7 waits to be carried out.',
    });
  });

  it('C3: each condition has a way to be as it should be', () => {
    for (const type of conditionTypes) {
      const reasons = Object.entries(reasonsOf(type));
      assert.ok(
        reasons.some(([reason, { status }]) => isWell({ type, status, reason })),
        type,
      );
    }
  });

  const wells: [type: string, status: 'True' | 'False' | 'Unknown', reason: string, well: boolean][] = [
    ['Ready', 'True', 'Paused', true],
    ['Ready', 'Unknown', 'Pending', false],
    ['Stalled', 'False', 'Settled', true],
    ['Stalled', 'True', 'SpecInvalid', false],
    ['Reconciling', 'True', 'Repairing', false],
    ['Flowing', 'False', 'Idle', true],
    ['Flowing', 'False', 'EdgeFull', false],
    ['SinkConnected', 'Unknown', 'Paused', true],
    ['SinkConnected', 'Unknown', 'NotReported', false],
    ['OfALaterVersion', 'True', 'Anything', true],
    ['OfALaterVersion', 'False', 'Anything', false],
  ];
  for (const [type, status, reason, well] of wells) {
    it(`C3: ${type} ${status} ${reason} is ${well ? 'as it should be' : 'to be looked at'}`, () => {
      assert.equal(isWell({ type, status, reason }), well);
    });
  }

  it('C6: what has no pods is as it should be, and known to be well it is not', () => {
    const blind = conditionTypes.flatMap((type) =>
      Object.entries(reasonsOf(type)).flatMap(([reason, { status }]) =>
        isWell({ type, status, reason }) && !isKnownWell({ type, status, reason }) ? [`${type} ${reason}`] : [],
      ),
    );
    const dataPath = ['SinkConnected', 'SourceConnected', 'Flowing'];
    assert.deepEqual(
      blind,
      dataPath.flatMap((type) => ['Paused', 'Stopped', 'NoPods'].map((reason) => `${type} ${reason}`)),
    );
  });

  it('C4: in the table a cause comes before what follows from it', () => {
    assert.deepEqual(conditionTypes, [
      ...['Accepted', 'Stalled', 'Reconciling', 'SinkConnected', 'SourceConnected', 'Flowing', 'DeadLettersEmpty'],
      ...['Provisioned', 'Ready'],
    ]);
  });

  it('C4: the first that is wrong is that of the table, in whatever order they come', () => {
    const wrong = conditionTypes.map((type) => ({ type, status: 'Unknown', reason: 'Odd' }) as const);
    const later = { type: 'OfALaterVersion', status: 'False', reason: 'Odd' } as const;
    for (const [at, { type }] of wrong.entries()) {
      assert.equal(firstWrong([later, ...wrong.slice(at)].reverse())?.type, type);
    }
  });

  it('C2: the reason of an error needs no row', () => {
    const because = claimBecause('SinkConnected', 'False', { reason: 'SinkUnreachable', message: 'no route' });
    assert.equal(because.reason, 'SinkUnreachable');
    assert.equal(isWell(because), false);
  });
});
