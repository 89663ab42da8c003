import assert from 'node:assert/strict';
import fc from 'fast-check';
import { apiVersion, kind } from '../../../model/names.ts';
import type { StreamStatus } from '../../../model/status.ts';
import { isAsked } from '../../../model/decision.ts';
import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { claimsOf } from '../../../workers/controller/conditions.ts';
import { PipelineRecord, sightingOf } from '../../../workers/controller/pipeline-record.ts';
import { lostOf, StreamLook } from '../../../workers/controller/stream-look.ts';
import { input, status } from './facts.ts';

const made = '2026-01-01T00:00:00Z';
const later = '2026-02-02T00:00:00Z';

/** JetStream as far as it is asked: streams and when they were made. */
class Store {
  readonly streams = new Map<string, string>();
  readonly asked: string[] = [];
  /** Of these it does not say anything. */
  readonly silent = new Set<string>();
  readonly port = {
    link: { connected: true },
    streamNames: () => Promise.resolve([...this.streams.keys()]),
    streamInfo: (name: string) => {
      this.asked.push(name);
      if (this.silent.has(name))
        return Promise.reject(new errors.TimeoutError({ cause: new Error(`no answer about ${name}`) }));
      const created = this.streams.get(name);
      return created === undefined
        ? Promise.reject(new JetStreamApiError({ code: 404, err_code: 10059, description: 'stream not found' }))
        : Promise.resolve({ created });
    },
  };
}

