import assert from 'node:assert/strict';
import { isAsked } from '../../../model/decision.ts';
import { asksPerson, errorTable, reasonOf } from '../../../model/errors.ts';
import { operationTable } from '../../../model/operations.ts';
import { claimsOf, type ConditionsInput } from '../../../workers/controller/conditions.ts';
import { isStopped } from '../../../workers/controller/stage-fact.ts';
import { urgencyOf } from '../../../workers/controller/data-status.ts';
import { heard, input, messageOf, now, report, shown, stage, status } from './facts.ts';

const broken = heard(
  report('sink', {
    connection: { state: 'Disconnected', since: 0, code: 'MR_SINK_AUTH_REJECTED', message: 'rejected' },
  }),
);
const ingestor = stage('ingestor');

describe('a stage that an operation has stopped', () => {
  const changing = status({}, { Reconciling: ['True', 'Reconfiguring'] });
  const stopped = (kind: 'ingestor' | 'sink', some = {}) => stage(kind, { heard: [], isStopped: true, ...some });
  const rows: [title: string, some: Partial<ConditionsInput>, type: string, said: string][] = [
    [
      'the only source is being removed',
      { stages: [stopped('ingestor'), stage('sink')] },
      'SourceConnected',
      'Unknown NoPods',
    ],
    [
      'records that it has read still flow',
      { stages: [stopped('ingestor'), stage('sink')] },
      'Flowing',
      'True Flowing',
    ],
    [
      'one of two sources is being removed',
      { stages: [stopped('ingestor'), ingestor, stage('sink')] },
      'SourceConnected',
      'True Connected',
    ],
    [
      'one of two sinks is being removed',
      { stages: [ingestor, stopped('sink'), stage('sink')] },
      'SinkConnected',
      'True Connected',
    ],
    ['all stop for a pause', { stages: [stopped('ingestor'), stopped('sink')] }, 'Flowing', 'Unknown NoPods'],
    [
      'all stop, and nobody hears',
      { stages: [stopped('ingestor'), stopped('sink')], hearing: 'deaf' },
      'SinkConnected',
      'Unknown NoPods',
    ],
    [
      'its last pod still says that it fails',
      { stages: [ingestor, stopped('sink', { heard: [broken] })] },
      'SinkConnected',
      'False SinkAuthRejected',
    ],
    [
      'one that should run and is silent',
      { stages: [ingestor, stage('sink', { heard: [] })] },
      'SinkConnected',
      'Unknown NotReported',
    ],
  ];
  for (const [title, some, type, said] of rows) {
    it(`F6: ${type} says ${said}: ${title}`, () => {
      assert.equal(shown({ status: changing, ...some }, type), said);
    });
  }
});

it('while sinks drain, names the sources that have no pod, and does not say that none runs', () => {
  const stages = [stage('ingestor', { heard: [], isStopped: true }), stage('sink')];
  const claims = claimsOf(input({ status: status({}, { Reconciling: ['True', 'Stopping'] }), stages }));
  const source = claims.find(({ type }) => type === 'SourceConnected');
  assert.equal(source?.message, `No pod of ${stages[0]?.name} is running while the pipeline is being changed.`);
});

describe('a question to a person', () => {
  const codes = Object.keys(errorTable).filter(asksPerson);
  const says = (kind: 'ingestor' | 'sink', name: string, code: string) => {
    const message = `decide orders ${name}.1 reread`;
    const connection = { state: 'Disconnected', since: 0, code, message } as const;
    const flow = { state: 'Waiting', waitsFor: 'outside', code, message } as const;
    return stage(kind, { name, heard: [heard(report(kind, { stage: name, pod: name, connection, flow }))] });
  };

  it('is what these errors are', () => {
    assert.deepEqual(codes.sort(), [
      ...['MR_DRAIN_ASKS', 'MR_EDGE_LOST', 'MR_POSITION_LOST', 'MR_SINK_POSITION_LOST'],
      ...['MR_SOURCE_POSITION_LOST', 'MR_STREAM_MISSING'],
    ]);
  });

  for (const kind of ['ingestor', 'sink'] as const) {
    const type = kind === 'ingestor' ? 'SourceConnected' : 'SinkConnected';
    for (const code of codes) {
      it(`F7: ${type} and Flowing tell ${code} beside others that are away, whichever comes first`, () => {
        const asks = says(kind, 'asks', code);
        const away = ['one', 'two'].map((name) => says(kind, name, 'MR_SINK_UNREACHABLE'));
        const rest = kind === 'ingestor' ? stage('sink') : ingestor;
        for (const stages of [
          [asks, ...away, rest],
          [rest, ...away, asks],
        ]) {
          const claims = claimsOf(input({ stages }));
          for (const each of [type, 'Flowing', 'Ready'])
            assert.equal(shown({ stages }, each), `False ${reasonOf(code)}`);
          assert(isAsked({ conditions: claims.map((one) => ({ ...one, lastTransitionTime: '' })) }, 'asks.1'));
        }
      });
    }
  }
});

