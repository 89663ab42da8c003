import { deepEqual, equal, ok } from 'node:assert/strict';
import type { DeadLetter } from '../../stream/dead-letter.ts';
import { passed } from './report.ts';
import { faultKinds, scheduleOf } from './schedule.ts';
import { falseClaims, type Sample } from './truth.ts';
import { isClean, verifyEvents, verifyOrders } from './verify.ts';
import type { OrderRow } from './sinks.ts';

/** Offsets 0 to 3 of partition 0: paid, paid, open, broken. */
const topic = new Map([
  ['0/0', '{"id":1,"status":"paid","amount":7}'],
  ['0/1', '{"id":2,"status":"paid","amount":14}'],
  ['0/2', '{"id":4,"status":"open","amount":28}'],
  ['0/3', '{"id": 500, "status": '],
]);
const row = (offset: number, id: number, edition = 1): OrderRow => ({
  id,
  amount: (id * 7) % 100,
  edition,
  partition: 0,
  offset,
});
const letter = (offset: number, code = 'MR_RECORD_NOT_JSON'): DeadLetter => ({
  stage: 'sink-warehouse',
  slot: 0,
  sequence: 1,
  index: 0,
  source: 'orders',
  partition: 0,
  offset: String(offset),
  step: null,
  code,
  text: '',
  value: null,
  key: null,
  headers: [],
  timestamp: 0,
});
const right = { topic, warehouse: [row(0, 1)], ledger: [row(1, 2)], deadLetters: [letter(3)] };

describe('the verdict on a run of faults', () => {
  it('a run in which all is right is clean', () => ok(isClean(verifyOrders(right))));

  for (const [what, run, found] of [
    ['I1: a row that is missing is lost', { ...right, ledger: [] }, { lost: 1 }],
    ['I2: a row that is in both sinks is doubled', { ...right, ledger: [row(1, 2), row(0, 1)] }, { doubled: 1 }],
    ['I5: a row of no record is invented', { ...right, ledger: [row(1, 2), row(9, 9)] }, { invented: 1 }],
    [
      'I5: a row that the filter drops is invented',
      { ...right, ledger: [row(1, 2), row(2, 4)] },
      { invented: 1, wrong: 1 },
    ],
    ['I4: a row with another content is wrong', { ...right, warehouse: [{ ...row(0, 1), amount: 8 }] }, { wrong: 1 }],
    [
      'E9: an edition that falls along a partition is found',
      { ...right, warehouse: [row(0, 1, 3)] },
      { editionFell: 1 },
    ],
    ['a dead letter that is missing is found', { ...right, deadLetters: [] }, { deadLettersMissing: 1 }],
    [
      'a dead letter that is there twice is found',
      { ...right, deadLetters: [letter(3), letter(3)] },
      { deadLettersDoubled: 1 },
    ],
    [
      'a dead letter with another code is found',
      { ...right, deadLetters: [letter(3, 'MR_X')] },
      { deadLettersWrong: 1 },
    ],
    [
      'a healthy record among the dead letters is found',
      { ...right, deadLetters: [letter(3), letter(0)] },
      { deadLettersWrong: 1 },
    ],
  ] as const) {
    it(what, () => {
      const { input: _, ...counts } = verifyOrders(run);
      deepEqual(Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)), found);
    });
  }

  it('an event that is missing, there twice or never sent is found', () => {
    const { lost, doubled, invented } = verifyEvents(3, [0, 0, 2, 7]);
    deepEqual({ lost, doubled, invented }, { lost: 1, doubled: 1, invented: 1 });
  });

  it('an event may be there twice, and no third time, when its pipeline was deleted over its request', () => {
    const { lost, doubled } = verifyEvents(3, [0, 0, 0, 1, 1, 2, 2], new Set([0, 1]));
    deepEqual({ lost, doubled }, { lost: 0, doubled: 2 });
  });
});

describe('the watch over the status (I14)', () => {
  const sample = (ready: string, stuckMs: number): Sample => ({
    atMs: 0,
    pipeline: 'orders',
    arrived: 0,
    ready,
    reason: '',
    stuckMs,
  });

  it('counts the seconds in which a stuck pipeline was called ready', () => {
    const samples = [sample('True', 0), sample('True', 11_000), sample('True', 12_000), sample('False', 13_000)];
    deepEqual(falseClaims(samples), { intervals: 1, seconds: 2, worstSeconds: 2 });
  });
});

describe('a run of faults', () => {
  const none = { intervals: 0, seconds: 0, worstSeconds: 0 };
  const good = {
    ...{ orders: verifyOrders(right), events: verifyEvents(1, [0]), outOfOrder: 0 },
    ...{ health: none, settledMs: 1, left: [] },
  };

  it('has passed when all is right', () => ok(passed(good)));

  for (const [what, wrong] of [
    ['a record is missing', { events: verifyEvents(1, []) }],
    ['rows are out of order', { outOfOrder: 1 }],
    ['I14: a stuck pipeline was called ready', { health: { intervals: 1, seconds: 1, worstSeconds: 1 } }],
    ['not all has arrived', { settledMs: undefined }],
    ['something is left of a pipeline that was deleted', { left: ['MR_events'] }],
  ] as const) {
    it(`has failed when ${what}`, () => equal(passed({ ...good, ...wrong }), false));
  }
});

describe('the schedule of faults', () => {
  const field = { bus: 'server', canFill: true } as const;

  it('is a function of its seed', () => {
    deepEqual(scheduleOf(3, 600_000, field), scheduleOf(3, 600_000, field));
    equal(JSON.stringify(scheduleOf(3, 600_000, field)) === JSON.stringify(scheduleOf(4, 600_000, field)), false);
  });

  it('has every kind of fault within an hour, and only those that are asked for', () => {
    const cluster = { bus: 'cluster', canFill: true } as const;
    const drawn = [...scheduleOf(1, 3_600_000, field), ...scheduleOf(1, 3_600_000, cluster)];
    deepEqual(new Set(drawn.map(({ fault }) => fault.kind)), new Set(faultKinds));
    ok(scheduleOf(1, 600_000, field, ['edit']).every(({ fault }) => fault.kind === 'edit'));
  });
});
