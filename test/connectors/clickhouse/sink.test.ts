import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as dial, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { Sink, SinkSlot } from '../../../connectors/connector.ts';
import { MillraceError } from '../../../model/errors.ts';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { ensureKeystore } from '../../../local/kafka/keystore.ts';
import { freePort } from '../../../local/ports.ts';
import { batch, meta, noSignal, rowsOf, sinkContext, sinksOfTest, slotId, write } from '../sink-context.ts';

describe('ClickHouse sink', function () {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  const opened = sinksOfTest();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-sink-'));
    clickhouse = await startClickHouse({ dir, port: await freePort(), user: 'app', password: 'right' });
    client = createClient({ url: clickhouse.url, username: 'app', password: 'right' });
  });

  after(async () => {
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
  });

  const windowed = 'ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000';

  function connect(more: object): Promise<Sink> {
    const config = clickhouseSinkSpec.parse({ url: clickhouse.url, username: 'app', password: 'right', ...more });
    return sink.connect(config, sinkContext());
  }

  async function openSlot(more: object): Promise<SinkSlot> {
    const connected = await connect(more);
    opened.push(connected);
    return connected.open(slotId);
  }

  async function rows(query: string): Promise<unknown[]> {
    return (await client.query({ query, format: 'JSONEachRow' })).json();
  }

  const run = (query: string) => client.command({ query });
  const isCode = (code: string) => (error: unknown) => error instanceof MillraceError && error.code === code;

  describe('writing', () => {
    it('X1: stores a batch once, however often it is written with its token', async () => {
      await run(`CREATE TABLE once (id UInt64, name String) ${windowed}`);
      const slot = await openSlot({ table: 'once' });
      const records = [
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ];
      for (let attempt = 0; attempt < 3; attempt++) await write(slot, rowsOf(slot, records), batch(0, 5), noSignal);
      await write(slot, rowsOf(slot, records), batch(5, 9), noSignal);
      deepEqual(await rows('SELECT id, count() AS n FROM once GROUP BY id ORDER BY id'), [
        { id: 1, n: 2 },
        { id: 2, n: 2 },
      ]);
    });

    it('X1: makes one part of a batch of 100,000 rows', async () => {
      await run(`CREATE TABLE big (id UInt64) ${windowed}`);
      await run('SYSTEM STOP MERGES big');
      const slot = await openSlot({ table: 'big' });
      await write(
        slot,
        rowsOf(
          slot,
          Array.from({ length: 100_000 }, (_, id) => ({ id })),
        ),
        batch(0, 1),
        noSignal,
      );
      deepEqual(await rows("SELECT rows FROM system.parts WHERE table = 'big' AND active"), [{ rows: 100_000 }]);
    });

    it('does nothing for a batch without rows', async () => {
      await run(`CREATE TABLE empty (id UInt64) ${windowed}`);
      const slot = await openSlot({ table: 'empty' });
      deepEqual(await write(slot, slot.newRows(), batch(0, 1), noSignal), []);
    });

    it('sends bodies compressed when the spec says so', async () => {
      await run(`CREATE TABLE packed (text String) ${windowed}`);
      const slot = await openSlot({ table: 'packed', compression: 'Gzip' });
      await write(slot, rowsOf(slot, [{ text: 'x'.repeat(100_000) }]), batch(0, 1), noSignal);
      deepEqual(await rows('SELECT length(text) AS n FROM packed'), [{ n: 100_000 }]);
    });

    it('R2: fills a missing field from the DEFAULT expression, and leaves out fields without a column', async () => {
      await run(
        `CREATE TABLE filled (id UInt64, name String DEFAULT concat('n', toString(id)), seen Nullable(Int8)) ${windowed}`,
      );
      const slot = await openSlot({ table: 'filled' });
      await write(slot, rowsOf(slot, [{ id: 1 }, { id: 2, name: 'b', seen: 3, other: true }]), batch(0, 1), noSignal);
      deepEqual(await rows('SELECT * FROM filled ORDER BY id'), [
        { id: 1, name: 'n1', seen: null },
        { id: 2, name: 'b', seen: 3 },
      ]);
    });

    it('stops when the signal says so', async () => {
      await run(`CREATE TABLE stopped (id UInt64) ${windowed}`);
      const slot = await openSlot({ table: 'stopped' });
      const stop = new AbortController();
      stop.abort(new Error('the pod stops'));
      await rejects(write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1), stop.signal), /the pod stops/);
    });
  });

  describe('rows at fault', () => {
    const checked = `(id UInt64, age Int32, CONSTRAINT grown CHECK age >= 18) ${windowed}`;
    const people = Array.from({ length: 1_000 }, (_, id) => ({ id, age: id === 17 || id === 640 ? 3 : 30 }));

    it('X3: refuses just these, and stores the others once over repeated writes', async () => {
      await run(`CREATE TABLE people ${checked}`);
      const slot = await openSlot({ table: 'people' });
      for (let attempt = 0; attempt < 2; attempt++) {
        const refused = await write(slot, rowsOf(slot, people), batch(0, 1), noSignal);
        deepEqual(
          refused.map(({ row, error }) => [row, error.code]),
          [
            [17, 'MR_RECORD_REFUSED'],
            [640, 'MR_RECORD_REFUSED'],
          ],
        );
        match(refused[0]!.error.message, /Constraint `grown`/);
      }
      deepEqual(await rows('SELECT count() AS n, uniqExact(id) AS ids FROM people'), [{ n: 998, ids: 998 }]);
    });

    it('are not suspected when it is the table that has changed', async () => {
      await run(`CREATE TABLE changed (id UInt64, age Int32) ${windowed}`);
      const slot = await openSlot({ table: 'changed' });
      await run('ALTER TABLE changed MODIFY COLUMN age String');
      await rejects(write(slot, rowsOf(slot, people), batch(0, 1), noSignal), (error) => {
        ok(isCode('MR_SINK_TABLE_UNFIT')(error));
        match(String(error), /columns have changed/);
        return true;
      });
    });
  });

  describe('records that do not fit', () => {
    it('R1: are refused by name of the field, and leave the buffer as it was', async () => {
      await run(`CREATE TABLE typed (id UInt8, name String) ${windowed}`);
      const slot = await openSlot({ table: 'typed' });
      const buffer = rowsOf(slot, [{ id: 1, name: 'a' }]);
      const { bytes } = buffer;
      throws(
        () => buffer.add({ id: 300, name: 'b' }, meta),
        /^MillraceError: MR_RECORD_MISFIT: Field "id" must be an integer from 0 to 255 \(UInt8\), but is the number 300\.$/,
      );
      throws(() => buffer.add({ id: 2, name: null }, meta), /Field "name" must be a text \(String\), but is null\./);
      equal(buffer.bytes, bytes);
      equal(buffer.rows, 1);
      await write(slot, buffer, batch(0, 1), noSignal);
      deepEqual(await rows('SELECT * FROM typed'), [{ id: 1, name: 'a' }]);
    });
  });

  describe('the table', () => {
    it('is created, with a deduplication window, when the spec says how', async () => {
      const slot = await openSlot({
        table: 'made',
        createTable: {
          columns: [
            { name: 'id', type: 'UInt64' },
            { name: 'at', type: 'DateTime64(3)' },
          ],
          orderBy: ['id'],
          partitionBy: 'toYYYYMM(at)',
        },
      });
      const january = { id: 1, at: '2026-01-31T00:00:00Z' };
      const march = { id: 2, at: '2026-03-01T00:00:00Z' };
      for (let i = 0; i < 2; i++) await write(slot, rowsOf(slot, [january, march]), batch(0, 1), noSignal);
      deepEqual(await rows('SELECT id FROM made ORDER BY id'), [{ id: 1 }, { id: 2 }]);
    });

    it('A1: without a deduplication window is unfit, and the hint repairs it', async () => {
      await run('CREATE TABLE plain (id UInt64) ENGINE = MergeTree ORDER BY id');
      const error: unknown = await connect({ table: 'plain' }).catch((reason: unknown) => reason);
      ok(error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT');
      const [, statement] = /^Run: (.*)$/.exec(error.fix) ?? [];
      await run(statement!);
      await openSlot({ table: 'plain' });
    });

    it('A1: of another engine is unfit', async () => {
      await run('CREATE TABLE remembered (id UInt64) ENGINE = Memory');
      await rejects(connect({ table: 'remembered' }), /MR_SINK_TABLE_UNFIT.*engine Memory would store/);
    });

    it('A2: with a column that cannot be written is unfit by name and type', async () => {
      await run(`CREATE TABLE odd (id UInt64, state AggregateFunction(sum, UInt64)) ${windowed}`);
      await rejects(
        connect({ table: 'odd' }),
        /column "state" has type AggregateFunction\(sum, UInt64\), which Millrace cannot write/,
      );
    });

    it('A2: keeps columns that compute themselves', async () => {
      await run(
        `CREATE TABLE computed (id UInt64, twice UInt64 MATERIALIZED id * 2, thrice UInt64 ALIAS id * 3) ${windowed}`,
      );
      const slot = await openSlot({ table: 'computed' });
      await write(slot, rowsOf(slot, [{ id: 2, twice: null }]), batch(0, 1), noSignal);
      deepEqual(await rows('SELECT id, twice, thrice FROM computed'), [{ id: 2, twice: 4, thrice: 6 }]);
    });

    it('that does not exist makes the sink wait, and it goes on when somebody made it', async () => {
      await rejects(connect({ table: 'later' }), isCode('MR_SINK_TABLE_MISSING'));
      await rejects(connect({ table: 'later', database: 'nowhere' }), isCode('MR_SINK_PLACE_MISSING'));
      await run(`CREATE TABLE later (id UInt64) ${windowed}`);
      await openSlot({ table: 'later' });
    });

    it('that is dropped under way makes the sink wait', async () => {
      await run(`CREATE TABLE gone (id UInt64) ${windowed}`);
      const slot = await openSlot({ table: 'gone' });
      await run('DROP TABLE gone');
      const buffer = rowsOf(slot, [{ id: 1 }]);
      await rejects(write(slot, buffer, batch(0, 1), noSignal), isCode('MR_SINK_TABLE_MISSING'));
      await run(`CREATE TABLE gone (id UInt64) ${windowed}`);
      await write(slot, buffer, batch(0, 1), noSignal);
      deepEqual(await rows('SELECT id FROM gone'), [{ id: 1 }]);
    });
  });

  describe('the way there', () => {
    it('is closed to a wrong password, which is said without the password', async () => {
      await rejects(connect({ table: 'once', password: 'wrong-secret' }), (error) => {
        ok(isCode('MR_SINK_AUTH_REJECTED')(error));
        ok(!String(error).includes('wrong-secret'));
        return true;
      });
    });

    it('that leads nowhere makes the sink wait', async () => {
      await rejects(
        connect({ table: 'once', url: `http://127.0.0.1:${await freePort()}` }),
        isCode('MR_SINK_UNREACHABLE'),
      );
    });

    it('by TLS is open to a known authority, or to anybody when the spec says so', async () => {
      const { caPem, file, password } = await ensureKeystore(dir);
      const { hostname, port } = new URL(clickhouse.url);
      const server = createTlsServer({ pfx: await readFile(file), passphrase: password }, (socket) => {
        const upstream = dial(Number(port), hostname);
        socket.pipe(upstream).pipe(socket);
        for (const end of [socket, upstream]) end.on('error', () => socket.destroy());
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
      await run(`CREATE TABLE secure (id UInt64) ${windowed}`);
      const slot = await openSlot({ table: 'secure', url, tls: { ca: caPem } });
      await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1), noSignal);
      await openSlot({ table: 'secure', url, tls: { insecureSkipVerify: true } });
      await rejects(connect({ table: 'secure', url }), /MR_SINK_UNREACHABLE.*self-signed certificate/);
      await Promise.all(opened.splice(0).map((one) => one.close()));
      await new Promise((resolve) => server.close(resolve));
      deepEqual(await rows('SELECT id FROM secure'), [{ id: 1 }]);
    });

    it('X2: a batch whose answer was cut off is stored once when it is written again', async () => {
      await run(`CREATE TABLE cut (id UInt64) ${windowed}`);
      const proxy = await answerCutter(clickhouse.url);
      const slot = await openSlot({ table: 'cut', url: `http://127.0.0.1:${proxy.port}` });
      const buffer = rowsOf(slot, [{ id: 1 }, { id: 2 }]);
      proxy.cutAnswers(true);
      await rejects(write(slot, buffer, batch(0, 1), noSignal), isCode('MR_SINK_UNREACHABLE'));
      deepEqual(await rows('SELECT count() AS n FROM cut'), [{ n: 2 }]);
      proxy.cutAnswers(false);
      await write(slot, buffer, batch(0, 1), noSignal);
      await proxy.close();
      deepEqual(await rows('SELECT count() AS n FROM cut'), [{ n: 2 }]);
    });

    it('X2: a batch is stored once when ClickHouse is killed while it is written', async () => {
      await run(`CREATE TABLE killed (id UInt64) ${windowed}`);
      const slot = await openSlot({ table: 'killed' });
      const records = Array.from({ length: 50_000 }, (_, id) => ({ id }));
      const buffer = rowsOf(slot, records);
      for (let round = 0; round < 5; round++) {
        // The kill comes at another moment of the insert each round.
        const kill = new Promise((resolve) => setTimeout(resolve, round * 8)).then(() => clickhouse.kill());
        const written = write(slot, buffer, batch(round, round + 1), noSignal).catch((error: unknown) => error);
        await kill;
        await written;
        await clickhouse.restart();
        await write(slot, buffer, batch(round, round + 1), noSignal);
        deepEqual(await rows('SELECT count() AS n FROM killed'), [{ n: 50_000 * (round + 1) }]);
      }
    });
  });
});

/** A proxy that can swallow what comes back and then cuts the connection. */
async function answerCutter(url: string) {
  let cut = false;
  const { hostname, port } = new URL(url);
  const server: Server = createServer((socket) => {
    const upstream = dial(Number(port), hostname);
    socket.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => {
      if (cut) socket.destroy();
      else socket.write(chunk);
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cutAnswers: (on: boolean) => (cut = on),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
