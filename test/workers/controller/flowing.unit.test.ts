import assert from 'node:assert/strict';
import { reasonOf } from '../../../model/errors.ts';
import type { PodReport } from '../../../stream/pod-report.ts';
import type { Hearing } from '../../../workers/controller/hearing.ts';
import { stuckMs, type StageFact } from '../../../workers/controller/stage-fact.ts';
import { allShown, heard, messageOf, now, report, shown, stage } from './facts.ts';

const idle: Partial<PodReport> = { flow: { state: 'Idle' } };
const waits = (waitsFor: PodReport['flow']['waitsFor'], code: string): Partial<PodReport> => ({
  flow: { state: 'Waiting', waitsFor, waitingOn: 'x', code, message: `because of ${code}` },
});
/** Something has waited for `ms` without moving, as of now. */
const still = (ms: number): Partial<PodReport> => ({ lag: 3, stillSince: now - ms });

function flow(
  ingestor: Partial<PodReport> | 'silent',
  sink: Partial<PodReport> | 'silent',
  hearing: Hearing = 'steady',
) {
  const of = (kind: PodReport['kind'], some: Partial<PodReport> | 'silent') =>
    stage(kind, { heard: some === 'silent' ? [] : [heard(report(kind, some))] });
  return shown({ hearing, stages: [of('ingestor', ingestor), of('sink', sink)] }, 'Flowing');
}

