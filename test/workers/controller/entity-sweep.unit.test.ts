import { deepEqual, equal } from 'node:assert/strict';
import { pino } from 'pino';
import { apiVersion, finalizer, kind } from '../../../model/names.ts';
import { entityWorkflowId } from '../../../model/workflow-ids.ts';
import { EngineGate } from '../../../workers/controller/engine-gate.ts';
import { EntitySweep } from '../../../workers/controller/entity-sweep.ts';
import { Events } from '../../../workers/controller/events.ts';
import { PipelineCache } from '../../../workers/controller/pipeline-cache.ts';
import { sightingOf } from '../../../workers/controller/pipeline-record.ts';
import { OddServer } from '../../activities/odd-server.ts';
import { NotingEngine } from './rig.ts';

const longAgo = '2026-01-01T00:00:00Z';
const now = () => Date.parse('2026-01-01T01:00:00Z');

describe('a sweep over all entities', () => {
  let server: OddServer;
  let engine: NotingEngine;
  let cache: PipelineCache;
  let missing: string[];
  let entitySweep: EntitySweep;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());
  beforeEach(() => {
    engine = new NotingEngine();
    cache = new PipelineCache();
    missing = [];
    const log = pino({ level: 'silent' });
    const events = new Events({ kube: server.kube, log, now });
    entitySweep = new EntitySweep({
      ...{ kube: server.kube, engine, gate: new EngineGate(), log, events, cache, now, sweepMs: 60_000 },
      streams: () => undefined,
      cluster: () => Promise.resolve('cluster-1'),
      onMissing: ({ key }) => missing.push(key),
    });
  });

  /** A pipeline that runs and waits for its sink. */
  function put(name: string, { isOpen = true, finalizers = [finalizer] } = {}): void {
    const uid = `uid-${name}`;
    const ready = { type: 'Ready', status: 'False', reason: 'SinkAway', message: 'x', lastTransitionTime: longAgo };
    const resource = {
      ...{ apiVersion, kind, metadata: { name, namespace: 'shop', uid, generation: 1, finalizers } },
      status: { observedGeneration: 1, phase: 'Running', conditions: [ready] },
    };
    cache.put(sightingOf(resource, () => undefined));
    if (isOpen) engine.open.add(entityWorkflowId('shop', name, uid));
  }

  it('ES1: an entity that is gone is missed, where one was started', async () => {
    put('a');
    put('b', { isOpen: false });
    put('c', { isOpen: false, finalizers: [] });
    await entitySweep.run();
    deepEqual(missing, ['shop/b']);
  });

  it('ES2: a bounded number is told of its readiness, and the others have their turn in the next sweep', async () => {
    for (let n = 0; n < 450; n++) put(`p${n}`);
    for (const all of [200, 400, 450, 450]) {
      await entitySweep.run();
      equal(new Set(engine.told).size, all);
      equal(engine.told.length, all);
    }
  });
});
