import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import type { Reached } from '../../../connectors/clickhouse/reach.ts';
import { checkedWindows, forgotten, neededPlaces, windowSettings } from '../../../connectors/clickhouse/window.ts';
import { MillraceError } from '../../../model/errors.ts';

const where = {
  sink: 'warehouse',
  identity: { user: 'user "app"', credentials: 'password' },
  server: 'ch:8123',
  table: 'shop.orders',
};
const defaults = new Map([
  ['non_replicated_deduplication_window', 0],
  ['replicated_deduplication_window', 10_000],
  ['replicated_deduplication_window_seconds', 3_600],
]);

function table(name: string, more: Partial<Reached> = {}): Reached {
  return {
    database: 'shop',
    name,
    engine: 'MergeTree',
    engineFull: '',
    createQuery: '',
    digest: '',
    partitionKey: '',
    sortingKey: '',
    samplingKey: '',
    indexes: [],
    views: [],
    ...more,
  };
}

const remembering = (places: number) =>
  `MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = ${places}`;

describe('the deduplication window', () => {
  for (const [slots, partitions, isPartitioned, needed] of [
    [1, 100, false, 100],
    [64, 100, false, 320],
    [1, 100, true, 500],
    [2, 100, true, 1_000],
    [4, 1_000, true, 20_000],
  ] as const) {
    it(`A1: of ${slots} slots${isPartitioned ? ` and ${partitions} partitions an insert` : ''} is ${needed} places or more`, () => {
      equal(neededPlaces({ slots, partitions }, isPartitioned), needed);
      const writers = { slots, partitions };
      const made = (places: number) =>
        table('orders', { partitionKey: isPartitioned ? 'at' : '', engineFull: remembering(places) });
      equal(checkedWindows(made(needed), defaults, writers, where).length, 1);
      throws(() => checkedWindows(made(needed - 1), defaults, writers, where), /MR_SINK_TABLE_UNFIT/);
    });
  }

  for (const [what, reached, said, mend] of [
    [
      'a table without',
      table('orders'),
      /non_replicated_deduplication_window is 0/,
      /`shop`.`orders` MODIFY SETTING non_replicated_deduplication_window = 10000/,
    ],
    [
      'a replicated table that forgets too soon',
      table('orders', {
        engine: 'ReplicatedMergeTree',
        engineFull: 'SETTINGS replicated_deduplication_window_seconds = 60',
      }),
      /window_seconds is 60/,
      /`shop`.`orders` MODIFY SETTING replicated_deduplication_window_seconds = 604800/,
    ],
    [
      'the table of a view',
      table('orders', {
        engineFull: remembering(1_000),
        views: [
          {
            database: 'shop',
            name: 'v',
            select: '',
            digest: '',
            target: table('sums', { engine: 'SummingMergeTree' }),
          },
        ],
      }),
      /of `shop`.`sums`, which a view of it writes to, non_replicated_deduplication_window is 0/,
      /`shop`.`sums` MODIFY SETTING/,
    ],
    [
      'a view behind a table that stores nothing',
      table('orders', {
        engineFull: remembering(1_000),
        views: [
          {
            database: 'shop',
            name: 'v',
            select: '',
            digest: '',
            target: table('pipe', {
              engine: 'Null',
              views: [{ database: 'shop', name: 'w', select: '', digest: '', target: table('log', { engine: 'Log' }) }],
            }),
          },
        ],
      }),
      /a view of it writes to `shop`.`log`, whose engine Log would store/,
      /Let the view write to a table of the MergeTree family/,
    ],
    [
      'a table of another engine',
      table('orders', { engine: 'Memory' }),
      /engine Memory would store/,
      /MergeTree family/,
    ],
  ] as const) {
    it(`A1: ${what} is unfit, with the mend`, () => {
      throws(
        () => checkedWindows(reached, defaults, { slots: 2, partitions: 100 }, where),
        (error) => {
          ok(error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT');
          match(error.message, said);
          match(error.fix, mend);
          return true;
        },
      );
    });
  }

  it('A1: a replicated table with the defaults of its server is fit, and a table made here always is', () => {
    const replicated = table('orders', { engine: 'ReplicatedMergeTree', partitionKey: 'at' });
    deepEqual(checkedWindows(replicated, defaults, { slots: 4, partitions: 100 }, where), [
      { table: '`shop`.`orders`', setting: 'replicated_deduplication_window', places: 10_000, seconds: 3_600 },
    ]);
    for (const engine of ['MergeTree', 'ReplicatedMergeTree', 'SharedMergeTree']) {
      const writers = { slots: 64, partitions: 2_000 };
      const made = table('orders', { engine, partitionKey: 'at', engineFull: windowSettings(engine, writers) });
      equal(checkedWindows(made, defaults, writers, where).length, 1);
    }
  });

  describe('A2: a batch that may be stored', () => {
    const plain = { table: 't', setting: '', places: 1_000, seconds: undefined };
    const replicated = { ...plain, seconds: 3_600 };
    const minutes = (n: number) => n * 60_000;
    const begun = (ageMs: number | null, before: number | null) => ({
      ageMs,
      mark: before === null ? null : { t: before },
      rows: 1,
      changed: undefined,
    });
    for (const [what, window, age, before, after, said] of [
      ['is remembered', plain, minutes(1), 5, 800, undefined],
      ['is remembered for days by a plain table in which nobody writes', plain, minutes(10_000), 5, 5, undefined],
      [
        'is forgotten when as much was written since as the table remembers',
        plain,
        minutes(1),
        0,
        901,
        /901 parts were written/,
      ],
      [
        'is forgotten by a replicated table when its time has passed',
        replicated,
        minutes(55),
        0,
        1,
        /55 min ago, and t remembers inserts for 60 min/,
      ],
      ['cannot be counted when parts are gone', plain, minutes(1), 10, 9, /are gone/],
      ['is trusted for some minutes when it cannot be counted', plain, minutes(9), null, null, undefined],
      ['is not trusted for longer', plain, minutes(11), null, null, /is not known/],
      ['of v0.1 is repeated as v0.1 did', replicated, null, null, null, undefined],
    ] as const) {
      it(what, () => {
        const found = forgotten([window], begun(age, before), after === null ? null : { t: after });
        if (said === undefined) equal(found, undefined);
        else match(String(found), said);
      });
    }
  });
});
