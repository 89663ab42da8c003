import assert from 'node:assert/strict';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { Reason } from '../../../workers/controller/pipeline-record.ts';
import { ask } from '../../../workers/controller/pod-reasons.ts';

const workload = { namespace: 'pipeline-orders-abc123', pipelineUid: 'uid', stage: 'sink-warehouse' };

describe('why a stage has no ready pod', () => {
  it('says that its pods cannot be listed, and asks again later each time', async () => {
    const record = { reasons: new Map<string, Reason>() };
    const kube: Pick<Kube, 'list'> = { list: () => Promise.reject(new Error('pods is forbidden')) };
    await ask(kube, record, workload, () => 0);
    const why = 'its pods cannot be listed: pods is forbidden';
    assert.deepEqual(record.reasons.get('sink-warehouse'), { why, askAgainAt: 5_000, pauseMs: 5_000 });
    await ask(kube, record, workload, () => 5_000);
    assert.deepEqual(record.reasons.get('sink-warehouse'), { why, askAgainAt: 15_000, pauseMs: 10_000 });
  });

  it('forgets that once its pods can be listed', async () => {
    const before: Reason = { why: 'its pods cannot be listed: no', askAgainAt: 0, pauseMs: 60_000 };
    const record = { reasons: new Map([['sink-warehouse', before]]) };
    const kube: Pick<Kube, 'list'> = { list: () => Promise.resolve({ items: [], resourceVersion: '1' }) };
    await ask(kube, record, workload, () => 0);
    assert.deepEqual(record.reasons.get('sink-warehouse'), { why: undefined, askAgainAt: 5_000, pauseMs: 5_000 });
  });
});
