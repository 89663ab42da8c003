import assert from 'node:assert/strict';
import type { PipelineStatus } from '../../../model/status.ts';
import { edgeLost } from '../../../stream/edge-opening.ts';
import { deviationOf, type Observed } from '../../../workers/controller/deviation.ts';
import { DeviationMemory } from '../../../workers/controller/deviation-memory.ts';
import type { Workload } from '../../../workers/controller/workloads.ts';

function workload(some: Partial<Workload> = {}): Workload {
  return {
    ...{
      name: 'ns/sink-warehouse',
      namespace: 'ns',
      pipeline: 'shop/orders',
      pipelineUid: 'u',
      stage: 'sink-warehouse',
    },
    ...{ wanted: 1, ready: 1, isChangedByOthers: false },
    ...some,
  };
}

function observed(status: Partial<PipelineStatus> = {}, some: Partial<Observed> = {}): Observed {
  const stages = [{ name: 'sink-warehouse', replicas: 1, ready: 1 }];
  return {
    ...{ generation: 1, deleting: false, stale: [], lost: undefined, workloads: [workload()] },
    status: { observedGeneration: 1, phase: 'Running', stages, ...status },
    ...some,
  };
}

const busy = { operation: { id: 'x', type: 'provision', step: 'begin', startedAt: '2026-01-01T00:00:00Z' } };
const gone = { workloads: [] };
const pipeline = { name: 'orders', namespace: 'shop', pid: 'orders-abc123' };
const lost = edgeLost({ pipeline, edge: 'records', registered: '2026-01-01T00:00:00Z', found: undefined });
const changed = { workloads: [workload({ isChangedByOthers: true })] };

describe('deviation: how the cluster differs from what was left', () => {
  const rows: [title: string, Observed, expected: string | undefined][] = [
    ['nothing differs', observed(), undefined],
    ['D2: a workload is gone', observed({}, gone), 'drift The Deployment of sink-warehouse was deleted.'],
    [
      'D2: an operation has taken a stage out, and only our count of its pods is left',
      observed({
        stages: [
          { name: 'sink-warehouse', replicas: 1, ready: 1 },
          { name: 'sink-copy', replicas: 0, ready: 1 },
        ],
      }),
      undefined,
    ],
    ['D2: a workload was changed', observed({}, changed), 'drift Deployment ns/sink-warehouse was changed.'],
    [
      'D2: a workload was scaled',
      observed({}, { workloads: [workload({ isChangedByOthers: true, wanted: 0 })] }),
      'drift Deployment ns/sink-warehouse was scaled from 1 to 0.',
    ],
    ['D5: a stream of a running one is gone', observed({}, { lost }), 'drift Stream mr-orders-abc123-records is gone.'],
    [
      'D5: a stream of a paused one is gone',
      observed({ phase: 'Paused' }, { lost, workloads: [] }),
      'drift Stream mr-orders-abc123-records is gone.',
    ],
    [
      'D5: a stream of a stopped one is gone',
      observed({ phase: 'Stopped' }, { lost, workloads: [] }),
      'drift Stream mr-orders-abc123-records is gone.',
    ],
    ...[
      'phase',
      'observedGeneration',
      'acceptedGeneration',
      'opSeq',
      'operation',
      'conditions/Provisioned',
      'conditions/Stalled',
    ].map((part): [string, Observed, string] => [
      `D7: another has written ${part}`,
      observed({ phase: 'Failed' }, { foreign: [{ part, manager: 'kubectl-edit' }] }),
      `drift The status was changed by kubectl-edit: ${part}.`,
    ]),
    [
      'D7: what the controller says again by itself is none',
      observed({}, { foreign: [{ part: 'conditions/Ready', manager: 'kubectl-edit' }] }),
      undefined,
    ],
    [
      'D7: not while an operation runs, which says all of it',
      observed(busy, { foreign: [{ part: 'phase', manager: 'kubectl-edit' }] }),
      undefined,
    ],
    [
      'D6: the status was taken away',
      observed({ observedGeneration: undefined, phase: undefined, stages: [] }),
      'drift The status was taken away.',
    ],
    [
      'D6: not of a pipeline of which nothing was made yet',
      observed({ observedGeneration: undefined, phase: undefined, stages: [] }, gone),
      undefined,
    ],
    [
      'D6: not while the operation runs that makes them',
      observed({ ...busy, observedGeneration: undefined, phase: undefined }),
      undefined,
    ],
    ['D1: a stream is gone while an operation runs, which says so', observed(busy, { lost }), undefined],
    ['D1: not while an operation runs', observed(busy, gone), undefined],
    ['D1: not while a newer generation waits', observed({}, { ...gone, generation: 2 }), undefined],
    ['D1: not while it is deleted', observed({}, { ...gone, deleting: true }), undefined],
    ['D4: after a failure, as it was left', observed({ phase: 'Failed' }), undefined],
    [
      'D4: after a failure, when a workload is gone',
      observed({ phase: 'Failed' }, gone),
      'drift The Deployment of sink-warehouse was deleted.',
    ],
    [
      'D4: after a failure, when one was changed',
      observed({ phase: 'Failed' }, changed),
      'drift Deployment ns/sink-warehouse was changed.',
    ],
    [
      'D4: after a failure, when credentials changed',
      observed({ phase: 'Failed' }, { stale: ['Secret/ch'] }),
      'credentials Secret/ch',
    ],
    [
      'D4: not when the first operation has failed and left nothing',
      observed({ phase: 'Failed', stages: [] }, gone),
      undefined,
    ],
    ['D1: not while a teardown fails', observed({ phase: 'Failed' }, { ...gone, deleting: true }), undefined],
    ['D2: a paused pipeline needs no workload', observed({ phase: 'Paused' }, gone), undefined],
    [
      'D2: a paused pipeline has no pods',
      observed({ phase: 'Paused' }, { workloads: [workload({ wanted: 2 })] }),
      'drift Deployment ns/sink-warehouse was scaled to 2.',
    ],
    ['D3: credentials changed', observed({}, { stale: ['Secret/ch'] }), 'credentials Secret/ch'],
    ['D3: not while it is paused', observed({ phase: 'Paused' }, { ...gone, stale: ['Secret/ch'] }), undefined],
  ];
  for (const [title, input, expected] of rows) {
    it(title, () => {
      const deviation = deviationOf(input);
      assert.equal(deviation === undefined ? undefined : `${deviation.is} ${deviation.what}`, expected);
    });
  }
});

