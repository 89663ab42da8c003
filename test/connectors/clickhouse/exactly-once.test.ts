/**
 * The guarantee of the ClickHouse sink on the real engine: each batch goes through the same steps as in the loop
 * (`stream/sink-write.ts`), over a commit log in memory that outlives a killed owner.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { ClickHouseClient } from '@clickhouse/client';
import { codes } from '../../../connectors/clickhouse/codes.ts';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { SinkSlot } from '../../../connectors/connector.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { SinkWrite } from '../../../stream/sink-write.ts';
import { batchOfRows, Witness } from '../../stream/support/fakes.ts';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { eagerClock } from '../../stream/support/stages.ts';
import { batch, rowsOf, sinkContext, sinksOfTest, slotId } from '../sink-context.ts';
import { owner, waitsFor, written } from './owner.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

describe('ClickHouse sink, exactly once', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  const opened = sinksOfTest();

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const windowed = (places = 1_000) => `SETTINGS non_replicated_deduplication_window = ${places}`;
  const plain = `ENGINE = MergeTree ORDER BY tuple() ${windowed()}`;
  const run = (query: string) => client.command({ query });

  async function ids(table: string): Promise<number[]> {
    const query = `SELECT toUInt32(id) AS id FROM ${table} ORDER BY id`;
    const rows = await (await client.query({ query, format: 'JSONEachRow' })).json<{ id: number }>();
    return rows.map(({ id }) => id);
  }

  async function count(query: string): Promise<number> {
    const rows = await (await client.query({ query, format: 'JSONEachRow' })).json<{ n: string }>();
    return Number(rows[0]?.n);
  }

  async function openSlot(more: object, url = clickhouse.url, slot = 0): Promise<SinkSlot> {
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url, ...more }), sinkContext());
    opened.push(connected);
    return connected.open({ ...slotId, slot });
  }

  const eight = Array.from({ length: 8 }, (_, id) => ({ id, v: id === 5 ? 'x' : String(id) }));
  const allBut = (n: number, ...left: number[]) =>
    Array.from({ length: n }, (_, id) => id).filter((id) => !left.includes(id));

  it('the names of the codes are those of the engine', async () => {
    const query = `SELECT number AS code, errorCodeToName(toInt32(number)) AS name FROM numbers(1100)`;
    const rows = await (await client.query({ query, format: 'JSONEachRow' })).json<{ code: string; name: string }>();
    const names = new Map(rows.map(({ code, name }) => [Number(code), name]));
    for (const [code, { name }] of codes) equal(name, names.get(code));
  });

  describe('a row that a view refuses', () => {
    for (const [name, target, view] of [
      ['in its SELECT', `id UInt64, v UInt64`, `SELECT id, toUInt64(v) AS v`],
      ['when its table takes it', `id UInt64, v UInt64`, `SELECT id, v`],
      ['by a constraint of its table', `id UInt64, v String, CONSTRAINT c CHECK v != 'x'`, `SELECT id, v`],
      ['by the sorting key of its table', `id UInt64, v String`, `SELECT id, v`],
      [
        'in a MATERIALIZED column of its table',
        `id UInt64, v String, m UInt64 MATERIALIZED toUInt64(v)`,
        `SELECT id, v`,
      ],
      ['in a group', `id UInt64, v UInt64`, `SELECT id, sum(toUInt64(v)) AS v`],
    ] as const) {
      it(`${name} is refused, and every other row is in both tables once, however often the batch comes`, async () => {
        const n = `view_${name.replaceAll(/\W/g, '_')}`;
        const order = name.includes('sorting') ? 'toUInt64(v)' : 'id';
        await run(`CREATE TABLE ${n} (id UInt64, v String) ${plain}`);
        await run(`CREATE TABLE ${n}_to (${target}) ENGINE = MergeTree ORDER BY ${order} ${windowed()}`);
        const group = name === 'in a group' ? 'GROUP BY id' : '';
        await run(`CREATE MATERIALIZED VIEW ${n}_view TO ${n}_to AS ${view} FROM ${n} ${group}`);
        const slot = await openSlot({ table: n });
        const log = new MemoryLog();
        for (let life = 0; life < 3; life++) deepEqual(await written(slot, log, eight), [5]);
        deepEqual([await ids(n), await ids(`${n}_to`)], [allBut(8, 5), allBut(8, 5)]);
      });
    }

    it('is refused when it is a view of a view, whose table is its own', async () => {
      await run(`CREATE TABLE deep (id UInt64, v String) ${plain}`);
      await run(
        `CREATE MATERIALIZED VIEW deep_1 ENGINE = MergeTree ORDER BY id ${windowed()} AS SELECT id, v FROM deep`,
      );
      await run(`CREATE TABLE deep_to (id UInt64) ENGINE = MergeTree ORDER BY id ${windowed()}`);
      const inner = await (
        await client.query({
          query: "SELECT target_table FROM system.tables WHERE name = 'deep_1'",
          format: 'JSONEachRow',
        })
      ).json<{ target_table: string }>();
      const table = `\`${inner[0]!.target_table}\``;
      await run(`CREATE MATERIALIZED VIEW deep_2 TO deep_to AS SELECT id FROM ${table} WHERE toUInt64(v) >= 0`);
      const slot = await openSlot({ table: 'deep' });
      deepEqual(await written(slot, new MemoryLog(), eight), [5]);
      deepEqual(
        [await ids('deep'), await ids('deep_1'), await ids('deep_to')],
        [allBut(8, 5), allBut(8, 5), allBut(8, 5)],
      );
    });

    it('is found however often the owner is killed, with the halves that v0.1 made twenty-eight rows of', async () => {
      await run(`CREATE TABLE killed (id UInt64, v String) ${plain}`);
      await run(`CREATE TABLE killed_to (id UInt64, v UInt64) ENGINE = MergeTree ORDER BY id ${windowed()}`);
      await run('CREATE MATERIALIZED VIEW killed_view TO killed_to AS SELECT id, toUInt64(v) AS v FROM killed');
      const ten = Array.from({ length: 10 }, (_, id) => ({ id, v: id === 7 ? 'x' : '1' }));
      const slot = await openSlot({ table: 'killed' });
      const log = new MemoryLog();
      for (let step = 0; step < 6; step++) {
        const one = killedAt(log, step);
        const life = owner(slot, log, ten);
        life.done.catch(() => undefined);
        await Promise.race([one.killed, life.done]);
        one.end();
      }
      deepEqual(await written(slot, log, ten), [7]);
      deepEqual([await ids('killed'), await ids('killed_to')], [allBut(10, 7), allBut(10, 7)]);
    });

    it('of a view that reads its table twice makes the sink wait and say so; a person mends the view, and it goes on', async () => {
      await run(`CREATE TABLE joined (id UInt64, v String) ${plain}`);
      await run(`CREATE TABLE joined_to (id UInt64, v UInt64) ENGINE = MergeTree ORDER BY id ${windowed()}`);
      await run(`CREATE MATERIALIZED VIEW joined_view TO joined_to AS
        SELECT a.id AS id, toUInt64(a.v) AS v FROM joined AS a LEFT JOIN joined AS b ON a.id = b.id + 1000`);
      const slot = await openSlot({ table: 'joined' });
      const log = new MemoryLog();
      for (let life = 0; life < 3; life++) {
        waitsFor('MR_SINK_VIEW_FAILED', /Cannot parse string 'x'.*Correct the view/s)(await written(slot, log, eight));
      }
      equal(await count('SELECT count() AS n FROM joined_to'), 0);
      await run('ALTER TABLE joined_view MODIFY QUERY SELECT a.id AS id, toUInt64OrZero(a.v) AS v FROM joined AS a');
      deepEqual(await written(slot, log, eight), []);
      deepEqual([await ids('joined'), await ids('joined_to')], [allBut(8), allBut(8)]);
    });

    it('is no longer refused when the view is mended or dropped', async () => {
      await run(`CREATE TABLE dropped (id UInt64, v String) ${plain}`);
      await run(`CREATE TABLE dropped_to (id UInt64, v UInt64) ENGINE = MergeTree ORDER BY id ${windowed()}`);
      await run('CREATE MATERIALIZED VIEW dropped_view TO dropped_to AS SELECT id, toUInt64(v) AS v FROM dropped');
      const slot = await openSlot({ table: 'dropped' });
      deepEqual(await written(slot, new MemoryLog(), eight), [5]);
      await run('DROP VIEW dropped_view');
      deepEqual(await written(slot, new MemoryLog(), eight, 2), []);
      equal((await ids('dropped')).length, 15);
    });

    it('is not looked for in a view that a timer runs', async () => {
      await run('CREATE DATABASE timed ENGINE = Atomic');
      await run(`CREATE TABLE timed.rows (id UInt64, v String) ${plain}`);
      await run(
        `CREATE MATERIALIZED VIEW timed.hourly REFRESH EVERY 1 HOUR ENGINE = Memory AS SELECT toUInt64(v) AS v FROM timed.rows`,
      );
      const slot = await openSlot({ database: 'timed', table: 'rows' });
      deepEqual(await written(slot, new MemoryLog(), eight), []);
    });

    it('H2: is found although an owner that was frozen has dropped half of what a newer one examines with', async () => {
      await run(`CREATE TABLE woken (id UInt64, v String) ${plain}`);
      await run(`CREATE TABLE woken_to (id UInt64, v UInt64) ENGINE = MergeTree ORDER BY id ${windowed()}`);
      await run('CREATE MATERIALIZED VIEW woken_view TO woken_to AS SELECT id, toUInt64(v) AS v FROM woken');
      const owner = await openSlot({ table: 'woken' }, clickhouse.url, 8);
      deepEqual(await written(owner, new MemoryLog(), eight), [5]);
      let drops = 0;
      const isLater = { test: (query: string) => query.startsWith('DROP TABLE') && drops++ > 0 };
      const proxy = await denying(clickhouse.url, isLater, '210 NETWORK_ERROR the server is gone');
      // H3: that it could not drop the rest is told, and waited for.
      await rejects(
        openSlot({ table: 'woken' }, proxy.url, 8),
        (error) => error instanceof MillraceError && error.code === 'MR_SINK_UNREACHABLE',
      );
      ok(drops > 1);
      deepEqual(await written(owner, new MemoryLog(), eight, 2), [5]);
      await owner.close();
      await proxy.close();
    });

    it('H3: opens without the right to drop what another process left behind', async () => {
      await run(`CREATE TABLE undroppable (id UInt64, v String) ${plain}`);
      await run('CREATE MATERIALIZED VIEW undroppable_view ENGINE = Null AS SELECT toUInt64(v) AS v FROM undroppable');
      const killed = await openSlot({ table: 'undroppable' }, clickhouse.url, 9);
      deepEqual(await written(killed, new MemoryLog(), eight), [5]);
      const proxy = await denying(clickhouse.url, /^DROP/);
      await (await openSlot({ table: 'undroppable' }, proxy.url, 9)).close();
      await killed.close();
      await proxy.close();
    });

    it('leaves nothing of the examination behind', async () => {
      const left = "SELECT count() AS n FROM system.tables WHERE name LIKE 'millrace_check_%'";
      await run(`CREATE TABLE tidy (id UInt64, v String) ${plain}`);
      await run(
        `CREATE MATERIALIZED VIEW tidy_view ENGINE = MergeTree ORDER BY id ${windowed()} AS SELECT id, toUInt64(v) AS v FROM tidy`,
      );
      const before = await count(left);
      const killed = await openSlot({ table: 'tidy' }, clickhouse.url, 7);
      deepEqual(await written(killed, new MemoryLog(), eight), [5]);
      ok((await count(left)) > before);
      // That process never came to close its slot.
      const next = await openSlot({ table: 'tidy' }, clickhouse.url, 7);
      equal(await count(left), before);
      deepEqual(await written(next, new MemoryLog(), eight, 2), [5]);
      // A stale owner makes its own again.
      deepEqual(await written(killed, new MemoryLog(), eight, 3), [5]);
      await Promise.all([killed.close(), next.close()]);
      equal(await count(left), before);
    });
  });

  describe('rows that the table refuses', () => {
    for (const [name, definition, by] of [
      ['a constraint', `id UInt64, v String, CONSTRAINT c CHECK v != 'x'`, 'ORDER BY id'],
      ['a DEFAULT expression', `id UInt64, v String, d UInt64 DEFAULT toUInt64(v)`, 'ORDER BY id'],
      ['a MATERIALIZED expression', `id UInt64, v String, d UInt64 MATERIALIZED toUInt64(v)`, 'ORDER BY id'],
      ['the partition key', `id UInt64, v String`, 'PARTITION BY toUInt64(v) ORDER BY id'],
      ['the sorting key', `id UInt64, v String`, 'ORDER BY toUInt64(v)'],
      ['a skip index', `id UInt64, v String, INDEX i toUInt64(v) TYPE minmax`, 'ORDER BY id'],
    ] as const) {
      it(`by ${name} are found, and the rest is stored once`, async () => {
        const table = `refused_${name.replaceAll(/\W/g, '_')}`;
        await run(`CREATE TABLE ${table} (${definition}) ENGINE = MergeTree ${by} ${windowed()}`);
        const slot = await openSlot({ table });
        const log = new MemoryLog();
        for (let life = 0; life < 2; life++) deepEqual(await written(slot, log, eight), [5]);
        deepEqual(await ids(table), allBut(8, 5));
        deepEqual(log.entries, ['intent', 'refused']);
      });
    }

    it('many of them do not use up what the table remembers: 256 rows, 64 refused, a window of 100, a kill before the commit', async () => {
      await run(
        `CREATE TABLE many (id UInt64, CONSTRAINT c CHECK id % 4 != 0) ENGINE = MergeTree ORDER BY id ${windowed(100)}`,
      );
      const slot = await openSlot({ table: 'many' });
      const records = Array.from({ length: 256 }, (_, id) => ({ id }));
      const log = new MemoryLog();
      for (let life = 0; life < 3; life++) {
        const refused = await written(slot, log, records);
        ok(Array.isArray(refused));
        equal(refused.length, 64);
      }
      equal(await count('SELECT count() AS n FROM many'), 192);
      equal(await count("SELECT uniqExact(name) AS n FROM system.parts WHERE table = 'many'"), 1);
    });

    it('are waited for when the user may make no table, and the right that is missing is named', async () => {
      await run(`CREATE TABLE rights (id UInt64, v String, CONSTRAINT c CHECK v != 'x') ${plain}`);
      const proxy = await denying(clickhouse.url, /^CREATE/);
      const slot = await openSlot({ table: 'rights' }, proxy.url);
      const log = new MemoryLog();
      waitsFor('MR_SINK_ROWS_UNKNOWN', /GRANT CREATE TABLE, .* ON `default`\.\*/)(await written(slot, log, eight));
      equal(log.last?.kind, 'commit');
      proxy.allow();
      deepEqual(await written(slot, log, eight), [5]);
      deepEqual(await ids('rights'), allBut(8, 5));
      await proxy.close();
    });

    it('and that no twin and no copy refuses are waited for with what to do, and go in when that is done', async () => {
      await run(`CREATE TABLE alone (id UInt64, v String) ${plain}`);
      const proxy = await denying(clickhouse.url, /^INSERT INTO `default`\.`alone`/, '117 INCORRECT_DATA no such pair');
      const slot = await openSlot({ table: 'alone' }, proxy.url);
      const log = new MemoryLog();
      waitsFor(
        'MR_SINK_ROWS_UNKNOWN',
        /a copy of the table takes each of them alone, but the table itself says: no such pair.*Alter the table so that it takes the batch, or lower batch.maxRecords/s,
      )(await written(slot, log, eight));
      equal(log.last?.kind, 'commit');
      proxy.allow();
      deepEqual(await written(slot, log, eight), []);
      deepEqual(await ids('alone'), allBut(8));
      await proxy.close();
    });

    describe('Z4: for a reason that may be the fault of the table', () => {
      const settings = [{ name: 'allow_custom_error_code_in_throwif', value: '1' }];
      const tableOf = async (name: string, fails: string) => {
        await client.command({
          query: `CREATE TABLE ${name} (id UInt64, d UInt8 MATERIALIZED throwIf(${fails}, 'no', toInt16(36))) ${plain}`,
          clickhouse_settings: { allow_custom_error_code_in_throwif: 1 },
        });
        return openSlot({ table: name, settings });
      };

      for (const [many, records] of [
        ['one row', [{ id: 1 }]],
        ['every row of several', [{ id: 1 }, { id: 2 }, { id: 3 }]],
      ] as const) {
        it(`${many}: it is the records' when the table takes a row of defaults`, async () => {
          const slot = await tableOf(`doubtful_${records.length}`, 'id > 0');
          deepEqual(
            await written(slot, new MemoryLog(), records),
            records.map((_, row) => row),
          );
        });

        it(`${many}: the sink waits when the table refuses a row of defaults, too`, async () => {
          const slot = await tableOf(`unfit_${records.length}`, 'id != 7');
          const end = await written(slot, new MemoryLog(), records);
          waitsFor(
            'MR_SINK_ROWS_UNKNOWN',
            /it refuses every row, one of defaults too, and has none .*BAD_ARGUMENTS/,
          )(end);
        });
      }

      it("it is the records' when the table takes others of the batch", async () => {
        const slot = await tableOf('doubtful_some', 'id != 7');
        deepEqual(await written(slot, new MemoryLog(), [{ id: 7 }, { id: 2 }]), [1]);
      });
    });
  });

  describe('partitions', () => {
    const spread = (n: number) => Array.from({ length: n }, (_, id) => ({ id, p: id }));

    it('each take a place in the window, which is checked at the start: 80 rows stay 80', async () => {
      await run(
        `CREATE TABLE spread (id UInt64, p UInt32) ENGINE = MergeTree PARTITION BY p ORDER BY id ${windowed(100)}`,
      );
      const error: unknown = await openSlot({ table: 'spread' }).catch((reason: unknown) => reason);
      ok(error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT');
      match(error.message, /is 100, so that a repeated insert may be stored twice; 500 are needed/);
      await run(/^Run: (.*)$/.exec(error.fix)![1]!);
      const slot = await openSlot({ table: 'spread' });
      const log = new MemoryLog();
      deepEqual(await written(slot, log, spread(80)), []);
      for (let other = 0; other < 5; other++) {
        deepEqual(await written(slot, new MemoryLog(), spread(80), 10 + other), []);
      }
      deepEqual(await written(slot, log, spread(80)), []);
      equal(await count('SELECT count() AS n FROM spread'), 80 * 6);
    });

    it('more of them than an insert may reach are told with the mend, and go in when it is done', async () => {
      await run(
        `CREATE TABLE wide (id UInt64, p UInt32) ENGINE = MergeTree PARTITION BY p ORDER BY id ${windowed(10_000)}`,
      );
      const log = new MemoryLog();
      const narrow = await openSlot({ table: 'wide' });
      waitsFor(
        'MR_SINK_TABLE_UNFIT',
        /more than 100 partitions. Set max_partitions_per_insert_block in the settings/,
      )(await written(narrow, log, spread(150)));
      equal(log.last?.kind, 'commit');
      const settings = [{ name: 'max_partitions_per_insert_block', value: '200' }];
      const slot = await openSlot({ table: 'wide', settings });
      for (let life = 0; life < 2; life++) deepEqual(await written(slot, log, spread(150)), []);
      equal(await count('SELECT count() AS n FROM wide'), 150);
    });

    it('that were stored before another one failed are not stored again', async () => {
      await run(
        `CREATE TABLE partly (id UInt64, p UInt32, v String) ENGINE = MergeTree PARTITION BY p ORDER BY toUInt64(v) ${windowed()}`,
      );
      const records = Array.from({ length: 40 }, (_, id) => ({ id, p: id, v: id === 30 ? 'x' : '1' }));
      const slot = await openSlot({ table: 'partly' });
      const log = new MemoryLog();
      for (let life = 0; life < 2; life++) deepEqual(await written(slot, log, records), [30]);
      deepEqual(await ids('partly'), allBut(40, 30));
    });
  });

  describe('a batch that may be stored', () => {
    /** The batch is stored, its answer is lost, and the owner is killed; then others write. */
    async function lost(table: string, others: number, more: object = {}) {
      await run(`CREATE TABLE IF NOT EXISTS ${table} (id UInt64) ENGINE = MergeTree ORDER BY id ${windowed(100)}`);
      const log = new MemoryLog();
      deepEqual(await written(await openSlot({ table, ...more }), log, [{ id: 1 }]), []);
      equal(log.last?.kind, 'intent');
      for (let n = 0; n < others; n++) await run(`INSERT INTO ${table} VALUES (${1_000 + n})`);
      return log;
    }

    it('is repeated while the table remembers it', async () => {
      const log = await lost('few', 50);
      deepEqual(await written(await openSlot({ table: 'few' }), log, [{ id: 1 }]), []);
      equal(await count('SELECT count() AS n FROM few WHERE id = 1'), 1);
    });

    it('is left to a person when others have written more than the table remembers', async () => {
      const log = await lost('flooded', 120);
      const slot = await openSlot({ table: 'flooded' });
      waitsFor(
        'MR_SINK_OUTCOME_UNKNOWN',
        /frames 1 to 1 .*\(1 row\).*12\d parts were written.*remembers 100.*insert_deduplication_token'\] = 'uid-1:/s,
      )(await written(slot, log, [{ id: 1 }]));
      equal(await count('SELECT count() AS n FROM flooded WHERE id = 1'), 1);
      equal(log.last?.kind, 'intent');
    });

    for (const [onUncertain, copies] of [
      ['Skip', 1],
      ['Repeat', 2],
    ] as const) {
      it(`is taken as the spec says: ${onUncertain}`, async () => {
        const table = `flooded_${onUncertain}`;
        const log = await lost(table, 120);
        deepEqual(await written(await openSlot({ table, onUncertain }), log, [{ id: 1 }]), []);
        equal(await count(`SELECT count() AS n FROM ${table} WHERE id = 1`), copies);
      });
    }

    it('and is no longer what it was is left to a person', async () => {
      const log = await lost('other', 0);
      const end = await written(await openSlot({ table: 'other' }), log, [{ id: 1 }, { id: 2 }]);
      waitsFor('MR_SINK_OUTCOME_UNKNOWN', /it had 1 rows when it was started and has 2 now/)(end);
      deepEqual(await ids('other'), [1]);
    });
  });

  it('I12: a stop while the answer of the server is lost finds out first; the next owner finds nothing to repeat', async () => {
    await run(`CREATE TABLE paused (id UInt64) ${plain}`);
    const proxy = await losingAnswers(clickhouse.url, /^INSERT/);
    const slot = await openSlot({ table: 'paused' }, proxy.url);
    const log = new MemoryLog();
    const stop = new AbortController();
    proxy.onLost(() => {
      stop.abort(new Error('the pod stops'));
      proxy.heal();
    });
    const refused = await new SinkWrite(
      {
        sink: 'warehouse',
        sinkSlot: slot,
        log,
        clock: eagerClock,
        random: () => 0.5,
        observer: new Witness(),
        signals: { stop: stop.signal, abort: new AbortController().signal },
      },
      batchOfRows(rowsOf(slot, [{ id: 1 }, { id: 2 }])),
      batch(0, 1),
    ).run();
    deepEqual([refused, await ids('paused'), stop.signal.aborted], [[], [1, 2], true]);
    await proxy.close();
  });

  it('G2: a spec that contradicts the guarantee is refused', async () => {
    await rejects(
      openSlot({ table: 'x', settings: [{ name: 'async_insert', value: '1' }] }),
      /async_insert|must stay 0/,
    );
  });
});