describe('looking whether streams are there', () => {
  let store: Store;
  let look: StreamLook;
  let news: string[];
  let logged: object[];
  let defects: object[];

  beforeEach(() => {
    store = new Store();
    news = [];
    logged = [];
    defects = [];
    look = new StreamLook({
      log: { warn: (entry: object) => void logged.push(entry), error: (entry: object) => void defects.push(entry) },
      streams: () => store.port,
      onNews: ({ ref }) => void news.push(ref.name),
    });
  });

  function pipeline(name: string, phase: 'Running' | 'Paused' | 'Stopped' = 'Paused'): PipelineRecord {
    const metadata = { name, namespace: 'shop', uid: `uid-${name}`, generation: 1 };
    const record = new PipelineRecord(sightingOf({ apiVersion, kind, metadata }, () => undefined));
    const streams: StreamStatus[] = ['records', 'commits', 'dead'].map((edge) => ({
      name: `mr-${record.pid}-${edge}`,
      created: made,
    }));
    for (const stream of streams) store.streams.set(stream.name, stream.created);
    record.seen = { ...record.seen, status: { ...status({ phase }), streams } };
    return record;
  }

  const gone = ['records', 'commits', 'dead'] as const;
  for (const phase of ['Running', 'Paused', 'Stopped'] as const) {
    for (const edge of gone) {
      it(`Ready of a pipeline that is ${phase} says that its stream ${edge} is gone, and how to decide, until it is back`, async () => {
        const record = pipeline('orders', phase);
        await look.sweep([record]);
        assert.equal(lostOf(record), undefined);
        store.streams.delete(`mr-${record.pid}-${edge}`);
        await look.sweep([record]);
        const claims = claimsOf(input({ status: record.seen.status, lost: lostOf(record) }));
        const ready = claims.find(({ type }) => type === 'Ready');
        assert.equal(ready?.status, 'False');
        assert.equal(ready.reason, edge === 'records' ? 'EdgeLost' : 'StreamMissing');
        const conditions = [{ ...ready, lastTransitionTime: made }];
        assert(isAsked({ conditions }, `${edge}.lost`), ready.message);
        store.streams.set(`mr-${record.pid}-${edge}`, made);
        await look.sweep([record]);
        assert.equal(lostOf(record), undefined);
        assert.deepEqual(news, ['orders', 'orders']);
      });
    }
  }

  it('S2: a stream that a decision has made anew is none that is lost, as soon as the status says so', async () => {
    const record = pipeline('orders');
    const name = `mr-${record.pid}-records`;
    store.streams.delete(name);
    await look.sweep([record]);
    assert.equal(lostOf(record)?.code, 'MR_EDGE_LOST');
    const streams = (record.seen.status.streams ?? []).map((one) =>
      one.name === name ? { ...one, created: later } : one,
    );
    record.seen = { ...record.seen, status: { ...record.seen.status, streams } };
    assert.equal(lostOf(record), undefined);
  });

  for (const edge of gone) {
    it(`S3: a stream ${edge} that is another one is found out in its turn, as the lifecycle would say it`, async () => {
      const record = pipeline('orders');
      store.streams.set(`mr-${record.pid}-${edge}`, later);
      await look.sweep([record]);
      assert.match(lostOf(record)?.message ?? '', /the one that is there was made at 2026-02-02/);
    });
  }

  it('S4: a defect of Millrace is no question without an answer: it is logged as what it is, and keeps nobody from a look', async () => {
    const broken = ['a', 'b', 'c', 'd'].map((name) => pipeline(name));
    const lost = pipeline('orders');
    store.streams.delete(`mr-${lost.pid}-records`);
    for (const record of broken) {
      const { status: before } = record.seen;
      // As if the status were not what its type says.
      const streams = new Proxy([...(before.streams ?? [])], {
        get: (target, name, self) => {
          if (name === Symbol.iterator) throw new TypeError('a defect');
          return Reflect.get(target, name, self) as unknown;
        },
      });
      record.seen = { ...record.seen, status: { ...before, streams } };
    }
    await look.sweep([...broken, lost]);
    assert.equal(defects.length, 4);
    assert.deepEqual(logged, []);
    assert.equal(lostOf(lost)?.code, 'MR_EDGE_LOST');
  });

  it('S1: of many pipelines a sweep looks at a bounded number, and all have their turn', async () => {
    const records = Array.from({ length: 450 }, (_, at) => pipeline(`p${at}`));
    const last = records.at(-1);
    store.streams.set(`mr-${last?.pid}-records`, later);
    await look.sweep(records);
    assert(store.asked.length <= 3 * 200, String(store.asked.length));
    await look.sweep(records);
    await look.sweep(records);
    assert.deepEqual(news, ['p449']);
  });

  for (const phase of ['Running', 'Paused', 'Stopped'] as const) {
    it(`S5: however many pipelines that are ${phase} are lost, each is found, and found to be back, in a bounded number of sweeps`, async () => {
      const records = Array.from({ length: 700 }, (_, at) => pipeline(`p${at}`, phase));
      const swept = async (sweeps: number) => {
        for (let sweep = 0; sweep < sweeps; sweep++) {
          store.asked.length = 0;
          await look.sweep(records);
          assert(store.asked.length <= 3 * 200, String(store.asked.length));
        }
        return records.filter((record) => lostOf(record) !== undefined).length;
      };
      const kept = new Map(store.streams);
      store.streams.clear();
      assert.equal(await swept(4), 700);
      for (const [name, created] of kept) store.streams.set(name, created);
      assert.equal(await swept(10), 0);
      assert.equal(news.length, 1_400);
    });
  }

  it('S5: many that are lost do not hide an edge that is another one, nor one that is lost later', async () => {
    const records = Array.from({ length: 700 }, (_, at) => pipeline(`p${at}`));
    for (const { pid } of records.slice(0, 400)) store.streams.delete(`mr-${pid}-records`);
    for (let sweep = 0; sweep < 4; sweep++) await look.sweep(records);
    store.streams.set(`mr-${records[600]?.pid}-records`, later);
    store.streams.delete(`mr-${records[699]?.pid}-records`);
    news.length = 0;
    for (let sweep = 0; sweep < 4; sweep++) await look.sweep(records);
    assert.deepEqual([...news].sort(), ['p600', 'p699']);
  });

  it('S4: nothing is concluded while NATS does not answer, nor of a pipeline that is being deleted', async () => {
    const [record, deleted] = [pipeline('orders'), pipeline('deleted')];
    deleted.seen = { ...deleted.seen, deleting: true };
    store.streams.clear();
    store.port.link.connected = false;
    await look.sweep([record, deleted]);
    assert.deepEqual(news, []);
    store.port.link.connected = true;
    await look.sweep([record, deleted]);
    assert.deepEqual(news, ['orders']);
  });

  const edgesOf = ({ pid }: PipelineRecord) => gone.map((edge) => `mr-${pid}-${edge}`);

  for (const edge of gone) {
    it(`S4: a stream ${edge} that is not answered for says nothing of its pipeline, and the next are looked at`, async () => {
      const records = ['a', 'b', 'c'].map((name) => pipeline(name));
      const [a, b, c] = records.map((record) => `mr-${record.pid}-${edge}`);
      assert(a !== undefined && b !== undefined && c !== undefined);
      for (const name of [a, c]) store.streams.delete(name);
      store.silent.add(b);
      await look.sweep(records);
      assert.deepEqual(news, ['a', 'c']);
      store.silent.add(a);
      for (const name of [a, c]) store.streams.set(name, made);
      await look.sweep(records);
      assert.deepEqual(
        records.map((record) => lostOf(record) !== undefined),
        [true, false, false],
      );
      assert.deepEqual(news, ['a', 'c', 'c']);
    });
  }

  it('S4: a sweep says once how many were not answered for, and why the first was not', async () => {
    const records = ['a', 'b', 'c', 'd'].map((name) => pipeline(name));
    for (const record of [records[0], records[2]]) store.silent.add(`mr-${record?.pid}-records`);
    await look.sweep(records);
    assert.deepEqual(logged, [{ pipelines: 2, pipeline: 'shop/a', problem: 'timeout' }]);
    store.silent.clear();
    await look.sweep(records);
    assert.equal(logged.length, 1);
  });

  it('S4: a link that goes ends the sweep, and who was not looked at keeps the turn', async () => {
    const records = ['a', 'b', 'c'].map((name) => pipeline(name));
    for (const { pid } of records) store.streams.delete(`mr-${pid}-records`);
    const { streamInfo } = store.port;
    store.port.streamInfo = (name) => {
      store.port.link.connected = false;
      return streamInfo(name);
    };
    await look.sweep(records);
    assert.deepEqual(news, ['a']);
    store.port.streamInfo = streamInfo;
    store.port.link.connected = true;
    store.asked.length = 0;
    await look.sweep(records);
    assert.deepEqual(news, ['a', 'b', 'c']);
    assert.deepEqual(
      store.asked,
      [records[1], records[2], records[0]].flatMap((one) => (one ? edgesOf(one) : [])),
    );
  });

  it('S4: a server that answers for nothing is asked a few times a sweep', async () => {
    const records = Array.from({ length: 300 }, (_, at) => pipeline(`p${at}`));
    for (const record of records) for (const name of edgesOf(record)) store.silent.add(name);
    for (const { pid } of records.slice(100)) store.streams.delete(`mr-${pid}-dead`);
    await look.sweep(records);
    assert.equal(store.asked.length, 6);
    assert.equal(logged.length, 1);
  });

  it('S4, S5: whoever is not answered for, on either side, all others are looked at in a bounded number of sweeps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('lost', 'silent and lost', 'silent', 'sound'), { maxLength: 60 }),
        async (kinds) => {
          const records = kinds.map((_, at) => pipeline(`p${at}`));
          const lost: PipelineRecord[] = [];
          store.streams.clear();
          store.silent.clear();
          records.forEach((record, at) => {
            const isSilent = kinds[at]?.startsWith('silent') === true;
            for (const name of edgesOf(record)) store.streams.set(name, made);
            if (isSilent) store.silent.add(`mr-${record.pid}-commits`);
            if (kinds[at]?.endsWith('lost')) store.streams.delete(`mr-${record.pid}-records`);
            if (kinds[at] === 'lost') lost.push(record);
          });
          for (let sweep = 0; sweep <= records.length / 3; sweep++) await look.sweep(records);
          assert.deepEqual(
            records.filter((record) => lostOf(record) !== undefined),
            lost,
          );
        },
      ),
    );
  });
});
