import assert from 'node:assert/strict';
import fc from 'fast-check';
import { claim, claimBecause, type Claim, type ConditionOf } from '../../../model/conditions.ts';
import { errorTable, mr, reasonOf } from '../../../model/errors.ts';
import type { Condition, PipelineStatus } from '../../../model/status.ts';
import { claimsOf, type ConditionsInput } from '../../../workers/controller/conditions.ts';
import { Outages, type OutageNews } from '../../../workers/controller/outages.ts';
import { heard, input, now as start, report, stage, status } from './facts.ts';

type Case = [what: string, some: Partial<ConditionsInput>, told: readonly string[]];

const broken = (code: 'MR_SINK_UNREACHABLE' | 'MR_SOURCE_UNREACHABLE', kind: 'ingestor' | 'sink') =>
  stage(kind, {
    heard: [heard(report(kind, { connection: { state: 'Disconnected', code, message: 'no route', since: 0 } }))],
  });
const waiting = (code: string, waitsFor: 'decision' | 'edge') =>
  stage('sink', {
    heard: [heard(report('sink', { flow: { state: 'Waiting', waitsFor, code, message: 'it waits' } }))],
  });

/** One of each kind of what a person at three in the morning must hear of, and of what must let them sleep. */
const cases: readonly Case[] = [
  ['a sink that fails', { stages: [stage('ingestor'), broken('MR_SINK_UNREACHABLE', 'sink')] }, ['SinkUnreachable']],
  [
    'a source that fails',
    { stages: [broken('MR_SOURCE_UNREACHABLE', 'ingestor'), stage('sink')] },
    ['SourceUnreachable'],
  ],
  [
    'both',
    { stages: [broken('MR_SOURCE_UNREACHABLE', 'ingestor'), broken('MR_SINK_UNREACHABLE', 'sink')] },
    ['SinkUnreachable', 'SourceUnreachable'],
  ],
  ['a lost stream', { stages: [stage('ingestor'), waiting('MR_EDGE_LOST', 'decision')] }, ['EdgeLost']],
  [
    'a slot that waits for a decision',
    { stages: [stage('ingestor'), waiting('MR_POSITION_LOST', 'decision')] },
    ['PositionLost'],
  ],
  ['an edge that is full', { stages: [waiting('MR_EDGE_FULL', 'edge'), stage('sink')] }, ['EdgeFull']],
  ['pods that fell silent', { stages: [stage('ingestor'), stage('sink', { heard: [] })] }, ['NotReported']],
  ['a stage without a ready pod', { stages: [stage('ingestor'), stage('sink', { ready: 0 })] }, ['WorkloadNotReady']],
  ['nothing at all', {}, []],
  ['a pause', { status: status({ phase: 'Paused' }, { Provisioned: ['True', 'Paused'] }) }, []],
  ['a change that is under way', { status: status({}, { Reconciling: ['True', 'Reconfiguring'] }) }, []],
  [
    'an operation that gave up, of which the lifecycle tells',
    { status: status({}, { Stalled: ['True', 'KubernetesRefused'] }) },
    [],
  ],
  ['a NATS that the controller does not reach', { hearing: 'deaf' }, []],
  ['dead letters, which are told by code', { deadLetters: { records: 3, dropped: 0, byCode: [] } }, []],
];

/** The status after the controller has written what it claims. */
function written(claims: readonly Claim[], before: PipelineStatus, now: number): PipelineStatus {
  const old = before.conditions ?? [];
  const lastTransitionTime = (one: Claim) => {
    const stood = old.find(({ type }) => type === one.type);
    return stood?.status === one.status ? stood.lastTransitionTime : new Date(now).toISOString();
  };
  const own = claims.map((one) => ({ ...one, lastTransitionTime: lastTransitionTime(one) }));
  return { ...before, conditions: [...old.filter(({ type }) => !claims.some((one) => one.type === type)), ...own] };
}

function flowingIs(said: Claim<'Flowing'>): readonly Claim[] {
  return claimsOf(input()).map((one) => (one.type === 'Flowing' ? said : one));
}

/** A pipeline that is looked at once a second. */
class Night {
  outages = new Outages();
  status: PipelineStatus = status();
  now = start;
  readonly told: OutageNews[] = [];

  pass(seconds: number, some: Partial<ConditionsInput>): this {
    return this.say(seconds, claimsOf(input({ status: this.status, ...some })), some.status);
  }

