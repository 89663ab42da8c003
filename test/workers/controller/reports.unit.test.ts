import assert from 'node:assert/strict';
import type { CoreMessage, JetStreamPort } from '../../../stream/jetstream-port.ts';
import type { PodReport } from '../../../stream/pod-report.ts';
import { PipelineCache } from '../../../workers/controller/pipeline-cache.ts';
import { sightingOf } from '../../../workers/controller/pipeline-record.ts';
import { Reports } from '../../../workers/controller/reports.ts';
import { report } from './facts.ts';

/** NATS as the reports see it. */
class Wire {
  connected = true;
  #receive: (message: CoreMessage) => void = () => undefined;
  #onReconnect: () => void = () => undefined;

  get port(): Pick<JetStreamPort, 'link' | 'subscribe'> {
    const isConnected = () => this.connected;
    return {
      link: {
        get connected() {
          return isConnected();
        },
        onReconnect: (listener) => {
          this.#onReconnect = listener;
          return () => undefined;
        },
      },
      subscribe: (_, receive) => {
        this.#receive = receive;
        return () => undefined;
      },
    };
  }

  reconnect(): void {
    this.connected = true;
    this.#onReconnect();
  }

  send(told: PodReport | '' | 'rubbish'): void {
    const { pid, stage, pod } = typeof told === 'string' ? last : told;
    if (typeof told !== 'string') last = told;
    const text = typeof told === 'string' ? told : JSON.stringify(told);
    // As from a socket: the message is a part of something larger.
    const wire = Buffer.from(`xx${text}yy`);
    this.#receive({ subject: `mr-report.${pid}.${stage}.${pod}`, data: wire.subarray(2, 2 + Buffer.byteLength(text)) });
  }
}

let last: PodReport;

describe('reports of pods', () => {
  let now: number;
  let news: number;
  let wire: Wire;
  let reports: Reports;
  const cache = new PipelineCache();
  const { record } = cache.put(
    sightingOf({ metadata: { name: 'orders', namespace: 'shop', uid: 'u', resourceVersion: '1' } }, () => undefined),
  );

  beforeEach(() => {
    now = 1_000_000;
    news = 0;
    record.heard.clear();
    wire = new Wire();
    reports = new Reports(
      cache,
      () => now,
      () => news++,
    );
    reports.follow(wire.port);
  });

  const of = (some: Partial<PodReport> = {}): PodReport => {
    const { at: _, ...rest } = report('sink', { pid: record.pid, ...some });
    return { ...rest, at: now };
  };
  const live = () => reports.live(record).map(({ report: { pod } }) => pod);

  it('R1: one that says the same is no news, and keeps the pod alive', () => {
    wire.send(of());
    for (let look = 0; look < 10; look++) {
      now += 10_000;
      wire.send(of());
    }
    assert.equal(news, 1);
    assert.deepEqual(live(), ['sink-warehouse-1']);
    assert.equal(reports.live(record)[0]?.firstAt, 1_000_000);
  });

  it('R1: one that says something else is news, also when it only got longer or shorter', () => {
    wire.send(of());
    wire.send(of({ lag: 5 }));
    wire.send(of({ lag: 5, deadLetters: 10 }));
    wire.send(of({ lag: 5 }));
    wire.send(of({ lag: 5, slots: [] }));
    assert.equal(news, 5);
    assert.deepEqual(reports.live(record)[0]?.report.slots, []);
  });

  it('R2: what is said of a pipeline that is not known is not kept', () => {
    wire.send(of({ pid: 'other-123456' }));
    assert.equal(news, 0);
    assert.equal(record.heard.size, 0);
  });

  it('rubbish is not heard', () => {
    wire.send(of());
    wire.send('rubbish');
    assert.equal(news, 1);
  });

  it('a farewell ends a pod at once', () => {
    wire.send(of());
    wire.send('');
    assert.deepEqual(live(), []);
    assert.equal(news, 2);
  });

  it('F1: a pod that falls silent is gone after half a minute', () => {
    wire.send(of());
    now += 29_999;
    assert.deepEqual(live(), ['sink-warehouse-1']);
    now += 1;
    assert.deepEqual(live(), []);
  });

  it('R3, F1: while NATS is away nobody falls silent, and after it each has half a minute again', () => {
    wire.send(of());
    now += 25_000;
    wire.connected = false;
    reports.listen();
    now += 600_000;
    reports.listen();
    assert.deepEqual(live(), ['sink-warehouse-1']);
    assert.equal(reports.ear.hearing, 'deaf');
    wire.reconnect();
    assert.equal(reports.ear.hearing, 'catchingUp');
    assert.deepEqual(live(), ['sink-warehouse-1']);
    now += 30_000;
    assert.deepEqual(live(), []);
  });
});