/** The process is killed at the `nth` entry of its log: it is stored, and nothing comes after it. */
function killedAt(log: MemoryLog, nth: number) {
  let steps = 0;
  let kill: () => void = () => undefined;
  const killed = new Promise<void>((resolve) => (kill = resolve));
  log.step = async (when) => {
    if (when === 'before' || steps++ !== nth) return;
    kill();
    await new Promise<never>(() => undefined);
  };
  return {
    killed,
    end: () => {
      log.step = () => Promise.resolve();
    },
  };
}

/** A proxy that hands statements on, and cuts the connection in the place of the answer to some. */
async function losingAnswers(url: string, statement: RegExp) {
  let isLosing = true;
  let tell: () => void = () => undefined;
  const { hostname, port } = new URL(url);
  const server = createServer((asked, answer) => {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const body = Buffer.concat(chunks);
      const query = new URL(asked.url ?? '/', url).searchParams.get('query') ?? body.toString('latin1', 0, 100);
      const { method, headers, url: path } = asked;
      const on = request({ hostname, port, path, method, headers }, (from) => {
        if (isLosing && statement.test(query)) {
          from.resume().on('end', () => {
            tell();
            asked.socket.destroy();
          });
          return;
        }
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(answer);
      });
      on.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    onLost: (listener: () => void) => (tell = listener),
    heal: () => (isLosing = false),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** A proxy that answers some statements with an error of ClickHouse: by default that of a user who may not. */
async function denying(
  url: string,
  statement: Pick<RegExp, 'test'>,
  error = '497 ACCESS_DENIED app: Not enough privileges.',
) {
  let isDenying = true;
  const [, code, type, text] = /^(\d+) (\w+) (.*)$/.exec(error) ?? [];
  const { hostname, port } = new URL(url);
  const server = createServer((asked, answer) => {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const body = Buffer.concat(chunks);
      const query = new URL(asked.url ?? '/', url).searchParams.get('query') ?? body.toString('latin1', 0, 100);
      if (isDenying && statement.test(query)) {
        answer.writeHead(403, { 'X-ClickHouse-Exception-Code': code });
        answer.end(`Code: ${code}. DB::Exception: ${text} (${type})\n`);
        return;
      }
      const { method, headers, url: path } = asked;
      const on = request({ hostname, port, path, method, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(answer);
      });
      on.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    allow: () => (isDenying = false),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
