import assert from 'node:assert/strict';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { Reason } from '../../../workers/controller/pipeline-record.ts';
import type { Workload } from '../../../workers/controller/workloads.ts';
import { ask, askAt } from '../../../workers/controller/pod-reasons.ts';

const workload: Workload = {
  ...{ name: 'pipeline-orders-abc123/sink-warehouse', namespace: 'pipeline-orders-abc123', pipelineUid: 'uid' },
  ...{ stage: 'sink-warehouse', wanted: 2, ready: 1, isChangedByOthers: false },
};

describe('why pods of a stage are not ready', () => {
  it('says that its pods cannot be listed, and asks again later each time', async () => {
    const record = { reasons: new Map<string, Reason>() };
    const kube: Pick<Kube, 'list'> = { list: () => Promise.reject(new Error('pods is forbidden')) };
    await ask(kube, record, workload, () => 0);
    const why = 'its pods cannot be listed: pods is forbidden';
    assert.deepEqual(record.reasons.get('sink-warehouse'), {
      trouble: { why },
      ends: [],
      askAgainAt: 5_000,
      pauseMs: 5_000,
    });
    await ask(kube, record, workload, () => 5_000);
    assert.deepEqual(record.reasons.get('sink-warehouse'), {
      trouble: { why },
      ends: [],
      askAgainAt: 15_000,
      pauseMs: 10_000,
    });
  });

  it('forgets that once its pods can be listed', async () => {
    const before: Reason = {
      trouble: { why: 'its pods cannot be listed: no' },
      ends: [],
      askAgainAt: 0,
      pauseMs: 60_000,
    };
    const record = { reasons: new Map([['sink-warehouse', before]]) };
    const kube: Pick<Kube, 'list'> = { list: () => Promise.resolve({ items: [], resourceVersion: '1' }) };
    await ask(kube, record, workload, () => 0);
    assert.deepEqual(record.reasons.get('sink-warehouse'), {
      trouble: undefined,
      ends: [],
      askAgainAt: 5_000,
      pauseMs: 5_000,
    });
  });

  it('is asked as long as one of them is missing, and forgotten when all are ready', async () => {
    const record = { reasons: new Map<string, Reason>() };
    assert.equal(askAt(record, workload), 0);
    const kube: Pick<Kube, 'list'> = { list: () => Promise.resolve({ items: [], resourceVersion: '1' }) };
    await ask(kube, record, workload, () => 0);
    assert.equal(askAt(record, workload), 5_000);
    assert.equal(askAt(record, { ...workload, ready: 2 }), undefined);
    assert.equal(record.reasons.size, 0);
  });

  it('tells of each process that was ended for its memory once, by one key, and with what to do', async () => {
    const ended = { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T00:00:05Z' };
    const status = { containerStatuses: [{ ready: false, restartCount: 1, state: { terminated: ended } }] };
    const items = [{ metadata: { name: 'sink-1', uid: 'uid-1' }, status }];
    const kube: Pick<Kube, 'list'> = { list: () => Promise.resolve({ items, resourceVersion: '1' }) };
    const record = { reasons: new Map<string, Reason>() };
    const told = await ask(kube, record, workload, () => 0);
    assert.deepEqual(
      told.map(({ content, key }) => [content.reason, key]),
      [['WorkerOutOfMemory', 'WorkerOutOfMemory/uid-1/2026-01-01T00:00:05Z']],
    );
    assert.match(told[0]?.content.note ?? '', /1 of 2 pods ready: pod sink-1 .*OOMKilled.* Raise/);
    assert.deepEqual(await ask(kube, record, workload, () => 5_000), []);
  });
});
