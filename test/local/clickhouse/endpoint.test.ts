import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';

describe('embedded ClickHouse endpoint', function () {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-clickhouse-'));
    clickhouse = await startClickHouse({ dir, port: await freePort(), user: 'app', password: 'se:cret' });
    // One test asks for a table that is not there; its error is the result, not something to print.
    const log = { level: ClickHouseLogLevel.OFF };
    client = createClient({ url: clickhouse.url, username: 'app', password: 'se:cret', log });
  });

  after(async () => {
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
  });

  const headers = { 'X-ClickHouse-User': 'app', 'X-ClickHouse-Key': 'se:cret' };

  async function post(params: Record<string, string>, body?: Uint8Array | string, more: Record<string, string> = {}) {
    const url = `${clickhouse.url}/?${new URLSearchParams(params).toString()}`;
    const init = { method: 'POST', headers: { ...headers, ...more }, ...(body === undefined ? {} : { body }) };
    const response = await fetch(url, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async function rows(query: string): Promise<unknown[]> {
    return (await client.query({ query, format: 'JSONEachRow' })).json();
  }

  it('H3: a web page may not ask, whatever it knows', async () => {
    const query = { query: 'SELECT 1' };
    for (const hostile of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      const { status, text } = await post(query, undefined, hostile);
      equal(status, 403);
      match(text, /^A web page of /);
    }
    equal((await post(query)).status, 200);
  });

  describe('with @clickhouse/client', () => {
    it('answers ping', async () => {
      equal((await client.ping()).success, true);
    });

    it('runs commands, inserts and queries, in a database that is named', async () => {
      await client.command({ query: 'CREATE DATABASE shop' });
      const shop = createClient({ url: clickhouse.url, username: 'app', password: 'se:cret', database: 'shop' });
      await shop.command({ query: 'CREATE TABLE orders (id UInt64, name String) ENGINE = MergeTree ORDER BY id' });
      await shop.insert({
        table: 'orders',
        values: [
          { id: 1, name: "it's" },
          { id: '2', name: 'b\tc' },
        ],
        format: 'JSONEachRow',
      });
      const result = await shop.query({ query: 'SELECT * FROM orders ORDER BY id', format: 'JSON' });
      await shop.close();
      deepEqual((await result.json()).data, [
        { id: 1, name: "it's" },
        { id: 2, name: 'b\tc' },
      ]);
    });

    it('binds parameters on the server', async () => {
      const query = 'SELECT {text:String} AS text, {number:UInt64} AS number, {list:Array(String)} AS list';
      const text = "tab\t quote ' back\\slash\nline";
      const result = await client.query({
        query,
        query_params: { text, number: 42, list: ['a', "b'"] },
        format: 'JSONEachRow',
      });
      deepEqual(await result.json(), [{ text, number: 42, list: ['a', "b'"] }]);
    });

    it('applies settings to one request only', async () => {
      const query = "SELECT getSetting('max_threads') AS n";
      const set = await client.query({ query, format: 'JSONEachRow', clickhouse_settings: { max_threads: 3 } });
      deepEqual(await set.json(), [{ n: 3 }]);
      const [after] = (await rows(query)) as { n: number }[];
      ok(after?.n !== 3);
    });

    it('takes a stream of rows and gives one', async () => {
      await client.command({ query: 'CREATE TABLE streamed (n UInt32) ENGINE = MergeTree ORDER BY n' });
      const values = Readable.from(Array.from({ length: 5_000 }, (_, n) => ({ n })));
      await client.insert({ table: 'streamed', values, format: 'JSONEachRow' });
      let seen = 0;
      const result = await client.query({ query: 'SELECT n FROM streamed', format: 'JSONEachRow' });
      for await (const part of result.stream()) seen += part.length;
      equal(seen, 5_000);
    });

    it('gives the error of an unknown table its code and type', async () => {
      await rejects(rows('SELECT * FROM absent'), { code: '60', type: 'UNKNOWN_TABLE' });
    });

    it('compresses requests and answers', async () => {
      const compressing = createClient({
        url: clickhouse.url,
        username: 'app',
        password: 'se:cret',
        compression: { request: true, response: true },
      });
      await compressing.command({ query: 'CREATE TABLE packed (s String) ENGINE = MergeTree ORDER BY s' });
      await compressing.insert({ table: 'packed', values: [{ s: 'x'.repeat(10_000) }], format: 'JSONEachRow' });
      const result = await compressing.query({ query: 'SELECT length(s) AS n FROM packed', format: 'JSONEachRow' });
      deepEqual(await result.json(), [{ n: 10000 }]);
      await compressing.close();
    });
  });

  describe('over plain HTTP', () => {
    it('reads the statement from the URL, from the body, or begun in one and ended in the other', async () => {
      equal((await post({ query: 'SELECT 1' })).text, '1\n');
      equal((await post({}, 'SELECT 2')).text, '2\n');
      equal((await post({ query: 'SELECT' }, ' 3')).text, '3\n');
      const get = await fetch(`${clickhouse.url}/?query=SELECT%204&default_format=JSONEachRow`, { headers });
      equal(await get.text(), '{"4":4}\n');
    });

    it('names the format of an answer in a header', async () => {
      equal((await post({ query: 'SELECT 1 FORMAT CSV' })).headers.get('x-clickhouse-format'), 'CSV');
      equal((await post({ query: "SELECT 'FORMAT CSV'" })).headers.get('x-clickhouse-format'), 'TabSeparated');
      const asked = await post({ query: 'SELECT 1' }, undefined, { 'X-ClickHouse-Format': 'JSONCompact' });
      equal(asked.headers.get('x-clickhouse-format'), 'JSONCompact');
    });

    it('echoes the query id and summarises what was read', async () => {
      const done = await post({ query: 'SELECT number FROM numbers(10)', query_id: 'mine' });
      equal(done.headers.get('x-clickhouse-query-id'), 'mine');
      match(done.headers.get('x-clickhouse-summary')!, /"read_rows":"10"/);
    });

    const binary = Buffer.from([7, 0, 2, 0x0a, 0x27, 8, 0, 2, 0x0a, 0x0a]);
    for (const [name, body, encoding] of [
      ['as it is', binary, undefined],
      ['in gzip', gzipSync(binary), 'gzip'],
      ['in zstd', zstdCompressSync(binary), 'zstd'],
    ] as const) {
      it(`takes a binary body ${name}`, async () => {
        await post({ query: 'CREATE OR REPLACE TABLE bin (n UInt16, s String) ENGINE = MergeTree ORDER BY n' });
        const sent = await post(
          { query: 'INSERT INTO bin (n, s) FORMAT RowBinary' },
          body,
          encoding === undefined ? {} : { 'Content-Encoding': encoding },
        );
        equal(sent.status, 200, sent.text);
        deepEqual(await rows('SELECT * FROM bin ORDER BY n'), [
          { n: 7, s: "\n'" },
          { n: 8, s: '\n\n' },
        ]);
      });
    }

    it('takes a binary body behind a statement in the body', async () => {
      await post({ query: 'CREATE OR REPLACE TABLE `b in` (n UInt16, s String) ENGINE = MergeTree ORDER BY n' });
      const body = Buffer.concat([
        Buffer.from('INSERT INTO `default`.`b in` SETTINGS max_threads = 1 FORMAT RowBinary\n'),
        binary,
      ]);
      equal((await post({}, body)).status, 200);
      equal((await rows('SELECT * FROM `b in`')).length, 2);
    });

    it('fills fields that the data leave out from DEFAULT expressions', async () => {
      await post({
        query:
          "CREATE TABLE filled (id UInt64, name String DEFAULT concat('n', toString(id))) ENGINE = MergeTree ORDER BY id",
      });
      await post({ query: 'INSERT INTO filled FORMAT JSONEachRow' }, '{"id":1}');
      await post(
        { query: 'INSERT INTO filled FORMAT RowBinaryWithDefaults' },
        Buffer.from([0, 2, 0, 0, 0, 0, 0, 0, 0, 1]),
      );
      await post({ query: 'INSERT INTO filled (id) FORMAT TSV' }, '3\n');
      deepEqual(await rows('SELECT name FROM filled ORDER BY id'), [{ name: 'n1' }, { name: 'n2' }, { name: 'n3' }]);
    });

    it('sees a column that was added after an insert', async () => {
      await post({ query: 'CREATE TABLE grown (a UInt8) ENGINE = MergeTree ORDER BY a' });
      await post({ query: 'INSERT INTO grown FORMAT RowBinary' }, Buffer.from([1]));
      await post({ query: 'ALTER TABLE grown ADD COLUMN b UInt8' });
      await post({ query: 'INSERT INTO grown FORMAT RowBinary' }, Buffer.from([2, 9]));
      deepEqual(await rows('SELECT * FROM grown ORDER BY a'), [
        { a: 1, b: 0 },
        { a: 2, b: 9 },
      ]);
    });

    it('inserts VALUES and from SELECT', async () => {
      await post({ query: 'CREATE TABLE plain (a UInt8) ENGINE = MergeTree ORDER BY a' });
      await post({ query: 'INSERT INTO plain VALUES (1), (2)' });
      await post({ query: 'INSERT INTO plain VALUES' }, '(3)');
      await post({ query: 'INSERT INTO plain SELECT 4' });
      deepEqual(await rows('SELECT sum(a) AS sum FROM plain'), [{ sum: 10 }]);
    });

    it('does not change anything on GET', async () => {
      const answer = await fetch(
        `${clickhouse.url}/?query=${encodeURIComponent('CREATE TABLE g (a UInt8) ENGINE = Memory')}`,
        {
          headers,
        },
      );
      match(await answer.text(), /^Code: 164\. DB::Exception: .*READONLY/);
    });

    it('compresses an answer only when asked by enable_http_compression', async () => {
      const ask = { headers: { ...headers, 'Accept-Encoding': 'gzip' } };
      const plain = await fetch(`${clickhouse.url}/?query=SELECT%201`, ask);
      equal(plain.headers.get('content-encoding'), null);
      const packed = await fetch(`${clickhouse.url}/?query=SELECT%201&enable_http_compression=1`, ask);
      equal(packed.headers.get('content-encoding'), 'gzip');
      equal(await packed.text(), '1\n');
    });

    it('has the status and the code header of ClickHouse for each kind of failure', async () => {
      const cases = [
        { query: 'SELECT * FROM absent', status: 404, code: '60' },
        { query: 'SELECT * FROM absent.absent', status: 404, code: '81' },
        { query: 'SELECT absent', status: 404, code: '47' },
        { query: 'SELEC 1', status: 400, code: '62' },
        { query: 'SELECT throwIf(1)', status: 500, code: '395' },
      ];
      for (const { query, status, code } of cases) {
        const answer = await post({ query });
        deepEqual([answer.status, answer.headers.get('x-clickhouse-exception-code')], [status, code], query);
        match(answer.text, new RegExp(`^Code: ${code}\\. DB::Exception: .*\\([A-Z_]+\\) \\(version `, 's'));
      }
    });
  });

  describe('authentication', () => {
    const right = Buffer.from('app:se:cret').toString('base64');
    const ask = (params: string, more: Record<string, string> = {}) =>
      fetch(`${clickhouse.url}/?query=SELECT%201${params}`, { headers: more });

    it('is by Basic, by headers, or by parameters', async () => {
      equal((await ask('', { Authorization: `Basic ${right}` })).status, 200);
      equal((await ask('', headers)).status, 200);
      equal((await ask('&user=app&password=se%3Acret')).status, 200);
    });

    it('fails with code 516 and status 403 for a wrong password, a wrong user, or nobody', async () => {
      for (const answer of [
        await ask('', { ...headers, 'X-ClickHouse-Key': 'wrong' }),
        await ask('', { ...headers, 'X-ClickHouse-User': 'other' }),
        await ask(''),
      ]) {
        equal(answer.status, 403);
        equal(answer.headers.get('x-clickhouse-exception-code'), '516');
        match(await answer.text(), /AUTHENTICATION_FAILED/);
      }
    });

    it('is not needed for /ping', async () => {
      equal(await (await fetch(`${clickhouse.url}/ping`)).text(), 'Ok.\n');
    });
  });

  it('answers a query while a longer one runs', async () => {
    let slowEnded = false;
    const slow = rows('SELECT sleep(1)').then(() => (slowEnded = true));
    await rows('SELECT 1');
    ok(!slowEnded);
    await slow;
  });

  it('H1: an insert that was answered survives SIGKILL, and its token is still remembered', async () => {
    await post({
      query:
        'CREATE TABLE killed (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
    });
    const body = Buffer.alloc(8 * 1_000);
    for (let i = 0; i < 1_000; i++) body.writeBigUInt64LE(BigInt(i), i * 8);
    const insert = () =>
      post({ query: 'INSERT INTO killed FORMAT RowBinary', insert_deduplication_token: 'one' }, body);
    equal((await insert()).status, 200);
    await clickhouse.kill();
    await clickhouse.restart();
    equal((await insert()).status, 200);
    deepEqual(await rows('SELECT count() AS n FROM killed'), [{ n: 1000 }]);
  });

  it('L1: an insert that was killed between its token and its part is stored when it is repeated', async () => {
    await post({
      query:
        'CREATE TABLE torn (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
    });
    const insert = (n: number) =>
      post({ query: 'INSERT INTO torn FORMAT CSV', insert_deduplication_token: `t${n}` }, String(n));
    for (const n of [1, 2, 3]) await insert(n);
    const [last] = (await rows("SELECT path FROM system.parts WHERE table = 'torn' AND name = 'all_2_2_0'")) as {
      path: string;
    }[];
    await clickhouse.kill();
    // What the disk holds when the kill comes after the token and before the part.
    await rm(last!.path, { recursive: true });
    await clickhouse.restart();
    deepEqual(await rows('SELECT n FROM torn ORDER BY n'), [{ n: 1 }, { n: 3 }]);
    for (const n of [1, 2, 3]) await insert(n);
    deepEqual(await rows('SELECT n FROM torn ORDER BY n'), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});
