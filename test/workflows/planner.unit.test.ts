import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { OperationKind } from '../../model/lifecycle.ts';
import type { DesiredState } from '../../model/plan.ts';
import { mustPreempt, operationTable, type Intent } from '../../model/operations.ts';
import { planNext } from '../../workflows/planner.ts';
import {
  begin,
  finish,
  migrate,
  newState,
  noteDrift,
  preempt,
  refuse,
  request,
  noteSpec,
  noteWanted,
  wantAgain,
  type Actual,
  type Operation,
  type Outcome,
  type PipelineState,
} from '../../workflows/state.ts';
import { pipeline, spec } from './builders.ts';

const at = '2026-01-01T00:00:00Z';

describe('planner: what happens next', () => {
  const rows: [title: string, state: PipelineState, expected: string][] = [
    ['reads the resource first', noteWanted(newState(pipeline), { generation: 1, deleting: false }), 'look'],
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
    ['rests after a refused spec', refused(newState(pipeline), 1, 'Running'), 'rest'],
    ['looks again at a refused spec when asked', request(refused(newState(pipeline), 1, 'Running'), 'r1'), 'look'],
    ['N7: reads when drift has woken it', drifted(newState(pipeline)), 'look'],
    ['N7: reads when credentials have woken it', wantAgain(newState(pipeline)), 'look'],
    ['N7: reads when a retry has woken it', request(newState(pipeline), 'r1'), 'look'],
    ['N7: reads when it was started by hand', newState(pipeline), 'look'],
    [
      'N7: reads when it was told that the resource is not there',
      noteWanted(seen({ is: 'Running', generation: 1 }, 'Running', 1), { generation: 0, deleting: false }),
      'look',
    ],
    [
      'L1: carries out a generation that went back',
      noteSpec(seen({ is: 'Running', generation: 7 }, 'Running', 7), spec({ generation: 3 }), 7),
      'reconfigure',
    ],
    [
      'L1: reads an edit after a generation that went back',
      noteWanted(seen({ is: 'Running', generation: 7 }, 'Running', 7), { generation: 4, deleting: false }),
      'look',
    ],
    [
      'N8: pauses by a refused spec',
      refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, 'Paused'),
      'pause of 2, refused',
    ],
    [
      'N8: stops by a refused spec',
      refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, 'Stopped'),
      'stop of 2, refused',
    ],
    [
      'N8: goes on beside a refused spec',
      refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, 'Running'),
      'rest',
    ],
    [
      'N8: takes new credentials beside a refused spec',
      wantAgain(refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, 'Running')),
      'repair of 1, refused',
    ],
    [
      'N8: repairs beside a refused spec',
      drifted(refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, null)),
      'repair of 1, refused',
    ],
    [
      'N8: repairs what was paused by a refused spec',
      drifted(refused(seen({ is: 'Paused', generation: 2 }, 'Running', 1), 2, 'Paused')),
      'repair of 2, refused',
    ],
    [
      'N8: finishes what was accepted when the next spec is refused',
      refused(seen({ is: 'unfinished', provisioned: true }, 'Running', 1), 2, 'Running'),
      'repair of 1, refused',
    ],
    [
      'N8: is not resumed by a refused spec',
      refused(seen({ is: 'Paused', generation: 1 }, 'Paused', 1), 2, 'Running'),
      'rest',
    ],
    [
      'N8: tears down beside a refused spec',
      deleted(refused(seen({ is: 'Running', generation: 1 }, 'Running', 1), 2, 'Running')),
      'teardown',
    ],
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
    assert.equal(described(drifted(failed)), 'provision');
    assert.equal(described(noteSpec(failed, spec({ generation: 2 }), 1)), 'provision');
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
    const { requests: _, refused: __, wanted, ...rest } = seen({ is: 'Running', generation: 1 }, 'Running', 1);
    const { generation, deleting, again } = wanted;
    assert.equal(described(migrate({ ...rest, wanted: { generation, deleting, again } })), 'rest');
  });

  it('a refusal that v0.1 kept as a failure stays refused, and does not stand in the way of a pause', () => {
    const { refused: _, ...state } = seen({ is: 'Running', generation: 1 }, 'Running', 1);
    const failure = { generation: 2, operation: 'read', code: 'MR_SPEC_INVALID', message: 'no', at } as const;
    const migrated = migrate({ ...state, wanted: { ...state.wanted, generation: 2 }, failure });
    assert.equal(described(migrated), 'rest');
    assert.equal(described(request(migrated, 'r1')), 'look');
    assert.equal(described(refused(migrated, 3, 'Paused')), 'pause of 3, refused');
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
    assert.equal(described(noteWanted(busy, { generation: 2, deleting: false })), 'look');
    assert.equal(described(noteSpec(busy, spec({ generation: 2, desiredState: 'Paused' }), 1)), 'preempt by Paused');
  });

  it('N8: a refused spec preempts only to stand still', () => {
    const busy = running(seen({ is: 'Running', generation: 1 }, 'Running', 2));
    assert.equal(described(refused(busy, 3, 'Running')), 'rest');
    assert.equal(described(refused(busy, 3, null)), 'rest');
    const preempted = refused(busy, 3, 'Paused');
    assert.equal(described(preempted), 'preempt by Paused');
    assert.equal(described(finish(preempt(preempted), { is: 'preempted' }, at)), 'pause of 3, refused');
    assert.equal(described(running(finish(preempt(preempted), { is: 'preempted' }, at))), 'rest');
  });

  it('L2: what is told while the resource is read is not lost', () => {
    const told = noteWanted(newState(pipeline), { generation: 1, deleting: false });
    const meanwhile = noteWanted(told, { generation: 2, deleting: false });
    assert.equal(described(noteSpec(meanwhile, spec({ generation: 1 }), 1)), 'look');
    assert.equal(described(noteSpec(meanwhile, spec({ generation: 2 }), 1)), 'provision');
  });

  it('L4: a resource that is not being deleted after all is read, and goes on', () => {
    const torn = running(deleted(seen({ is: 'Running', generation: 1 }, 'Running', 1)));
    const spared = finish(torn, { is: 'notDeleted' }, at);
    assert.equal(described(spared), 'look');
    assert.equal(described(noteSpec(spared, spec({ generation: 1 }), spared.wanted.generation)), 'rest');
    const read = noteSpec(spared, spec({ generation: 2, deleting: true }), spared.wanted.generation);
    assert.equal(described(read), 'teardown');
  });

  it('an operation whose id is taken by a run of an earlier entity is started under the next one', () => {
    const state = finish(running(seen({ is: 'absent' }, 'Running', 1)), { is: 'occupied' }, at);
    const next = planNext(state);
    assert.ok(next.do === 'start');
    assert.deepEqual([next.operation.kind, next.operation.seq], ['provision', 2]);
  });

  it('an entity of v0.1 learns where its pipeline is, and tries again what has failed without it', () => {
    const failed = finish(
      running(deleted(seen({ is: 'Running', generation: 1 }, 'Running', 1))),
      { is: 'failed', code: 'MR_CLUSTER_UNKNOWN', message: 'no' },
      at,
    );
    const told = noteWanted(failed, { generation: 2, deleting: true, cluster: 'c1' });
    assert.equal(told.pipeline.cluster, 'c1');
    assert.equal(described(told), 'teardown');
    assert.equal(noteWanted(told, { generation: 2, deleting: true, cluster: 'c2' }).pipeline.cluster, 'c1');
  });

  it('a new entity of an old pipeline goes on counting where the status says', () => {
    const told = noteWanted(newState(pipeline), { generation: 4, deleting: false });
    const state = noteSpec(told, spec({ generation: 4, opSeq: 9 }), 4);
    const next = planNext(state);
    assert.ok(next.do === 'start');
    assert.deepEqual([next.operation.kind, next.operation.seq], ['reconfigure', 10]);
  });

  it('a new entity of an old pipeline whose newest spec is refused keeps what was accepted', () => {
    const read = { generation: 4, deleting: false, desiredState: 'Running', acceptedGeneration: 3, opSeq: 9 } as const;
    const state = refuse(drifted(newState(pipeline)), { code: 'MR_SPEC_INVALID', message: 'no', read }, 0, at);
    assert.equal(described(state), 'repair of 3, refused');
  });

  it('starts over when the resource had moved on before the operation read it', () => {
    const state = finish(running(seen({ is: 'absent' }, 'Running', 1)), { is: 'superseded', generation: 2 }, at);
    assert.equal(described(state), 'look');
    assert.equal(described(noteSpec(state, spec({ generation: 2 }), 1)), 'provision');
  });

  it('what was overtaken at work has done something: a resume that a pause has cut is paused again', () => {
    const resuming = running(seen({ is: 'Paused', generation: 1 }, 'Running', 2));
    const cut = finish(resuming, { is: 'overtaken' }, at);
    assert.equal(described(cut), 'look');
    assert.equal(described(noteSpec(cut, spec({ generation: 3, desiredState: 'Paused' }), 2)), 'pause');
  });
});