describe('whether an operation has stopped a stage', () => {
  const operations = [...Object.keys(operationTable), undefined];
  for (const type of operations) {
    it(`F6: is told from its Deployment while ${type ?? 'no operation'} runs`, () => {
      const running = type === undefined ? {} : { operation: { id: 'x', type, step: 'begin', startedAt: '' } };
      assert.equal(isStopped(2, running), false);
      assert.equal(isStopped(0, running), type !== undefined);
      assert.equal(isStopped(undefined, running), type !== undefined && type !== 'repair');
    });
  }
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
    ['paused as requested is ready', { status: status({ phase: 'Paused' }), stages: [] }, 'True Paused'],
    ['stopped as requested is ready', { status: status({ phase: 'Stopped' }), stages: [] }, 'True Stopped'],
    [
      'F1: pods that do not report are not connected',
      { stages: [ingestor, stage('sink', { heard: [] })] },
      'False NotReported',
    ],
    [
      'F1: nothing is concluded from silence before it was listened for long enough',
      { stages: [ingestor, stage('sink', { heard: [] })], hearing: 'catchingUp' },
      'Unknown Listening',
    ],
    ['F1, F8: who hears nobody claims no outage but that of NATS', { hearing: 'deaf' }, 'Unknown StreamUnavailable'],
    [
      'F8: pods that are not ready while NATS does not answer follow from that',
      { hearing: 'deaf', isCutOff: true, stages: [ingestor, stage('sink', { ready: 0 })] },
      'False StreamUnavailable',
    ],
    [
      'F8: also before it is certain that nobody is heard',
      { hearing: 'catchingUp', isCutOff: true, stages: [ingestor, stage('sink', { ready: 0 })] },
      'False StreamUnavailable',
    ],
    ['F8: a short loss of NATS is no news', { hearing: 'catchingUp', isCutOff: true }, 'True Running'],
    [
      'F1: pods that have said that they end have reported',
      { stages: [ingestor, stage('sink', { heard: [], leftAt: now - 4_000 })] },
      'False PodsGone',
    ],
    [
      'F1: and have not, when that is long ago',
      { stages: [ingestor, stage('sink', { heard: [], leftAt: now - 30_000 })] },
      'False NotReported',
    ],
    [
      'F1: a Deployment that is gone is said, whoever has listened how long',
      { hearing: 'catchingUp', stages: [ingestor, stage('sink', { heard: [], isMissing: true })] },
      'False PodsGone',
    ],
    [
      'F4: a broken sink gives its reason',
      { stages: [ingestor, stage('sink', { heard: [broken] })] },
      'False SinkAuthRejected',
    ],
    [
      'F3: a stage without a ready pod beats reports that all is well',
      { stages: [ingestor, stage('sink', { ready: 0 })] },
      'False WorkloadNotReady',
    ],
    [
      'F3: a paused pipeline needs no ready pod',
      { status: status({ phase: 'Paused' }), stages: [stage('sink', { wanted: 0, ready: 0 })] },
      'True Paused',
    ],
    [
      'an operation in progress says more than that its pods are not ready',
      { status: status({}, { Reconciling: ['True', 'Repairing'] }), stages: [stage('sink', { ready: 0 })] },
      'False Repairing',
    ],
    ['being deleted is not ready', { deleting: true }, 'False Deleting'],
    [
      'Temporal down is said where something waits for it',
      { generation: 2, untold: { reason: 'EngineUnavailable', message: 'no answer' } },
      'False EngineUnavailable',
    ],
  ];
  for (const [title, some, expected] of rows) it(title, () => assert.equal(shown(some, 'Ready'), expected));

  describe('F5: a controller that has not listened long enough', () => {
    const silent = [ingestor, stage('sink', { heard: [] })];

    it('leaves what was said before', () => {
      const before = status({}, { SinkConnected: ['True', 'Connected'], Flowing: ['True', 'Flowing'] });
      const some: Partial<ConditionsInput> = { stages: silent, hearing: 'catchingUp', status: before };
      assert.equal(shown(some, 'SinkConnected'), 'True Connected');
      assert.equal(shown(some, 'Flowing'), 'True Flowing');
      assert.equal(shown(some, 'Ready'), 'True Running');
    });

    it('leaves an outage that was said before', () => {
      const before = status({}, { SinkConnected: ['False', 'SinkUnreachable'] });
      const some: Partial<ConditionsInput> = { stages: silent, hearing: 'catchingUp', status: before };
      assert.equal(shown(some, 'Ready'), 'False SinkUnreachable');
    });

    it('does not take what was said of a paused pipeline for one that runs again', () => {
      const before = status({}, { SinkConnected: ['Unknown', 'Paused'], Flowing: ['False', 'Paused'] });
      const some: Partial<ConditionsInput> = { stages: silent, hearing: 'catchingUp', status: before };
      assert.equal(shown(some, 'SinkConnected'), 'Unknown Listening');
      assert.equal(shown(some, 'Ready'), 'Unknown Listening');
    });

    it('believes what it hears', () => {
      const some: Partial<ConditionsInput> = {
        hearing: 'catchingUp',
        stages: [ingestor, stage('sink', { heard: [broken] })],
      };
      assert.equal(shown(some, 'SinkConnected'), 'False SinkAuthRejected');
    });
  });

  it('F2: a pod that is being replaced does not speak for its successor', () => {
    const successor = heard(report('sink', { generation: 2, pod: 'sink-warehouse-2' }));
    const stages = [ingestor, stage('sink', { heard: [broken, successor] })];
    assert.equal(shown({ stages }, 'SinkConnected'), 'True Connected');
    assert.equal(shown({ stages }, 'Ready'), 'True Running');
  });

  it('dead letters: by code with a sample, the most frequent first, and no more than three', () => {
    const byCode = ['MISFIT', 'NOT_JSON', 'TOO_LARGE', 'REFUSED'].map((code, index) => ({
      code: `MR_RECORD_${code}`,
      records: 10 - index,
      sample: index === 0 ? `${'x'.repeat(1_000)}. Send it again.` : `sample ${index}`,
    }));
    const message = messageOf({ deadLetters: { records: 34, dropped: 0, byCode } }, 'DeadLettersEmpty');
    assert.match(message, /^34 records could not be processed/);
    assert.match(message, /10 MR_RECORD_MISFIT \(x+…x+\. Send it again\.\); 9 MR_RECORD_NOT_JSON \(sample 1\);/);
    assert.match(message, /and 1 more codes\.$/);
    assert.equal(shown({ deadLetters: { records: 34, dropped: 0, byCode } }, 'DeadLettersEmpty'), 'False DeadLetters');
    assert.equal(shown({}, 'DeadLettersEmpty'), 'True Empty');
  });

  const counts: [what: string, records: number, dropped: number, said: string, message: RegExp][] = [
    ['none', 0, 0, 'True Empty', /^No record had to be put aside/],
    ['some', 2, 0, 'False DeadLetters', /^2 records could not be processed and wait/],
    [
      'some, and one was dropped',
      2,
      1,
      'False DeadLettersDropped',
      /^1 dead letter was dropped .* lost; 2 records wait/,
    ],
    ['many were dropped', 1, 30, 'False DeadLettersDropped', /^30 dead letters were dropped .*; 1 record wait/],
  ];
  for (const [what, records, dropped, said, text] of counts) {
    it(`dead letters that are there, and that were dropped, are counted apart: ${what}`, () => {
      const some = { deadLetters: { records, dropped, byCode: [] } };
      assert.equal(shown(some, 'DeadLettersEmpty'), said);
      assert.match(messageOf(some, 'DeadLettersEmpty'), text);
    });
  }

  it('F3: says of a crash-looping pod what it died of', () => {
    const why = 'pod sink-warehouse-1 is in CrashLoopBackOff, restarted 3 times (exit code 1, no such table)';
    const message = messageOf({ stages: [ingestor, stage('sink', { ready: 0, trouble: { why } })] }, 'Ready');
    assert.match(message, /sink-warehouse has 0 of 1 pod ready: pod .* CrashLoopBackOff.*no such table/);
  });

  it('F3: says of a pod that was ended for its memory what to do about that', () => {
    const trouble = { why: 'pod sink-warehouse-1 was ended', outOfMemory: 'uid/1' };
    const dead = { stages: [ingestor, stage('sink', { ready: 0, trouble })] };
    assert.equal(shown(dead, 'Ready'), 'False WorkerOutOfMemory');
    assert.match(messageOf(dead, 'Ready'), /Raise `spec\.resources\.limits\.memory`/);
  });

  it('is urgent when a status, reason or number of ready pods differs, not when only words do', () => {
    const claims = claimsOf(input());
    const written = { ...status(), deadLetters: { records: 0 } };
    const stages = [
      { name: 'ingestor-orders', ready: 1 },
      { name: 'sink-warehouse', ready: 1 },
    ];
    const said = { claims, deadLetters: { records: 0, dropped: 0 }, stages };
    assert.equal(urgencyOf(said, written), 'now');
    const conditions = claims.map((claim) => ({ ...claim, observedGeneration: 1, lastTransitionTime: '' }));
    assert.equal(urgencyOf(said, { ...written, conditions }), 'none');
    assert.equal(urgencyOf(said, { ...written, conditions, phase: 'NotReady' }), 'now');
    const leftover = [...(written.stages ?? []), { name: 'sink-copy', replicas: 0, ready: 0 }];
    assert.equal(urgencyOf(said, { ...written, conditions, stages: leftover }), 'now');
    for (const deadLetters of [
      { records: 3, dropped: 0 },
      { records: 0, dropped: 3 },
    ])
      assert.equal(urgencyOf({ ...said, deadLetters }, { ...written, conditions }), 'later');
    assert.equal(urgencyOf({ ...said, stages: stages.slice(1) }, { ...written, conditions }), 'now');
    const reworded = conditions.map((condition) => ({ ...condition, message: 'other words' }));
    assert.equal(urgencyOf(said, { ...written, conditions: reworded }), 'later');
  });
});