describe('Flowing', () => {
  type Row = [title: string, ...stages: Parameters<typeof flow>, expected: string];
  const rows: Row[] = [
    ['records move', {}, {}, 'steady', 'True Flowing'],
    ['they move on one side', {}, idle, 'steady', 'True Flowing'],
    ['L4: nothing to read when all know that nothing waits', idle, idle, 'steady', 'False Idle'],
    ['L4: a source that cannot tell is not at its end', { ...idle, lag: undefined }, idle, 'steady', 'Unknown Quiet'],
    ['L4: a sink that cannot tell is not at its end', idle, { ...idle, lag: undefined }, 'steady', 'Unknown Quiet'],
    ['L4: something waits before the sink', idle, { ...idle, ...still(1_000) }, 'steady', 'Unknown Behind'],
    ['L4: something waits at the source', { ...idle, lag: 9 }, idle, 'steady', 'Unknown Behind'],
    [
      'L4: a source that connects has nothing to say of its end',
      { ...idle, connection: { state: 'Connecting', since: 0 } },
      idle,
      'steady',
      'Unknown Connecting',
    ],
    [
      'L2: something waits before the sink for too long',
      idle,
      { ...idle, ...still(stuckMs) },
      'steady',
      'False NoProgress',
    ],
    [
      'L2: something waits at the source for too long',
      { ...idle, ...still(stuckMs) },
      idle,
      'steady',
      'False NoProgress',
    ],
    ['L2: records move into the edge and not out of it', {}, still(stuckMs), 'steady', 'False NoProgress'],
    ['L3: no ingestor reports, whatever the sink says', 'silent', idle, 'steady', 'Unknown NotReported'],
    ['L3: no sink reports while records arrive', {}, 'silent', 'steady', 'Unknown NotReported'],
    ['L3: silence before it was listened for long enough', 'silent', idle, 'catchingUp', 'Unknown Listening'],
    ['L3: nobody can be heard', idle, idle, 'deaf', 'Unknown NotHeard'],
    [
      'L1: a full edge beats the sink that filled it',
      waits('edge', 'MR_EDGE_FULL'),
      waits('outside', 'MR_SINK_UNREACHABLE'),
      'steady',
      'False EdgeFull',
    ],
    [
      'L1: NATS beats all that it stops',
      waits('nats', 'MR_STREAM_UNAVAILABLE'),
      waits('outside', 'MR_SINK_UNREACHABLE'),
      'steady',
      'False StreamUnavailable',
    ],
    [
      'L1: full dead letters beat the edge that they fill',
      waits('edge', 'MR_EDGE_FULL'),
      waits('deadLetters', 'MR_DEAD_LETTERS_FULL'),
      'steady',
      'False DeadLettersFull',
    ],
    ...[
      'MR_SINK_POSITION_LOST',
      'MR_SOURCE_POSITION_LOST',
      'MR_POSITION_LOST',
      'MR_EDGE_LOST',
      'MR_STREAM_MISSING',
    ].flatMap((code) =>
      (['outside', 'attempt', 'nats', undefined] as const).map((on): Row => [
        `L1: a question to a person beats what needs none (${code}, waits for ${on ?? 'what it does not say'})`,
        waits('lifecycle', 'MR_NOT_REGISTERED'),
        waits(on, code),
        'steady',
        `False ${reasonOf(code)}`,
      ]),
    ),
    [
      'L1: why it waits beats that it waits',
      idle,
      { ...waits('outside', 'MR_SINK_SILENT'), ...still(60_000) },
      'steady',
      'False SinkSilent',
    ],
    [
      'L1: a pod of another version waits for it does not say what',
      waits(undefined, 'MR_OF_ANOTHER_VERSION'),
      idle,
      'steady',
      'False OfAnotherVersion',
    ],
    ['a pod has not begun', { flow: { state: 'Starting' } }, idle, 'steady', 'Unknown Starting'],
  ];
  for (const [title, ingestor, sink, hearing, expected] of rows) {
    it(title, () => assert.equal(flow(ingestor, sink, hearing), expected));
  }

  it('L2: a pod that falls silent is not stuck for longer than it was heard to be', () => {
    const told = report('sink', { ...idle, ...still(1_000) });
    const stages = (at: number) => [
      stage('ingestor'),
      stage('sink', { heard: [heard(told, { firstAt: now - 60_000, at })] }),
    ];
    assert.equal(shown({ stages: stages(now) }, 'Flowing'), 'False NoProgress');
    assert.equal(shown({ stages: stages(now - 55_000) }, 'Flowing'), 'True Flowing');
  });

  it('L2: the sentence stays as it is while nothing moves', () => {
    const told = report('sink', { ...idle, ...still(20_000) });
    const at = (later: number) =>
      messageOf(
        { now: now + later, stages: [stage('ingestor'), stage('sink', { heard: [heard(told, { at: now + later })] })] },
        'Flowing',
      );
    assert.equal(at(0), 'Records are waiting before sink-warehouse, and none has moved since 2023-11-14T22:13:00Z.');
    assert.equal(at(50_000), at(0));
  });

  it('L4: a slot without a pod is not at its end, and is said when it stays so', () => {
    const [ingestor] = [stage('ingestor', { heard: [heard(report('ingestor', idle))] })];
    const sink = (freeSince: number) => stage('sink', { freeSince, heard: [heard(report('sink', idle))] });
    assert.equal(shown({ stages: [ingestor, sink(now - 1_000)] }, 'Flowing'), 'Unknown Quiet');
    assert.equal(shown({ stages: [ingestor, sink(now - stuckMs)] }, 'Flowing'), 'Unknown SlotsFree');
  });

  describe('every combination', () => {
    const fields = {
      ready: [0, 1],
      isSilent: [false, true],
      lag: [undefined, 0, 5],
      stillFor: [undefined, stuckMs - 1, stuckMs],
      flow: ['Starting', 'Flowing', 'Idle', 'Waiting'],
      connection: ['Connected', 'Connecting', 'Disconnected'],
      freeFor: [undefined, 1_000, stuckMs],
    } as const;
    type Fields = { readonly [Name in keyof typeof fields]: (typeof fields)[Name][number] };

    function stageWith(kind: PodReport['kind'], state: Fields): StageFact {
      const { ready, isSilent, lag, stillFor, flow: told, connection, freeFor } = state;
      const isStill = lag !== undefined && lag > 0 && stillFor !== undefined;
      const said = report(kind, {
        ...(isStill ? { stillSince: now - stillFor } : {}),
        lag,
        flow: { state: told },
        connection: { state: connection, since: 0 },
      });
      const freeSince = freeFor === undefined ? undefined : now - freeFor;
      return stage(kind, { ready, freeSince, heard: isSilent ? [] : [heard(said)] });
    }

    const well: Fields = {
      ...{ ready: 1, isSilent: false, lag: 0, stillFor: undefined },
      ...{ flow: 'Idle', connection: 'Connected', freeFor: undefined },
    };
    /** One stage in every state there is, beside another in each of these. */
    const others: readonly Fields[] = [
      well,
      { ...well, flow: 'Flowing', lag: 5 },
      { ...well, lag: undefined },
      { ...well, lag: 5, stillFor: stuckMs },
      { ...well, isSilent: true },
      { ...well, flow: 'Waiting' },
    ];

    function* combinations(): Generator<readonly StageFact[]> {
      for (const ready of fields.ready)
        for (const isSilent of fields.isSilent)
          for (const lag of fields.lag)
            for (const stillFor of fields.stillFor)
              for (const told of fields.flow)
                for (const connection of fields.connection)
                  for (const freeFor of fields.freeFor)
                    for (const other of others) {
                      const one = { ready, isSilent, lag, stillFor, flow: told, connection, freeFor };
                      yield [stageWith('ingestor', one), stageWith('sink', other)];
                      yield [stageWith('ingestor', other), stageWith('sink', one)];
                    }
    }

    it('I14: Ready exactly when nothing speaks against it, Idle only when every stage knows that it is at its end', () => {
      let idles = 0;
      for (const stages of combinations()) {
        const against = stages.flatMap((each) => reasonsAgainst(each));
        const { Ready, Flowing } = allShown({ stages });
        const isIdle = Flowing === 'False Idle';
        if (isIdle) idles++;
        const isTrue = (Ready === 'True Running') === (against.length === 0);
        const isAtEnd = !isIdle || stages.every((each) => knowsItsEnd(each));
        if (!isTrue || !isAtEnd) assert.fail(`${Ready}, ${Flowing}; ${against.join(', ')}: ${JSON.stringify(stages)}`);
      }
      assert(idles > 0);
    });

    it('F1: without a steady ear no outage is claimed that was not reported, and nothing is well that is not heard', () => {
      for (const stages of combinations()) {
        const early = Object.values(allShown({ hearing: 'catchingUp', stages }));
        assert(!early.some((claim) => claim.endsWith('NotReported')));
        const { Ready, SourceConnected, SinkConnected, Flowing } = allShown({ hearing: 'deaf', stages });
        assert.notEqual(Ready, 'True Running');
        for (const claim of [SourceConnected, SinkConnected, Flowing]) assert.equal(claim, 'Unknown NotHeard');
      }
    });
  });
});

/** Written once more, in other words: what keeps a stage from being well. */
function reasonsAgainst({ ready, freeSince, heard: reports }: StageFact): string[] {
  const [told] = reports;
  if (told === undefined) return ['it is silent'];
  const { report: said } = told;
  return [
    ...(ready === 0 ? ['no pod is ready'] : []),
    ...(said.connection.state === 'Connected' ? [] : ['it is not connected']),
    ...(said.flow.state === 'Waiting' ? ['it waits'] : []),
    ...(said.flow.state === 'Starting' ? ['it has not begun'] : []),
    ...(said.stillSince !== undefined && now - said.stillSince >= stuckMs ? ['it is stuck'] : []),
    ...(freeSince !== undefined && now - freeSince >= stuckMs ? ['a slot has no pod'] : []),
  ];
}

function knowsItsEnd({ freeSince, heard: reports }: StageFact): boolean {
  const said = reports[0]?.report;
  return (
    freeSince === undefined && said?.lag === 0 && said.connection.state === 'Connected' && said.flow.state === 'Idle'
  );
}
