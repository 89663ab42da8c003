import assert from 'node:assert/strict';
import { pino } from 'pino';
import { mr } from '../../../model/errors.ts';
import { apiVersion, kind } from '../../../model/names.ts';
import { EngineGate } from '../../../workers/controller/engine-gate.ts';
import { Events } from '../../../workers/controller/events.ts';
import { PipelineRecord, sightingOf } from '../../../workers/controller/pipeline-record.ts';
import { Teller } from '../../../workers/controller/teller.ts';
import { isOfKubernetes, oddAnswers, status } from '../../activities/odd-answers.ts';
import { OddServer } from '../../activities/odd-server.ts';
import { NotingEngine } from './rig.ts';

const metadata = { name: 'orders', namespace: 'shop', uid: 'uid-1', generation: 1 };

describe('telling an entity', () => {
  let server: OddServer;
  let engine: NotingEngine;
  let teller: Teller;
  let record: PipelineRecord;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());
  beforeEach(() => {
    server.oddity = () => null;
    server.changes.length = 0;
    server.objects = new Map();
    server.put(kind, metadata);
    engine = new NotingEngine();
    record = new PipelineRecord(sightingOf({ apiVersion, kind, metadata }, () => undefined));
    teller = new Teller({
      ...{ kube: server.kube, engine, gate: new EngineGate(), now: () => 0 },
      events: new Events({ kube: server.kube, log: pino({ level: 'silent' }), now: () => 0 }),
      onWritten: () => void (record.seen = { ...record.seen, isOurs: true }),
    });
  });

  const events = () => server.changes.filter(({ resource }) => resource === 'events').map(({ body }) => body);

  it('T2: a finalizer that may not be written is a reason of Ready, and one Event, until it may', async () => {
    server.oddity = ({ resource, verb }) =>
      resource === 'pipelines' && verb === 'PATCH' ? status(403, 'Forbidden') : null;
    for (let time = 0; time < 3; time++) await assert.rejects(teller.work(record), { code: 'MR_KUBERNETES_FORBIDDEN' });
    assert.equal(record.telling.untold?.reason, 'KubernetesForbidden');
    assert.match(record.telling.untold.message, /patch Pipeline shop\/orders/);
    assert.equal(events().length, 1);
    server.oddity = () => null;
    await teller.work(record);
    assert.deepEqual([engine.told, record.telling.untold], [['orders g1'], undefined]);
  });

  it('T1: Temporal that is away is one as well, and nothing is lost', async () => {
    engine.isAway = true;
    await teller.work(record);
    assert.equal(record.telling.untold?.reason, mr('MR_ENGINE_UNAVAILABLE', { address: '' }).reason);
    assert.equal(events().length, 1);
  });

  it('T3: a retry is told once, while something has failed, and not of what fails later', async () => {
    const see = (retry: string, stalled: 'True' | 'False') => {
      const condition = { type: 'Stalled', status: stalled, reason: 'x', message: 'x', lastTransitionTime: '' };
      const status = { observedGeneration: 1, conditions: [condition] };
      record.seen = { ...record.seen, isOurs: true, retry, status };
    };
    const before = async (): Promise<string[]> => {
      await teller.work(record);
      return engine.told.splice(0);
    };
    see('1', 'False');
    assert.deepEqual(await before(), []);
    see('1', 'True');
    assert.deepEqual(await before(), []);
    see('2', 'True');
    assert.equal(teller.see(record), true);
    assert.deepEqual(await before(), ['orders retry 2']);
    assert.deepEqual([await before(), teller.see(record)], [[], false]);
    see('3', 'True');
    assert.deepEqual(await before(), ['orders retry 3']);
  });

  const operation = { id: 'op/1', type: 'provision', step: 'copy credentials', startedAt: '' };
  for (const [reason, running, told] of [
    ['SecretMissing', operation, ['op/1 may go on']],
    ['SecretKeyMissing', operation, ['op/1 may go on']],
    ['Provisioning', operation, []],
    ['SecretMissing', undefined, []],
  ] as const) {
    it(`T4: ${reason} ${running === undefined ? 'of an operation that has ended' : ''}: ${told.join()} is told once`, async () => {
      const condition = { type: 'Reconciling', status: 'True', reason, message: 'x', lastTransitionTime: '' } as const;
      const said = { observedGeneration: 1, conditions: [condition], ...(running ? { operation: running } : {}) };
      record.seen = { ...record.seen, isOurs: true, status: said };
      assert.equal(teller.noteReferenced(record), told.length > 0);
      await teller.work(record);
      await teller.work(record);
      assert.deepEqual(engine.told, told);
    });
  }

  it('T2: where no Event can be written either, Ready says so', async () => {
    server.oddity = ({ resource, verb }) =>
      resource === 'events' || verb === 'PATCH' ? status(403, 'Forbidden') : null;
    await assert.rejects(teller.work(record), { code: 'MR_KUBERNETES_FORBIDDEN' });
    assert.match(record.telling.untold?.message ?? '', /patch Pipeline shop\/orders.*\(Forbidden.*\)$/);
  });

  it('T3: what comes while nothing has failed is passed over when it is seen, and looking again changes nothing', () => {
    record.seen = { ...record.seen, isOurs: true, retry: '1', status: { observedGeneration: 1 } };
    assert.deepEqual([teller.see(record), teller.see(record), record.telling.retried], [false, false, '1']);
  });

  for (const [what, answer] of Object.entries(oddAnswers)) {
    it(`E2: with ${what} nothing is started before the finalizer is there`, async () => {
      server.oddity = ({ resource }) => (resource === 'pipelines' ? answer : null);
      const failure: unknown = await teller.work(record).catch((error: unknown) => error);
      assert(failure === undefined || isOfKubernetes(failure), String(failure));
      assert.deepEqual(engine.told, []);
    });
  }

  it('of a resource that is gone nothing is told, and nothing is wrong', async () => {
    server.objects.clear();
    await teller.work(record);
    assert.deepEqual([engine.told, record.telling.untold, events()], [[], undefined, []]);
  });
});