describe('planner: preemption', () => {
  const kinds = Object.keys(operationTable).filter((kind): kind is OperationKind => kind in operationTable);
  const intents: Intent[] = ['delete', 'Paused', 'Stopped', 'Running'];
  it('N3: nothing preempts teardown', () => {
    for (const intent of intents) assert.equal(mustPreempt('teardown', intent), false);
  });
  it('N3: delete preempts everything else', () => {
    for (const kind of kinds.filter((kind) => kind !== 'teardown')) assert.equal(mustPreempt(kind, 'delete'), true);
  });
  it('N3: pause preempts everything but teardown and itself', () => {
    const preempted = kinds.filter((kind) => mustPreempt(kind, 'Paused'));
    assert.deepEqual(preempted, ['provision', 'reconfigure', 'repair', 'stop', 'resume']);
  });
});

describe('planner: properties', () => {
  type Event =
    | { do: 'edit'; desired: DesiredState; valid: boolean }
    /** etcd was restored from a backup: an earlier state of the resource is back. */
    | { do: 'restore'; to: number }
    | { do: 'delete' }
    | { do: 'credentials' }
    | { do: 'retry' }
    | { do: 'drift' }
    | { do: 'repeat' }
    /** The entity was ended by hand: the next telling starts a new one. */
    | { do: 'replace' }
    | { do: 'end'; outcome: 'done' | 'failed' | 'late' };
  const desired = fc.constantFrom<DesiredState>('Running', 'Paused', 'Stopped');
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('edit' as const), desired, valid: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), to: fc.nat(20) }) },
    {
      weight: 5,
      arbitrary: fc.constantFrom<Event>(
        { do: 'delete' },
        { do: 'credentials' },
        { do: 'retry' },
        { do: 'drift' },
        { do: 'repeat' },
        { do: 'replace' },
      ),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        outcome: fc.constantFrom('done' as const, 'failed' as const, 'late' as const),
      }),
    },
  );
  const events = (maxLength: number) => fc.array(event, { maxLength });
  const alive = (list: readonly Event[]) => list.filter(({ do: what }) => what !== 'delete');

  it('N1 N2 L3: any sequence of intents keeps one operation, counts upwards, and deletion ends in teardown', () => {
    fc.assert(
      fc.property(events(60), (list) => {
        const world = new World();
        for (const next of list) world.take(next);
        world.take({ do: 'delete' });
        world.take({ do: 'retry' });
        world.finishAll();
        assert.equal(world.state.actual.is, 'gone');
        assert.equal(world.state.history.at(-1)?.kind, 'teardown');
      }),
    );
  });

  it('N5 L1 M2: after the last operation the cluster is as the newest read wants it, and nothing more happens', () => {
    fc.assert(
      fc.property(events(40), desired, (list, last) => {
        const world = new World();
        for (const next of alive(list)) world.take(next);
        world.take({ do: 'edit', desired: last, valid: true });
        world.finishAll();
        assert.deepEqual(world.state.actual, { is: last, generation: world.resource.generation });
        assert.equal(world.pods, last === 'Running' ? 'all' : 'none');
        assert.equal(planNext(world.state).do, 'rest');
      }),
    );
  });

  it('N8: a refused spec that wants no pods has none after the last operation', () => {
    fc.assert(
      fc.property(events(40), fc.constantFrom<DesiredState>('Paused', 'Stopped'), (list, still) => {
        const world = new World();
        world.take({ do: 'edit', desired: 'Running', valid: true });
        world.finishAll();
        for (const next of alive(list)) world.take(next);
        world.take({ do: 'edit', desired: still, valid: false });
        world.take({ do: 'retry' });
        world.finishAll();
        assert.equal(world.pods, 'none');
      }),
    );
  });

  it('N8: new credentials reach the pods of a pipeline whose newest spec is refused', () => {
    fc.assert(
      fc.property(events(30), (list) => {
        const world = new World();
        for (const next of alive(list)) world.take(next);
        world.take({ do: 'edit', desired: 'Running', valid: true });
        world.finishAll();
        world.take({ do: 'edit', desired: 'Running', valid: false });
        const before = world.converged;
        world.take({ do: 'credentials' });
        world.finishAll();
        assert.ok(world.converged > before);
      }),
    );
  });

  it('N4: drift wakes a pipeline whose operation has failed', () => {
    fc.assert(
      fc.property(events(30), (list) => {
        const world = new World();
        for (const next of alive(list)) world.take(next);
        world.take({ do: 'edit', desired: 'Running', valid: true });
        world.take({ do: 'end', outcome: 'failed' });
        world.take({ do: 'drift' });
        world.finishAll();
        assert.equal(world.pods, 'all');
      }),
    );
  });

  describe('L6: after a restore of etcd the next spec of a number that was used before', () => {
    const invalid = (wanted: DesiredState): Event => ({ do: 'edit', desired: wanted, valid: false });
    const valid: Event = { do: 'edit', desired: 'Running', valid: true };
    for (const [what, list] of [
      [
        'had failed',
        [invalid('Running'), invalid('Stopped'), { do: 'end', outcome: 'done' }, { do: 'end', outcome: 'failed' }],
      ],
      ['was carried out', [invalid('Running'), valid, { do: 'end', outcome: 'done' }, { do: 'end', outcome: 'done' }]],
    ] as const)
      it(`is carried out, where that one ${what}`, () => {
        const world = new World();
        for (const next of [{ do: 'repeat' } as const, ...list]) world.take(next);
        world.take({ do: 'restore', to: 1 });
        const { converged } = world;
        world.take(valid);
        world.finishAll();
        assert.deepEqual(world.state.actual, { is: 'Running', generation: 3 });
        assert.ok(world.converged > converged);
      });
  });

  /** The entity's loop, a resource, and what operations do to pods: without Temporal. */
  class World {
    state = newState(pipeline);
    resource = { generation: 1, desired: 'Running' as DesiredState, valid: true, deleting: false };
    /** `some`: an operation was cut in the middle. */
    pods: 'none' | 'some' | 'all' = 'none';
    /** How often pods were made as a plan wants them. */
    converged = 0;
    private readonly backups: (typeof this.resource)[] = [];
    private accepted = 0;
    private requests = 0;

    take(event: Event): void {
      const { resource } = this;
      const generation = resource.generation + 1;
      switch (event.do) {
        case 'edit':
          this.backups.push(resource);
          this.resource = { ...resource, generation, desired: event.desired, valid: event.valid };
          break;
        case 'restore':
          this.resource = { ...(this.backups[event.to] ?? resource), deleting: resource.deleting };
          break;
        case 'delete':
          if (!resource.deleting) this.resource = { ...resource, generation, deleting: true };
          break;
        case 'drift':
          this.state = noteDrift(this.state, 'sink was deleted');
          break;
        case 'credentials':
          this.state = wantAgain(this.state);
          break;
        case 'retry':
          this.state = request(this.state, `r${(this.requests += 1)}`);
          break;
        case 'replace':
          this.state = { ...newState(pipeline), running: null };
          this.lastSeqOfStatus = Math.max(this.lastSeqOfStatus, this.lastSeq);
          break;
        case 'end':
          if (this.state.running !== null) this.end(event.outcome);
          break;
        case 'repeat':
          break;
      }
      this.tell();
      this.settle();
    }

    /** Ends what runs, and what follows from it, until nothing runs. */
    finishAll(): void {
      for (let turn = 0; this.state.running !== null; turn += 1) {
        assert.ok(turn < 10, 'operations follow each other without end');
        this.take({ do: 'end', outcome: 'done' });
      }
    }

    private lastSeq = 0;
    private lastSeqOfStatus = 0;

    private tell(): void {
      const { generation, deleting } = this.resource;
      this.state = noteWanted(this.state, { generation, deleting });
    }

    private end(outcome: 'done' | 'failed' | 'late'): void {
      const { running } = this.state;
      assert.ok(running);
      const isOvertaken = running.kind !== 'teardown' && !this.isUpToDate(running);
      if (running.cancelling || outcome === 'late' || outcome === 'failed' || isOvertaken) this.pods = 'some';
      else this.effect(running);
      const result: Outcome = running.cancelling
        ? { is: 'preempted' }
        : isOvertaken
          ? { is: 'overtaken' }
          : outcome === 'done'
            ? { is: 'done', generation: running.generation }
            : { is: 'failed', code: 'MR_KUBERNETES_REFUSED', message: 'no' };
      this.state = finish(this.state, result, at);
    }

    /** Steps read the resource: an operation of another generation than the resource's notices. */
    private isUpToDate({ refused: isRefused, generation }: Operation): boolean {
      return isRefused === true || (generation === this.resource.generation && this.resource.valid);
    }

    private effect({ kind, desired: wanted }: Operation): void {
      if (kind === 'teardown') this.pods = 'none';
      // An edit of a pipeline that stays paused changes no object.
      else if (wanted !== 'Running') this.pods = kind === 'reconfigure' ? this.pods : 'none';
      else {
        this.pods = 'all';
        this.converged += 1;
      }
    }

    private look(): void {
      const { generation, desired: desiredState, deleting, valid } = this.resource;
      const told = this.state.wanted.generation;
      const opSeq = Math.max(this.lastSeqOfStatus, this.state.lastSeq);
      if (valid) {
        this.accepted = generation;
        this.state = noteSpec(this.state, spec({ generation, desiredState, deleting, opSeq }), told);
        return;
      }
      const read = { generation, deleting, desiredState, opSeq, acceptedGeneration: this.accepted };
      this.state = refuse(this.state, { code: 'MR_SPEC_INVALID', message: 'no', read }, told, at);
    }

    private settle(): void {
      for (let turn = 0; ; turn += 1) {
        assert.ok(turn < 10, 'the planner does not settle');
        const before = this.state;
        const next = planNext(before);
        if (next.do === 'look') {
          this.look();
        } else if (next.do === 'start') {
          const { operation } = next;
          assert.equal(before.running, null, 'N2');
          assert.ok(operation.seq > before.lastSeq, 'L3');
          if (before.wanted.deleting) assert.equal(operation.kind, 'teardown', 'N1');
          assert.ok(operation.refused === true || operation.kind === 'teardown' || this.resource.valid, 'N8');
          this.state = begin(before, operation, at);
          const newer = this.lastSeqOfStatus;
          if (operation.seq <= newer) this.state = finish(this.state, { is: 'fenced', newer }, at);
          else this.lastSeq = operation.seq;
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
    ...noteSpec(
      noteWanted(newState(pipeline), { generation, deleting: false }),
      spec({ generation, desiredState }),
      generation,
    ),
    actual,
  };
}

function refused(state: PipelineState, generation: number, desiredState: DesiredState | null): PipelineState {
  const { acceptedGeneration, lastSeq: opSeq } = state;
  const read = { generation, deleting: false, desiredState, acceptedGeneration, opSeq };
  const told = noteWanted(state, { generation, deleting: false });
  return refuse(told, { code: 'MR_SPEC_INVALID', message: 'not valid', read }, generation, at);
}

function drifted(state: PipelineState): PipelineState {
  return noteDrift(state, 'sink was deleted');
}

function deleted(state: PipelineState): PipelineState {
  return noteWanted(state, { generation: state.wanted.generation + 1, deleting: true });
}

function running(state: PipelineState): PipelineState {
  const next = planNext(state);
  assert.ok(next.do === 'start');
  return begin(state, next.operation, at);
}

function described(state: PipelineState): string {
  const next = planNext(state);
  if (next.do === 'start') {
    const { kind, generation, refused: isRefused } = next.operation;
    return isRefused === true ? `${kind} of ${generation}, refused` : kind;
  }
  return next.do === 'preempt' ? `preempt by ${next.because}` : next.do;
}