describe('deviations: when one is told', () => {
  const drift = { is: 'drift', what: 'gone', isUrgent: true } as const;

  function told() {
    const memory = new DeviationMemory();
    return (now: number, deviation: typeof drift | undefined, opSeq: number) => {
      const at = memory.tellAt(deviation, opSeq, now);
      const isDue = at !== undefined && at <= now;
      if (isDue && deviation !== undefined) memory.told(deviation, opSeq, now);
      return isDue;
    };
  }

  it('P1: only one that has lasted two seconds', () => {
    const isDue = told();
    assert.deepEqual([isDue(0, drift, 1), isDue(1_999, drift, 1), isDue(2_000, drift, 1)], [false, false, true]);
  });

  it('P1: one that ends in between begins anew', () => {
    const isDue = told();
    isDue(0, drift, 1);
    isDue(1_000, undefined, 1);
    assert.equal(isDue(2_000, drift, 1), false);
  });

  it('P2: once, and again when an operation has not ended it', () => {
    const isDue = told();
    isDue(0, drift, 1);
    assert.equal(isDue(2_000, drift, 1), true);
    assert.equal(isDue(100_000, drift, 1), false);
    isDue(100_000, drift, 2);
    assert.equal(isDue(104_000, drift, 2), true);
  });

  it('P3: one that comes back again and again is borne longer each time, and patience returns with calm', () => {
    const isDue = told();
    const waits: number[] = [];
    let now = 0;
    for (let opSeq = 1; opSeq <= 5; opSeq += 1) {
      const since = now;
      while (!isDue(now, drift, opSeq)) now += 1_000;
      waits.push((now - since) / 1_000);
    }
    assert.deepEqual(waits, [2, 4, 8, 16, 32]);
    isDue(now + 700_000, drift, 6);
    assert.equal(isDue(now + 702_000, drift, 6), true);
  });
});
