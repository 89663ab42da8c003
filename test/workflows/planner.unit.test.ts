import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { OperationKind } from '../../model/lifecycle.ts';
import type { DesiredState } from '../../model/plan.ts';
import { mustPreempt, planNext, type Intent } from '../../workflows/planner.ts';
import {
  begin,
  finish,
  migrate,
  newState,
  noteDrift,
  preempt,
  refuse,
  request,
  see,
  want,
  wantAgain,
  type Actual,
  type Outcome,
  type PipelineState,
} from '../../workflows/state.ts';
import { failure, pipeline, spec } from './builders.ts';

const at = '2026-01-01T00:00:00Z';

describe('planner: what happens next', () => {
  const rows: [title: string, state: PipelineState, expected: string][] = [
    ['reads the resource first', want(newState(pipeline), { generation: 1, deleting: false }), 'look'],
    ['provisions what was never made', seen({ is: 'absent' }, 'Running', 1), 'provision'],
    ['provisions without pods when Paused is wanted from the start', seen({ is: 'absent' }, 'Paused', 1), 'provision'],
    ['rests when the generation is carried out', seen({ is: 'Running', generation: 2 }, 'Running', 2), 'rest'],
    ['reconfigures for a newer generation', seen({ is: 'Running', generation: 1 }, 'Running', 2), 'reconfigure'],
    ['pauses a running pipeline', seen({ is: 'Running', generation: 1 }, 'Paused', 2), 'pause'],
    ['stops a running pipeline', seen({ is: 'Running', generation: 1 }, 'Stopped', 2), 'stop'],
    ['drains a paused pipeline that should be stopped', seen({ is: 'Paused', generation: 1 }, 'Stopped', 2), 'stop'],
    ['resumes a paused pipeline', seen({ is: 'Paused', generation: 2 }, 'Running', 3), 'resume'],
    ['resumes a stopped pipeline', seen({ is: 'Stopped', generation: 2 }, 'Running', 3), 'resume'],
    ['takes over an edit while paused', seen({ is: 'Paused', generation: 2 }, 'Paused', 3), 'reconfigure'],
    ['provisions again what was cut short', seen({ is: 'unfinished', provisioned: false }, 'Running', 2), 'provision'],
    ['pauses what was cut short', seen({ is: 'unfinished', provisioned: false }, 'Paused', 2), 'pause'],
    ['reconfigures an unfinished pipeline', seen({ is: 'unfinished', provisioned: true }, 'Running', 2), 'reconfigure'],
    ['tears down when deleted', deleted(seen({ is: 'Running', generation: 1 }, 'Running', 1)), 'teardown'],
    ['tears down without having read the resource', deleted(newState(pipeline)), 'teardown'],
    ['ends when gone', { ...newState(pipeline), actual: { is: 'gone' } }, 'end'],
    ['converges again when asked', wantAgain(seen({ is: 'Running', generation: 1 }, 'Running', 1)), 'reconfigure'],
    ['N6: repairs what others changed', drifted(seen({ is: 'Running', generation: 1 }, 'Running', 1)), 'repair'],
    ['N6: repairs a pipeline that stands still', drifted(seen({ is: 'Paused', generation: 1 }, 'Paused', 1)), 'repair'],
    ['N6: an edit repairs, too', drifted(seen({ is: 'Running', generation: 1 }, 'Running', 2)), 'reconfigure'],
    ['N6: a pause comes first', drifted(seen({ is: 'Running', generation: 1 }, 'Paused', 2)), 'pause'],
    [
      'N6: what is deleted is not repaired',
      drifted(deleted(seen({ is: 'Running', generation: 1 }, 'Running', 1))),
      'teardown',
    ],
    ['rests after a refused spec', refuse(newState(pipeline), failure('read', 1)), 'rest'],
    ['looks again at a refused spec when asked', wantAgain(refuse(newState(pipeline), failure('read', 1))), 'look'],
  ];
  for (const [title, state, expected] of rows) {
    it(title, () => assert.equal(described(state), expected));
  }

  it('N4: does not repeat a failed operation until a newer generation or a request', () => {
    const failed = finish(
      running(seen({ is: 'absent' }, 'Running', 1)),
      { is: 'failed', code: 'MR_KUBERNETES_REFUSED', message: 'no' },
      at,
    );
    assert.equal(described(failed), 'rest');
    assert.equal(described(wantAgain(failed)), 'provision');
    assert.equal(
      described(see(want(failed, { generation: 2, deleting: false }), spec({ generation: 2 }))),
      'provision',
    );
    assert.equal(described(deleted(failed)), 'teardown');
  });

  it('N6: a repair answers what was known when it began, and says what it was', () => {
    const state = drifted(seen({ is: 'Running', generation: 1 }, 'Running', 1));
    const next = planNext(state);
    assert.ok(next.do === 'start');
    assert.equal(next.operation.because, 'sink was deleted');
    const repaired = finish(begin(state, next.operation, at), { is: 'done', generation: 1 }, at);
    assert.equal(described(repaired), 'rest');
    const meanwhile = noteDrift(begin(state, next.operation, at), 'again');
    assert.equal(described(meanwhile), 'rest');
    assert.equal(described(finish(meanwhile, { is: 'done', generation: 1 }, at)), 'repair');
  });

  it('a state of an earlier build, without drift and requests, is taken over', () => {
    const { requests: _, wanted, ...rest } = seen({ is: 'Running', generation: 1 }, 'Running', 1);
    const { drift: __, ...earlier } = wanted;
    assert.equal(described(migrate({ ...rest, wanted: earlier })), 'rest');
  });

  it('remembers the last twenty requests, and each counts once', () => {
    let state = newState(pipeline);
    for (let i = 0; i < 30; i += 1) state = request(state, `r${i}`);
    assert.equal(state.requests.length, 20);
    const calm = { ...state, wanted: { ...state.wanted, again: false } };
    assert.equal(request(calm, 'r29').wanted.again, false);
    assert.equal(request(calm, 'r30').wanted.again, true);
  });

  it('N4: a failed teardown waits for a person', () => {
    const failed = finish(
      running(deleted(seen({ is: 'Running', generation: 1 }, 'Running', 1))),
      { is: 'failed', code: 'MR_KUBERNETES_REFUSED', message: 'no' },
      at,
    );
    assert.equal(described(failed), 'rest');
    assert.equal(described(wantAgain(failed)), 'teardown');
  });

  it('reads the resource while an operation runs, so that a pause is found', () => {
    const busy = running(seen({ is: 'absent' }, 'Running', 1));
    assert.equal(described(want(busy, { generation: 2, deleting: false })), 'look');
    assert.equal(described(see(busy, spec({ generation: 2, desiredState: 'Paused' }))), 'preempt by Paused');
  });

  it('a new entity of an old pipeline goes on counting where the status says', () => {
    const state = see(want(newState(pipeline), { generation: 4, deleting: false }), spec({ generation: 4, opSeq: 9 }));
    const next = planNext(state);
    assert.ok(next.do === 'start');
    assert.deepEqual([next.operation.kind, next.operation.seq], ['reconfigure', 10]);
  });

  it('starts over when the resource had moved on before the operation read it', () => {
    const state = finish(running(seen({ is: 'absent' }, 'Running', 1)), { is: 'superseded', generation: 2 }, at);
    assert.equal(described(state), 'look');
    assert.equal(described(see(state, spec({ generation: 2 }))), 'provision');
  });
});

