import assert from 'node:assert/strict';
import type { PipelineStatus } from '../../../model/status.ts';
import type { PodReport } from '../../../stream/pod-report.ts';
import { claimsOf, type ConditionsInput, type StageFact } from '../../../workers/controller/conditions.ts';
import { urgencyOf } from '../../../workers/controller/data-status.ts';

const at = '2026-01-01T00:00:00Z';

function status(
  some: Partial<PipelineStatus> = {},
  changes: Record<string, [status: 'True' | 'False', reason: string]> = {},
): PipelineStatus {
  const settled = {
    Reconciling: ['False', 'Settled'],
    Stalled: ['False', 'Settled'],
    Accepted: ['True', 'Valid'],
    Provisioned: ['True', 'Running'],
  } as const;
  const conditions = Object.entries({ ...settled, ...changes }).map(([type, [value, reason]]) => ({
    type,
    reason,
    status: value,
    message: `because ${reason}`,
    observedGeneration: 1,
    lastTransitionTime: at,
  }));
  const stages = ['ingestor-orders', 'sink-warehouse'].map((name) => ({ name, replicas: 1, ready: 1 }));
  return { observedGeneration: 1, phase: 'Running', stages, conditions, ...some };
}

function report(kind: 'ingestor' | 'sink', some: Partial<PodReport> = {}): PodReport {
  const stage = kind === 'ingestor' ? 'ingestor-orders' : 'sink-warehouse';
  return {
    ...{ pid: 'orders-abc123', stage, kind, pod: `${stage}-1`, generation: 1, at: 0, slots: [] },
    ...{ recordsIn: 0, recordsOut: 0, deadLetters: 0 },
    connection: { state: 'Connected', since: 0 },
    flow: { state: 'Flowing' },
    ...some,
  };
}

function input(some: Partial<ConditionsInput> = {}): ConditionsInput {
  const reports = [report('ingestor'), report('sink')];
  return {
    generation: 1,
    deleting: false,
    status: status(),
    reports,
    stages: [fact('ingestor-orders', 1), fact('sink-warehouse', 1)],
    deadLetters: 0,
    engineUnavailable: undefined,
    ...some,
  };
}

function fact(name: string, ready: number, why?: string): StageFact {
  return { name, wanted: 1, ready, why };
}

function shown(some: Partial<ConditionsInput>, type: string): string {
  const claim = claimsOf(input(some)).find((each) => each.type === type);
  return `${claim?.status ?? ''} ${claim?.reason ?? ''}`;
}

const broken = report('sink', {
  connection: { state: 'Disconnected', since: 0, code: 'MR_SINK_AUTH_REJECTED', message: 'rejected' },
});

describe('conditions of the controller', () => {
  const rows: [title: string, some: Partial<ConditionsInput>, ready: string][] = [
    ['a running, connected pipeline is ready', {}, 'True Running'],
    ['a pipeline that nobody looked at yet is unknown', { status: {} }, 'Unknown Pending'],
    ['a newer generation waits', { generation: 2 }, 'False Pending'],
    [
      'an operation in progress gives its reason',
      { status: status({}, { Reconciling: ['True', 'SecretMissing'] }) },
      'False SecretMissing',
    ],
    [
      'a refused spec gives its reason',
      { status: status({}, { Stalled: ['True', 'SpecExpression'], Accepted: ['False', 'SpecExpression'] }) },
      'False SpecExpression',
    ],
    ['paused as requested is ready', { status: status({ phase: 'Paused' }), reports: [] }, 'True Paused'],
    ['stopped as requested is ready', { status: status({ phase: 'Stopped' }), reports: [] }, 'True Stopped'],
    ['F1: pods that do not report are not connected', { reports: [report('ingestor')] }, 'False NotReported'],
    ['F3: a broken sink gives its reason', { reports: [report('ingestor'), broken] }, 'False SinkAuthRejected'],
    [
      'F4: a stage without a ready pod beats reports that all is well',
      { stages: [fact('ingestor-orders', 1), fact('sink-warehouse', 0)] },
      'False WorkloadNotReady',
    ],
    [
      'F4: a paused pipeline needs no ready pod',
      { status: status({ phase: 'Paused' }), stages: [{ ...fact('sink-warehouse', 0), wanted: 0 }] },
      'True Paused',
    ],
    [
      'an operation in progress says more than that its pods are not ready',
      { status: status({}, { Reconciling: ['True', 'Repairing'] }), stages: [fact('sink-warehouse', 0)] },
      'False Repairing',
    ],
    ['being deleted is not ready', { deleting: true }, 'False Deleting'],
    [
      'Temporal down is said where something waits for it',
      { generation: 2, engineUnavailable: 'no answer' },
      'False EngineUnavailable',
    ],
  ];
  for (const [title, some, expected] of rows) it(title, () => assert.equal(shown(some, 'Ready'), expected));

  it('flowing: waiting beats flowing, idle is not flowing, paused says so', () => {
    const waiting = report('sink', { flow: { state: 'Waiting', code: 'MR_EDGE_FULL', message: 'full' } });
    assert.equal(shown({ reports: [report('ingestor'), waiting] }, 'Flowing'), 'False EdgeFull');
    assert.equal(shown({ reports: [report('ingestor', { flow: { state: 'Idle' } })] }, 'Flowing'), 'False Idle');
    assert.equal(shown({ status: status({ phase: 'Paused' }) }, 'Flowing'), 'False Paused');
    assert.equal(shown({}, 'Flowing'), 'True Flowing');
  });

  it('counts dead letters', () => {
    assert.equal(shown({ deadLetters: 2 }, 'DeadLettersEmpty'), 'False DeadLetters');
    assert.equal(shown({}, 'DeadLettersEmpty'), 'True Empty');
  });

  it('reports of a stage that the pipeline no longer has do not count', () => {
    const old = report('sink', { stage: 'sink-old', connection: { state: 'Disconnected', since: 0 } });
    assert.equal(shown({ reports: [report('ingestor'), report('sink'), old] }, 'SinkConnected'), 'True Connected');
  });

  it('F4: says of a crash-looping pod what it died of', () => {
    const why = 'pod sink-warehouse-1 is in CrashLoopBackOff, restarted 3 times (exit code 1, no such table)';
    const ready = claimsOf(input({ stages: [fact('sink-warehouse', 0, why)] })).find(({ type }) => type === 'Ready');
    assert.match(ready?.message ?? '', /sink-warehouse has 0 of 1 pods ready: pod .* CrashLoopBackOff.*no such table/);
  });

  it('is urgent when a status, reason or number of ready pods differs, not when only words do', () => {
    const claims = claimsOf(input());
    const written = { ...status(), deadLetters: { records: 0 } };
    const stages = [
      { name: 'ingestor-orders', ready: 1 },
      { name: 'sink-warehouse', ready: 1 },
    ];
    const said = { claims, deadLetters: 0, stages };
    assert.equal(urgencyOf(said, written), 'now');
    const conditions = claims.map((claim) => ({ ...claim, observedGeneration: 1, lastTransitionTime: at }));
    assert.equal(urgencyOf(said, { ...written, conditions }), 'none');
    assert.equal(urgencyOf({ ...said, deadLetters: 3 }, { ...written, conditions }), 'later');
    assert.equal(urgencyOf({ ...said, stages: stages.slice(1) }, { ...written, conditions }), 'now');
    const reworded = conditions.map((condition) => ({ ...condition, message: 'other words' }));
    assert.equal(urgencyOf(said, { ...written, conditions: reworded }), 'later');
  });
});
