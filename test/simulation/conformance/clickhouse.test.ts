/**
 * What the simulation takes for granted about a ClickHouse sink, asked of the local endpoint through the connector and of
 * the model (../outside/clickhouse.ts).
 *
 * Not asked, because the endpoint cannot be brought there: what a window forgets by time (only replicated tables do, which
 * need a Keeper), and an insert that runs after nobody waits for it any more. Not modelled is a server that is killed between
 * the token of an insert and its rows (docs/concepts.md); the endpoint mends that when it starts.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { partitionOf } from '../outside/blocks.ts';
import {
  modelledClickHouse,
  places,
  realClickHouse,
  type ClickHouseBench,
  type TableShape,
} from './clickhouse-rigs.ts';
import { attempt, noSignal, store } from './attempt.ts';
import { batch, record, rowOf, type SimRecord } from './sink-bench.ts';

const two = [record('s0/0/1'), record('s0/0/2')];
const three = [record('s0/0/3')];
const rowsOfTwo = [rowOf('s0/0/1'), rowOf('s0/0/2')];
const twice = (rows: readonly string[]) => [...rows, ...rows].sort();
const stored = { stored: [] };
const refusedAt = (...rows: readonly number[]) => rows.map((row) => [row, 'MR_RECORD_REFUSED']);
const ownRows = async ({ rows }: ClickHouseBench) => (await rows()).filter((row) => !row.includes('filler'));

/** One record for each of so many partitions, in their order. */
function spread(partitions: number): readonly SimRecord[] {
  return Array.from({ length: partitions }, (_, partition) => {
    for (let lane = 0; ; lane++) if (partitionOf(`s0/${lane}`, partitions) === partition) return record(`s0/${lane}/1`);
  });
}