describe('planner: preemption', () => {
  const kinds: OperationKind[] = ['provision', 'reconfigure', 'repair', 'resume', 'pause', 'stop', 'teardown'];
  const intents: Intent[] = ['delete', 'Paused', 'Stopped', 'Running'];
  it('N3: nothing preempts teardown', () => {
    for (const intent of intents) assert.equal(mustPreempt('teardown', intent), false);
  });
  it('N3: delete preempts everything else', () => {
    for (const kind of kinds.filter((kind) => kind !== 'teardown')) assert.equal(mustPreempt(kind, 'delete'), true);
  });
  it('N3: pause preempts everything but teardown and itself', () => {
    const preempted = kinds.filter((kind) => mustPreempt(kind, 'Paused'));
    assert.deepEqual(preempted, ['provision', 'reconfigure', 'repair', 'resume', 'stop']);
  });
});

describe('planner: properties', () => {
  type Event =
    | { do: 'edit'; desired: DesiredState }
    | { do: 'delete' }
    | { do: 'again' }
    | { do: 'drift' }
    | { do: 'repeat' }
    | { do: 'end'; outcome: 'done' | 'failed' };
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.record({
      do: fc.constant('edit' as const),
      desired: fc.constantFrom<DesiredState>('Running', 'Paused', 'Stopped'),
    }),
    fc.constant<Event>({ do: 'delete' }),
    fc.constant<Event>({ do: 'again' }),
    fc.constant<Event>({ do: 'drift' }),
    fc.constant<Event>({ do: 'repeat' }),
    fc.record({ do: fc.constant('end' as const), outcome: fc.constantFrom('done' as const, 'failed' as const) }),
  );

  it('N1 N2 L1 L3: any sequence of intents keeps one operation, counts upwards, and deletion ends in teardown', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const world = new World();
        for (const next of events) world.take(next);
        world.take({ do: 'delete' });
        world.take({ do: 'again' });
        for (let turn = 0; turn < 5 && world.state.actual.is !== 'gone'; turn += 1)
          world.take({ do: 'end', outcome: 'done' });
        assert.equal(world.state.actual.is, 'gone');
        assert.equal(world.state.history.at(-1)?.kind, 'teardown');
      }),
    );
  });

  it('N5: after the last operation is done the actual state is the wanted one and nothing more happens', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const world = new World();
        for (const next of events) if (next.do !== 'delete') world.take(next);
        world.take({ do: 'edit', desired: 'Running' });
        for (let turn = 0; turn < 5; turn += 1) world.take({ do: 'end', outcome: 'done' });
        assert.deepEqual(world.state.actual, { is: 'Running', generation: world.resource.generation });
        assert.equal(planNext(world.state).do, 'rest');
      }),
    );
  });

  /** The entity's loop and a resource, without Temporal. */
  class World {
    state = newState(pipeline);
    resource = { generation: 1, desired: 'Running' as DesiredState, deleting: false };

    take(event: Event): void {
      const { resource } = this;
      if (event.do === 'edit')
        this.resource = { ...resource, generation: resource.generation + 1, desired: event.desired };
      if (event.do === 'delete' && !resource.deleting) {
        this.resource = { ...resource, generation: resource.generation + 1, deleting: true };
      }
      if (event.do === 'drift') this.state = noteDrift(this.state, 'sink was deleted');
      if (event.do === 'again') this.state = wantAgain(this.state);
      if (event.do === 'end' && this.state.running !== null) this.end(event.outcome);
      const { generation, deleting } = this.resource;
      this.state = want(this.state, { generation, deleting });
      this.settle();
    }

    private end(outcome: 'done' | 'failed'): void {
      const { running } = this.state;
      assert.ok(running);
      const result: Outcome = running.cancelling
        ? { is: 'preempted' }
        : outcome === 'done'
          ? { is: 'done', generation: running.generation }
          : { is: 'failed', code: 'MR_KUBERNETES_REFUSED', message: 'no' };
      this.state = finish(this.state, result, at);
    }

    private settle(): void {
      for (let turn = 0; ; turn += 1) {
        assert.ok(turn < 10, 'the planner does not settle');
        const before = this.state;
        const next = planNext(before);
        if (next.do === 'look') {
          const { generation, desired, deleting } = this.resource;
          this.state = see(before, spec({ generation, desiredState: desired, deleting, opSeq: before.lastSeq }));
        } else if (next.do === 'start') {
          assert.equal(before.running, null, 'N2');
          assert.ok(next.operation.seq > before.lastSeq, 'L3');
          if (before.wanted.deleting) assert.equal(next.operation.kind, 'teardown', 'N1');
          assert.ok(next.operation.generation <= this.resource.generation, 'observed ≤ wanted');
          this.state = begin(before, next.operation, at);
        } else if (next.do === 'preempt') {
          assert.notEqual(before.running?.kind, 'teardown', 'N3');
          this.state = preempt(before);
        } else return;
      }
    }
  }
});

function seen(actual: Actual, desiredState: DesiredState, generation: number): PipelineState {
  return {
    ...see(want(newState(pipeline), { generation, deleting: false }), spec({ generation, desiredState })),
    actual,
  };
}

function drifted(state: PipelineState): PipelineState {
  return noteDrift(state, 'sink was deleted');
}

function deleted(state: PipelineState): PipelineState {
  return want(state, { generation: state.wanted.generation + 1, deleting: true });
}

function running(state: PipelineState): PipelineState {
  const next = planNext(state);
  assert.ok(next.do === 'start');
  return begin(state, next.operation, at);
}

function described(state: PipelineState): string {
  const next = planNext(state);
  if (next.do === 'start') return next.operation.kind;
  return next.do === 'preempt' ? `preempt by ${next.because}` : next.do;
}