  say(seconds: number, claims: readonly Claim[], of = this.status, toldElsewhere: readonly string[] = []): this {
    const isNew = ({ type }: Condition) => of.conditions?.some((one) => one.type === type) !== true;
    this.status = { ...of, conditions: [...(of.conditions ?? []), ...(this.status.conditions ?? []).filter(isNew)] };
    for (let second = 0; second < seconds; second++, this.now += 1_000) {
      // It is written after it was looked at.
      if (second === 1) this.status = written(claims, this.status, this.now);
      this.outages.observe({ claims, status: this.status, toldElsewhere }, this.now);
      for (;;) {
        const news = this.outages.next(this.now);
        if (news === undefined) break;
        this.told.push(news);
      }
    }
    return this;
  }

  get reasons(): readonly string[] {
    return this.told.map(({ reason }) => reason);
  }
}

function sink(code?: keyof typeof errorTable): readonly Claim[] {
  const base = claimsOf(input());
  if (code === undefined) return base;
  return base.map((one) =>
    one.type === 'SinkConnected' ? claimBecause(one.type, 'False', { reason: reasonOf(code), message: code }) : one,
  );
}

describe('events of outages', () => {
  for (const [what, some, told] of cases) {
    it(`U1: ${what} is told ${told.length === 0 ? 'by no Event' : 'when it has lasted, once, and when it is over'}`, () => {
      const night = new Night().pass(29, some);
      assert.deepEqual(night.reasons, []);
      night.pass(3_600, some);
      assert.deepEqual([...night.reasons].sort(), [...told].sort());
      night.pass(29, { status: status() });
      assert.equal(night.told.length, told.length);
      night.pass(60, { status: status() });
      assert.deepEqual(
        night.reasons.slice(told.length),
        told.map(() => 'OutageOver'),
      );
    });
  }

  it('U1: the end says what is over, for how long it was, and what is now', () => {
    const night = new Night().say(600, sink('MR_SINK_UNREACHABLE')).say(60, sink());
    assert.equal(night.told[1]?.note, 'SinkUnreachable is over after 10 min. 1 pod is connected.');
  });

  it('U1: what passes within half a minute is not told', () => {
    const night = new Night();
    for (let time = 0; time < 100; time++) night.say(20, sink('MR_SINK_UNREACHABLE')).say(20, sink());
    assert.deepEqual(night.reasons, []);
  });

  it('U3: a controller that comes after another has the same names, so that nothing is told twice', () => {
    const night = new Night().say(60, sink('MR_SINK_UNREACHABLE'));
    night.outages = new Outages();
    night.say(60, sink('MR_SINK_UNREACHABLE'));
    assert.equal(new Set(night.told.map(({ key }) => key)).size, 1);
  });

  it('U3: an outage that ended while no controller was up is told to be over', () => {
    const night = new Night().say(60, sink('MR_SINK_UNREACHABLE'));
    night.outages = new Outages();
    night.now += 600_000;
    night.say(60, sink());
    assert.deepEqual(night.reasons, ['SinkUnreachable', 'OutageOver']);
  });

  it('U4: a sink whose pods connect anew may still be away', () => {
    const connecting = sink().map((one) =>
      one.type === 'SinkConnected' ? claim(one.type, 'Connecting', { pod: 'a' }) : one,
    );
    const night = new Night().say(60, sink('MR_SINK_UNREACHABLE')).say(600, connecting);
    assert.deepEqual(night.reasons, ['SinkUnreachable']);
    night.say(60, sink());
    assert.deepEqual(night.reasons, ['SinkUnreachable', 'OutageOver']);
  });

  const unseen = (reason: 'NoPods' | 'Paused' | 'Stopped') =>
    sink().map((one) => {
      if (one.type === 'SinkConnected' || one.type === 'SourceConnected')
        return reason === 'NoPods' ? claim(one.type, reason, { stages: 'a stage' }) : claim(one.type, reason);
      return one.type === 'Flowing' ? claim('Flowing', reason) : one;
    });
  for (const reason of ['NoPods', 'Paused', 'Stopped'] as const) {
    it(`U4: ${reason} says nothing of a sink that failed: nobody looks at it, and it is no other outage when somebody does`, () => {
      const night = new Night().say(60, sink('MR_SINK_UNREACHABLE')).say(3_600, unseen(reason));
      night.say(600, sink('MR_SINK_UNREACHABLE'));
      assert.deepEqual(night.reasons, ['SinkUnreachable']);
      night.say(60, sink());
      assert.deepEqual(night.reasons, ['SinkUnreachable', 'OutageOver']);
    });
  }

  it('U4: another reason in front of it ends nothing; both are over when the condition is well, each after its own time', () => {
    const night = new Night().say(600, sink('MR_SINK_UNREACHABLE')).say(1_200, sink('MR_SINK_AUTH_REJECTED'));
    assert.deepEqual(night.reasons, ['SinkUnreachable', 'SinkAuthRejected']);
    night.say(60, sink());
    assert.deepEqual(
      night.told.slice(2).map(({ note }) => note),
      [
        'SinkUnreachable is over after 10 min. 1 pod is connected.',
        'SinkAuthRejected is over after 20 min. 1 pod is connected.',
      ],
    );
  });

  it('U4: an edge that is full is over when there is nothing to read, and what is over once may begin again', () => {
    const full = flowingIs(claimBecause('Flowing', 'False', { reason: 'EdgeFull', message: 'full' }));
    const night = new Night();
    for (let time = 0; time < 3; time++) night.say(60, full).say(60, flowingIs(claim('Flowing', 'Idle')));
    assert.deepEqual(night.reasons, ['EdgeFull', 'OutageOver', 'EdgeFull', 'OutageOver', 'EdgeFull', 'OutageOver']);
  });

  it('U7: reasons that take turns are an outage, told by one of them, and over once', () => {
    const night = new Night();
    for (let turn = 0; turn < 90; turn++)
      night.say(20, sink('MR_SINK_UNREACHABLE')).say(20, sink('MR_SINK_AUTH_REJECTED'));
    assert.deepEqual(night.reasons, ['SinkAuthRejected']);
    night.say(60, sink());
    assert.deepEqual(
      night.told.map(({ note }) => note),
      ['MR_SINK_AUTH_REJECTED', 'SinkAuthRejected is over after 60 min. 1 pod is connected.'],
    );
  });

  it('U7: so is a condition that repeats what takes turns in others', () => {
    const [away, gone] = [broken('MR_SINK_UNREACHABLE', 'sink'), broken('MR_SOURCE_UNREACHABLE', 'ingestor')];
    const night = new Night();
    for (let turn = 0; turn < 90; turn++)
      night.pass(20, { stages: [stage('ingestor'), away] }).pass(20, { stages: [gone, stage('sink')] });
    assert.deepEqual(night.reasons, ['SourceUnreachable']);
  });

  it('U6: what the teller has told begins no second time, and is told to be over', () => {
    const { reason, sentence: message } = mr('MR_ENGINE_UNAVAILABLE', { address: 'temporal:7233' });
    const untold = claimsOf(input({ untold: { reason, message } }));
    const night = new Night().say(600, untold, status(), [reason]);
    assert.deepEqual(night.reasons, []);
    night.say(60, sink());
    assert.deepEqual(night.reasons, ['OutageOver']);
  });

  it('U2, U5: whatever comes and goes, beginnings and ends take turns, and are bounded', () => {
    const codes = [undefined, 'MR_SINK_UNREACHABLE', 'MR_SINK_AUTH_REJECTED', 'MR_SINK_SILENT'] as const;
    const change = fc.record({ code: fc.constantFrom(...codes), seconds: fc.integer({ min: 1, max: 120 }) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const night = new Night();
        for (const { code, seconds } of changes) night.say(seconds, sink(code));
        const names = night.told.map(({ reason, key }) => `${reason}/${key}`);
        assert.equal(new Set(names).size, names.length, 'two Events have one name');
        assert(night.told.length <= 10 + Math.ceil((night.now - start) / 300_000), String(night.told.length));
        const open = new Set<string>();
        for (const { type, reason, note } of night.told) {
          if (type === 'Warning') {
            assert(!open.has(reason), `${reason} was told twice`);
            open.add(reason);
          } else {
            assert(open.delete(note.split(' ')[0] ?? ''), `${note} never began`);
          }
        }
        night.say(3_700, sink());
        const before = night.told.length;
        night.say(3_600, sink());
        assert.equal(night.told.length, before, 'something was told while nothing changed');
      }),
      { numRuns: 60 },
    );
  });

  it('U1: every error that is retried is an outage where it is the reason of a condition', () => {
    const types: readonly ConditionOf<'controller'>[] = ['SinkConnected', 'SourceConnected', 'Flowing'];
    for (const code of Object.keys(errorTable)) {
      for (const type of types) {
        const claims = claimsOf(input()).map((one) =>
          one.type === type ? claimBecause(type, 'False', { reason: reasonOf(code), message: code }) : one,
        );
        assert.deepEqual(new Night().say(40, claims).reasons, [reasonOf(code)]);
      }
    }
  });
});
