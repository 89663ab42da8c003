/** What a stage hands to a sink, and records with nothing special about them. */
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { WallClock } from '../../model/clock.ts';
import type { RowBuffer, Sink, SinkContext, SinkSlot, SinkSlotId } from '../../connectors/connector.ts';
import type { RecordMeta, RecordObject } from '../../model/value.ts';
import type { BatchRange, RefusedRow } from '../../stream/sink-port.ts';

const clock: WallClock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
};

export function sinkContext(name = 'warehouse', slots = 1): SinkContext {
  return {
    name,
    pipeline: { name: 'orders', namespace: 'shop', uid: 'uid-1', pid: 'orders-abcdef' },
    identity: { user: 'user "app"', credentials: 'username, password (key "password" of Secret "app")' },
    log: pino({ level: 'silent' }),
    clock,
    bindAddress: '127.0.0.1',
    maxRecordBytes: () => 8 * 2 ** 20,
    maxTogetherBytes: () => 8 * 2 ** 20,
    waitsFor: () => undefined,
    signal: new AbortController().signal,
    slots,
  };
}

/** For the tests of a `describe`, which calls this: a list of sinks, closed after each of them. */
export function sinksOfTest(): Sink[] {
  const opened: Sink[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });
  return opened;
}

export const slotId: SinkSlotId = { pipelineUid: 'uid-1', stage: 'sink-warehouse', slot: 0 };

export const meta: RecordMeta = {
  source: 'orders',
  topic: null,
  partition: null,
  offset: null,
  key: null,
  headers: {},
  timestamp: 0,
};

/** A batch of the frames after `after` up to `to`. */
export function batch(after: number, to: number): BatchRange {
  return { from: after + 1, to, after, token: `uid-1:sink-warehouse:0:${after + 1}-${to}` };
}

export function rowsOf(slot: SinkSlot, records: readonly RecordObject[]): RowBuffer {
  const rows = slot.newRows();
  for (const record of records) rows.add(record, meta);
  return rows;
}

/** A pod that ends when its write has ended, before it could say so. */
export function killedAfterWrite(slot: SinkSlot, kill: () => void): SinkSlot {
  const write: SinkSlot['write'] = async (...attempt) => {
    const end = await slot.write(...attempt);
    const [rows] = attempt;
    if (rows.rows === 0) return end;
    kill();
    throw new Error('killed');
  };
  const shared = {
    ...(slot.target === undefined ? {} : { target: slot.target }),
    newRows: () => slot.newRows(),
    write,
    close: () => slot.close(),
  };
  if (slot.positionIn === 'sink') {
    const { positionIn, onPositionLost } = slot;
    return { ...shared, positionIn, onPositionLost, storedPosition: (signal) => slot.storedPosition(signal) };
  }
  return {
    ...shared,
    positionIn: slot.positionIn,
    mark: (signal) => slot.mark(signal),
    mayRepeat: (...question) => slot.mayRepeat(...question),
  };
}

export const noSignal = new AbortController().signal;

/** Attempts as the loop makes them, until the rows are stored; an attempt that has to be waited for throws its reason. */
export async function write(
  slot: SinkSlot,
  rows: RowBuffer,
  id: BatchRange,
  signal = noSignal,
): Promise<readonly RefusedRow[]> {
  let refused: readonly RefusedRow[] | undefined;
  for (;;) {
    if (slot.positionIn === 'commitLog' && refused?.length === rows.rows) return refused;
    const end = await slot.write(rows, id, refused, signal);
    if (end.kind === 'stored') return end.refused.length > 0 ? end.refused : (refused ?? []);
    if (end.kind !== 'examined') throw end.error;
    refused = [...(refused ?? []), ...end.refused];
  }
}
