/** What a source is given by the stage that runs it, for tests of sources. */
import { setTimeout as delay } from 'node:timers/promises';
import { pino, type Logger } from 'pino';
import type { WallClock } from '../../model/clock.ts';
import type { ConnectorContext } from '../../connectors/connector.ts';
import type { DecisionChoice } from '../../model/decision.ts';
import { mr } from '../../model/errors.ts';
import type { SourceLossPort } from '../../stream/source-port.ts';

/** Real time, but no sleep is longer than `longestMs`: what happens every 10 s happens sooner. */
export function hurriedClock(longestMs = 200): WallClock {
  return {
    now: Date.now,
    sleep: (ms, signal) => delay(Math.min(ms, longestMs), undefined, signal === undefined ? {} : { signal }),
  };
}

export interface TestContext {
  readonly slots?: number;
  readonly clock?: WallClock;
  readonly log?: Logger;
}

export function sourceContext(options: TestContext = {}): ConnectorContext & { readonly slots: number } {
  return {
    name: 'orders',
    pipeline: { name: 'shop', namespace: 'test', uid: 'uid-1', pid: 'shop-abc123' },
    identity: { user: 'user "app"', credentials: 'username, password (key "password" of Secret "app")' },
    log: options.log ?? pino({ level: 'silent' }),
    clock: options.clock ?? hurriedClock(),
    bindAddress: '127.0.0.1',
    maxRecordBytes: () => 8 * 2 ** 20,
    maxTogetherBytes: () => 8 * 2 ** 20,
    waitsFor: () => undefined,
    signal: new AbortController().signal,
    slots: options.slots ?? 1,
  };
}

/** Nobody has decided so far. */
export const undecided: SourceLossPort = {
  choiceAbout: ({ found: _, ...lost }) => {
    const asks = { pipeline: 'shop -n test', token: 'ingestor-orders.1' };
    return Promise.reject(mr('MR_SOURCE_POSITION_LOST', { source: 'orders', ...lost, ...asks }));
  },
};

/** What somebody has decided already. */
export function decided(choice: DecisionChoice): SourceLossPort {
  return { choiceAbout: () => Promise.resolve(choice) };
}
