/**
 * What the simulation takes for granted about a PostgreSQL sink, asked of a real server through the connector and of the
 * model (../outside/postgres.ts).
 *
 * A failover is not a failover here: the real server is given back an older copy of its rows and positions, which is what a
 * standby that lagged looks like to who writes to it. Not asked is the row lock, which the model does not have: PostgreSQL lets
 * nobody read a position while a COMMIT about it is on its way, and so shows less than what the model does.
 */
import { deepEqual } from 'node:assert/strict';
import { attempt, noSignal, store } from './attempt.ts';
import { batch, record, rowOf } from './sink-bench.ts';
import { modelledPostgres, realPostgres, type PostgresBench } from './postgres-rigs.ts';

const two = [record('s0/0/1'), record('s0/0/2')];
const three = [record('s0/0/3')];
const rowsOfTwo = [rowOf('s0/0/1'), rowOf('s0/0/2')];
const stored = { stored: [] };
const overtaken = { thrown: 'MR_OWNERSHIP_LOST' };

for (const rig of [realPostgres(), modelledPostgres()]) {
  describe(`PostgreSQL as the simulation relies on it: ${rig.name}`, () => {
    before(() => rig.open());
    after(() => rig.close());

    const ask = (what: string, question: (bench: PostgresBench) => Promise<void>) =>
      it(what, () => rig.run({}, question));

    ask('a slot that has written nothing is at 0, under no token', async ({ open, rows }) => {
      const slot = await open();
      deepEqual(await slot.storedPosition(noSignal), { position: 0, token: '' });
      deepEqual(await rows(), []);
    });

    ask('X1: rows and position come together, and the next owner finds both', async ({ open, rows }) => {
      deepEqual(await attempt(await open(), two, batch(0, 7)), stored);
      const next = await open();
      deepEqual(await next.storedPosition(noSignal), { position: 7, token: batch(0, 7).token });
      deepEqual(await rows(), rowsOfTwo);
    });

    ask('X2: a batch that is stored is recognised, by whoever repeats it', async ({ open, rows }) => {
      const slot = await open();
      for (let again = 0; again < 2; again++) deepEqual(await attempt(slot, two, batch(0, 7)), stored);
      deepEqual(await attempt(await open(), two, batch(0, 7)), stored);
      deepEqual(await rows(), rowsOfTwo);
    });

    ask('X2: only the last batch is recognised: one before it has been overtaken', async ({ open, rows }) => {
      const slot = await open();
      await store(slot, two, batch(0, 7));
      await store(slot, three, batch(7, 9));
      deepEqual(await attempt(slot, two, batch(0, 7)), overtaken);
      deepEqual(await slot.storedPosition(noSignal), { position: 9, token: batch(7, 9).token });
      deepEqual(await rows(), [...rowsOfTwo, rowOf('s0/0/3')]);
    });

    ask(
      'X2: another token, another start and a gap are of another owner, and store nothing',
      async ({ open, rows }) => {
        const slot = await open();
        await store(slot, two, batch(0, 7));
        deepEqual(await attempt(slot, three, batch(0, 7, 'other')), overtaken);
        deepEqual(await attempt(slot, three, batch(3, 8)), overtaken);
        deepEqual(await attempt(slot, three, batch(8, 9)), overtaken);
        deepEqual(await slot.storedPosition(noSignal), { position: 7, token: batch(0, 7).token });
        deepEqual(await rows(), rowsOfTwo);
      },
    );

    ask('X2: of two owners that write one range at once, one has written it', async ({ open, rows }) => {
      const owners = [await open(), await open()];
      const ends = await Promise.all(owners.map((owner, n) => attempt(owner, two, batch(0, 7, `owner${n}`))));
      deepEqual(new Set(ends.map((end) => Object.keys(end)[0])), new Set(['stored', 'thrown']));
      deepEqual(await rows(), rowsOfTwo);
    });

    ask('X2: two owners that write one batch at once have both written it, once', async ({ open, rows }) => {
      const owners = [await open(), await open()];
      const ends = await Promise.all(owners.map((owner) => attempt(owner, two, batch(0, 7))));
      deepEqual(ends, [stored, stored]);
      deepEqual(await rows(), rowsOfTwo);
    });

    ask('a position moves without rows, keeps its place under a new token, and goes back', async ({ open }) => {
      const slot = await open();
      for (const [after, to] of [
        [0, 5],
        [5, 5],
        [5, 2],
      ] as const) {
        const id = { from: to, to, after, token: `uid:set:${after}-${to}` };
        deepEqual(await attempt(slot, [], id), stored);
        deepEqual(await slot.storedPosition(noSignal), { position: to, token: id.token });
      }
    });

    ask('X3: rows that are refused are named, and the others are stored in the same attempt', async (bench) => {
      const slot = await bench.open();
      const records = [
        ...two,
        record('s0/0/3', bench.table),
        record('s0/0/4', 'another'),
        record('s0/0/5', bench.table),
      ];
      deepEqual(await attempt(slot, records, batch(0, 7)), {
        stored: [
          [2, 'MR_RECORD_REFUSED'],
          [4, 'MR_RECORD_REFUSED'],
        ],
      });
      deepEqual(await bench.rows(), [...rowsOfTwo, rowOf('s0/0/4')]);
      deepEqual((await slot.storedPosition(noSignal)).position, 7);
    });

    ask('X3: who repeats a batch is told again what was refused then', async ({ open, rows, table }) => {
      const records = [record('s0/0/1', table), record('s0/0/2')];
      const first = await attempt(await open(), records, batch(0, 7));
      deepEqual(await attempt(await open(), records, batch(0, 7)), first);
      // Nobody looks at its rows.
      deepEqual(await attempt(await open(), [], batch(0, 7)), first);
      deepEqual(await rows(), [rowOf('s0/0/2')]);
    });

    ask('X3: a batch of which every row is refused moves the position', async ({ open, rows, table }) => {
      const slot = await open();
      deepEqual(await attempt(slot, [record('s0/0/1', table)], batch(0, 7)), { stored: [[0, 'MR_RECORD_REFUSED']] });
      deepEqual([(await slot.storedPosition(noSignal)).position, await rows()], [7, []]);
    });

    for (const way of ['refusing', 'silent', 'mute'] as const) {
      ask(`X5: on a way that is ${way} no COMMIT is sent, so nothing is stored, for certain`, async (bench) => {
        const slot = await bench.open();
        await store(slot, two, batch(0, 7));
        deepEqual(await bench.on(way, () => attempt(slot, three, batch(7, 9))), { nothing: 'MR_SINK_UNREACHABLE' });
        deepEqual(await slot.storedPosition(noSignal), { position: 7, token: batch(0, 7).token });
        deepEqual(await bench.rows(), rowsOfTwo);
        deepEqual(await attempt(slot, three, batch(7, 9)), stored);
      });
    }

    ask('X5: a COMMIT whose answer is lost leaves it open; repeated, it is stored once', async (bench) => {
      const records = [...two, record('s0/0/3', bench.table)];
      const slot = await bench.open();
      deepEqual(await bench.losingCommit(() => attempt(slot, records, batch(0, 7))), {
        unknown: 'MR_SINK_UNREACHABLE',
      });
      deepEqual(await bench.rows(), rowsOfTwo);
      for (const owner of [slot, await bench.open()])
        deepEqual(await attempt(owner, records, batch(0, 7)), { stored: [[2, 'MR_RECORD_REFUSED']] });
      deepEqual(await bench.rows(), rowsOfTwo);
    });

    ask('X5: after a COMMIT whose answer is lost another range of the same start stores nothing', async (bench) => {
      const slot = await bench.open();
      await bench.losingCommit(() => attempt(slot, two, batch(0, 7)));
      deepEqual(await attempt(slot, [...two, ...three], batch(0, 9)), overtaken);
      deepEqual(await bench.rows(), rowsOfTwo);
    });

    ask('each slot of a sink, and each sink, has its own position in one table', async ({ open, rows }) => {
      const slots = [await open(0), await open(1), await open(0, 'sink-two')];
      for (const [n, slot] of slots.entries())
        deepEqual(await attempt(slot, [record(`s0/${n}/1`)], batch(0, 5 + n)), stored);
      const positions = await Promise.all(slots.map((slot) => slot.storedPosition(noSignal)));
      deepEqual(
        positions.map(({ position }) => position),
        [5, 6, 7],
      );
      deepEqual(await attempt(slots[1]!, [record('s0/1/2')], batch(5, 9)), overtaken);
      deepEqual(await rows(), [rowOf('s0/0/1'), rowOf('s0/1/1'), rowOf('s0/2/1')]);
    });

    ask('a server that has gone back has the rows and the position of then, and goes on from there', async (bench) => {
      const slot = await bench.open();
      await store(slot, two, batch(0, 7));
      const goBack = await bench.copy();
      await store(slot, three, batch(7, 9));
      await goBack();
      deepEqual(await slot.storedPosition(noSignal), { position: 7, token: batch(0, 7).token });
      deepEqual(await bench.rows(), rowsOfTwo);
      // What comes after what was lost is refused, what was lost is taken again, and what is there is recognised.
      deepEqual(await attempt(slot, [], batch(9, 11)), overtaken);
      deepEqual(await attempt(slot, two, batch(0, 7)), stored);
      deepEqual(await attempt(slot, three, batch(7, 9)), stored);
      deepEqual(await bench.rows(), [...rowsOfTwo, rowOf('s0/0/3')]);
    });

    ask('a server that has gone back has gone back for every slot, and to before its first batch', async (bench) => {
      const [one, other] = [await bench.open(0), await bench.open(1)];
      const goBack = await bench.copy();
      await store(one, two, batch(0, 7));
      await store(other, three, batch(0, 4));
      await store(one, [record('s0/0/8')], batch(7, 9));
      await goBack();
      for (const slot of [one, other]) deepEqual(await slot.storedPosition(noSignal), { position: 0, token: '' });
      deepEqual(await bench.rows(), []);
    });
  });
}