for (const rig of [realClickHouse(), modelledClickHouse()]) {
  describe(`ClickHouse as the simulation relies on it: ${rig.name}`, () => {
    before(() => rig.open());
    after(() => rig.close());

    const ask = (what: string, question: (bench: ClickHouseBench) => Promise<void>, shape: Partial<TableShape> = {}) =>
      it(what, () => rig.run({ partitions: 1, hasView: false, ...shape }, question));

    ask('X1: a block is taken once under its token, whoever repeats it, and whatever is in it', async (bench) => {
      const slot = await bench.open();
      for (let again = 0; again < 2; again++) deepEqual(await attempt(slot, two, batch(0, 7)), stored);
      deepEqual(await attempt(await bench.open(), two, batch(0, 7)), stored);
      deepEqual(await attempt(slot, [record('s0/0/9')], batch(0, 7)), stored);
      deepEqual(await bench.rows(), rowsOfTwo);
    });

    ask('X1: equal rows under another token are taken, as of another slot or another sink', async (bench) => {
      const slots = [await bench.open(0), await bench.open(1), await bench.open(0, 'sink-two')];
      for (const [n, slot] of slots.entries()) deepEqual(await attempt(slot, two, batch(0, 7, `sink${n}`)), stored);
      deepEqual(await bench.rows(), [...rowsOfTwo, ...rowsOfTwo, ...rowsOfTwo].sort());
    });

    ask('a batch without rows is stored, and takes no place', async ({ open, rows }) => {
      const slot = await open();
      deepEqual(await attempt(slot, [], batch(0, 7)), stored);
      deepEqual([await rows(), Object.values((await (await open()).mark(noSignal)) ?? {})], [[], [0]]);
    });

    ask('X2: a token is known while no more blocks came after it than the window has places', async (bench) => {
      const slot = await bench.open();
      await store(slot, two, batch(0, 7));
      await bench.fill(places - 1);
      deepEqual(await attempt(slot, two, batch(0, 7)), stored);
      deepEqual(await ownRows(bench), rowsOfTwo);
    });

    ask('X2: a token is unknown when one more came; the block is taken again, and is known again', async (bench) => {
      const slot = await bench.open();
      await store(slot, two, batch(0, 7));
      await bench.fill(places);
      for (let again = 0; again < 2; again++) deepEqual(await attempt(slot, two, batch(0, 7)), stored);
      deepEqual(await ownRows(bench), twice(rowsOfTwo));
    });

    ask('X2: a repetition that is dropped does not refresh the place of its token', async (bench) => {
      const slot = await bench.open();
      await store(slot, two, batch(0, 7));
      await bench.fill(places / 2);
      await store(slot, two, batch(0, 7));
      deepEqual(await ownRows(bench), rowsOfTwo);
      await bench.fill(places / 2);
      await store(slot, two, batch(0, 7));
      deepEqual(await ownRows(bench), twice(rowsOfTwo));
    });

    ask('two sinks of one table use up one window', async (bench) => {
      const [one, other] = [await bench.open(), await bench.open(0, 'sink-two')];
      await store(one, two, batch(0, 7));
      await store(other, three, batch(0, 7, 'two'));
      await bench.fill(places - 2);
      await store(one, two, batch(0, 7));
      deepEqual(await ownRows(bench), [...rowsOfTwo, rowOf('s0/0/3')]);
      await store(other, three, batch(7, 9, 'two'));
      await store(one, two, batch(0, 7));
      deepEqual(await ownRows(bench), [...twice(rowsOfTwo), rowOf('s0/0/3'), rowOf('s0/0/3')]);
    });

    describe('its mark', () => {
      const markOf = async ({ open }: ClickHouseBench) =>
        Object.values((await (await open()).mark(noSignal)) ?? {}).toSorted((a, b) => a - b);

      ask('counts the blocks of everybody', async (bench) => {
        deepEqual(await markOf(bench), [0]);
        await store(await bench.open(), two, batch(0, 7));
        const [before] = await markOf(bench);
        await bench.fill(4);
        deepEqual(await markOf(bench), [before! + 4]);
      });

      ask(
        'counts the partitions of a block',
        async (bench) => {
          const slot = await bench.open();
          await store(slot, spread(3), batch(0, 7));
          const [before] = await markOf(bench);
          await store(slot, spread(3), batch(7, 9));
          deepEqual(await markOf(bench), [before! + 3]);
        },
        { partitions: 3 },
      );

      ask(
        'counts for each table that is reached',
        async (bench) => {
          const slot = await bench.open();
          await store(slot, two, batch(0, 7));
          const before = await markOf(bench);
          await store(slot, two, batch(7, 9));
          deepEqual(
            await markOf(bench),
            before.map((mark) => mark + 1),
          );
        },
        { hasView: true },
      );

      ask('counts a repetition that was dropped with the next block', async (bench) => {
        const slot = await bench.open();
        await store(slot, two, batch(0, 7));
        const before = await markOf(bench);
        for (let again = 0; again < 2; again++) await store(slot, two, batch(0, 7));
        deepEqual(await markOf(bench), before);
        await bench.fill(1);
        deepEqual(await markOf(bench), [before[0]! + 3]);
      });

      ask('is a little old for some inserts, and so never says too much', async (bench) => {
        const slot = await bench.open();
        const first = await slot.mark(noSignal);
        await bench.fill(3);
        deepEqual(await slot.mark(noSignal), first);
      });
    });

    describe('asked whether a batch may be repeated', () => {
      async function begun(bench: ClickHouseBench) {
        const slot = await bench.open();
        await bench.fill(1);
        const mark = await slot.mark(noSignal);
        await store(slot, two, batch(0, 7));
        return async (ageMs: number, changed?: string) => {
          const next = await bench.open();
          const verdict = await next.mayRepeat(batch(0, 7), { mark, ageMs, rows: 2, changed }, noSignal);
          return verdict.kind === 'ask' ? verdict.error.code : verdict.kind;
        };
      }

      ask('says yes while nine tenths of the window were not written, and then lets a person say', async (bench) => {
        const mayRepeat = await begun(bench);
        await bench.fill(places * 0.9 - 1);
        equal(await mayRepeat(60_000), 'repeat');
        await bench.fill(1);
        equal(await mayRepeat(60_000), 'MR_SINK_OUTCOME_UNKNOWN');
      });

      ask('lets a person say when it is not the same batch', async (bench) => {
        const mayRepeat = await begun(bench);
        equal(await mayRepeat(1_000, 'it had 3 rows'), 'MR_SINK_OUTCOME_UNKNOWN');
      });

      ask('says yes after a day in which nobody wrote', async (bench) => {
        const mayRepeat = await begun(bench);
        equal(await mayRepeat(86_400_000), 'repeat');
      });
    });

    describe('a row that is refused', () => {
      ask(
        'X3: ends the insert before anything is stored, and is named; the others go in under the token',
        async (bench) => {
          const records = [...two, record('s0/0/3', bench.table), record('s0/0/4', 'another')];
          const slot = await bench.open();
          deepEqual(await attempt(slot, records, batch(0, 7)), { examined: refusedAt(2), mayBeStored: false });
          deepEqual(await bench.rows(), []);
          for (let again = 0; again < 2; again++) deepEqual(await store(slot, records, batch(0, 7)), [2]);
          deepEqual(await bench.rows(), [...rowsOfTwo, rowOf('s0/0/4')]);
        },
      );

      ask('X3: is refused also when its token is known', async (bench) => {
        const slot = await bench.open();
        await store(slot, two, batch(0, 7));
        const end = await attempt(slot, [...two, record('s0/0/3', bench.table)], batch(0, 7));
        deepEqual(end, { examined: refusedAt(2), mayBeStored: false });
        deepEqual(await bench.rows(), rowsOfTwo);
      });

      ask(
        'X3: of one partition leaves what partitions before it have stored, which is known when the rest comes',
        async (bench) => {
          const [one, other, third] = spread(3);
          const records = [one!, other!, { ...third!, refusedBy: bench.table }];
          const slot = await bench.open();
          const end = await attempt(slot, records, batch(0, 7));
          deepEqual(end, { examined: refusedAt(2), mayBeStored: true });
          deepEqual(await bench.rows(), [rowOf(one!.id)]);
          for (let again = 0; again < 2; again++) deepEqual(await store(slot, records, batch(0, 7)), [2]);
          deepEqual(await bench.rows(), [one!, other!].map(({ id }) => rowOf(id)).sort());
        },
        { partitions: 3 },
      );

      ask(
        'X3: is found before the insert where there is a view',
        async (bench) => {
          const records = [...two, record('s0/0/3', bench.table)];
          const slot = await bench.open();
          deepEqual(await attempt(slot, records, batch(0, 7)), { examined: refusedAt(2), mayBeStored: false });
          deepEqual(await attempt(slot, two, batch(7, 9)), { examined: [], mayBeStored: false });
          deepEqual([await bench.rows(), await bench.viewed()], [[], []]);
          deepEqual(await store(slot, records, batch(0, 7)), [2]);
          deepEqual([await bench.rows(), await bench.viewed()], [rowsOfTwo, rowsOfTwo]);
        },
        { hasView: true },
      );
    });

    describe('partitions', () => {
      ask(
        'take a place each; the first that is forgotten is taken again, and so pushes out the next, to the last',
        async (bench) => {
          const records = spread(3);
          const slot = await bench.open();
          await store(slot, records, batch(0, 7));
          await bench.fill(places - 2);
          await store(slot, records, batch(0, 7));
          const texts = records.map(({ id }) => rowOf(id));
          deepEqual(await ownRows(bench), twice(texts));
        },
        { partitions: 3 },
      );
    });

    describe('a view', () => {
      ask(
        'B3: gets the rows once, however often they come',
        async (bench) => {
          const slot = await bench.open();
          for (let again = 0; again < 3; again++) await store(slot, two, batch(0, 7));
          deepEqual([await bench.rows(), await bench.viewed()], [rowsOfTwo, rowsOfTwo]);
        },
        { hasView: true },
      );

      ask(
        'B3: that fails leaves the block in the table; repeated, the view has it, too',
        async (bench) => {
          const slot = await bench.open();
          const end = await bench.failingView(() => attempt(slot, two, batch(0, 7), []));
          deepEqual(end, { unknown: 'MR_SINK_VIEW_FAILED' });
          deepEqual([await bench.rows(), await bench.viewed()], [rowsOfTwo, []]);
          deepEqual(await attempt(slot, two, batch(0, 7), []), stored);
          deepEqual([await bench.rows(), await bench.viewed()], [rowsOfTwo, rowsOfTwo]);
        },
        { hasView: true },
      );
    });

    describe('the way there', () => {
      for (const [way, end, isStored] of [
        ['refusing', 'nothing', false],
        ['silent', 'unknown', false],
        ['mute', 'unknown', true],
      ] as const) {
        ask(`that is ${way} leaves the end ${end}; repeated, the block is there once`, async (bench) => {
          const slot = await bench.open();
          const ended = await bench.on(way, async () => {
            // Who asks first may get a connection that was kept and has just ended, and cannot tell what became of it.
            if (way === 'refusing') await attempt(slot, two, batch(0, 7));
            return attempt(slot, two, batch(0, 7));
          });
          deepEqual(ended, { [end]: 'MR_SINK_UNREACHABLE' });
          deepEqual(await bench.rows(), isStored ? rowsOfTwo : []);
          deepEqual(await attempt(await bench.open(), two, batch(0, 7)), stored);
          deepEqual(await bench.rows(), rowsOfTwo);
        });
      }

      ask(
        'that loses the answer to an insert leaves its end unknown; repeated, the block is there once',
        async (bench) => {
          const slot = await bench.open();
          const end = await bench.losingInsert(() => attempt(slot, two, batch(0, 7)));
          deepEqual(end, { unknown: 'MR_SINK_UNREACHABLE' });
          deepEqual(await bench.rows(), rowsOfTwo);
          deepEqual(await attempt(slot, two, batch(0, 7)), stored);
          deepEqual(await bench.rows(), rowsOfTwo);
        },
      );

      ask('that loses the answer to an insert hides a refusal as well', async (bench) => {
        const records = [...two, record('s0/0/3', bench.table)];
        const slot = await bench.open();
        const end = await bench.losingInsert(() => attempt(slot, records, batch(0, 7)));
        deepEqual(end, { unknown: 'MR_SINK_UNREACHABLE' });
        deepEqual(await bench.rows(), []);
        deepEqual(await store(slot, records, batch(0, 7)), [2]);
        deepEqual(await bench.rows(), rowsOfTwo);
      });
    });
  });
}
