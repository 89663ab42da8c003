/** Somebody between the sink and ClickHouse, who answers in its place. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createServer, request as forward, type Server, type ServerResponse } from 'node:http';
import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import { batch, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

type Answer = (response: ServerResponse) => void;

const foreign: Readonly<Record<string, readonly [answer: Answer, told: RegExp]>> = {
  'a page with status 200': [
    (to) => to.writeHead(200, { 'content-type': 'text/html', server: 'nginx' }).end('<html>Back soon.</html>'),
    /status 200, from "nginx", "<html>Back soon\.<\/html>"/,
  ],
  'JSON with status 200': [(to) => to.writeHead(200).end('{"status":"error"}'), /status 200, "\{"status":"error"\}"/],
  'nothing with status 200': [(to) => to.writeHead(200).end(), /status 200, without a body/],
  'status 204': [(to) => to.writeHead(204).end(), /status 204, without a body/],
  'status 202': [(to) => to.writeHead(202).end('queued'), /status 202, "queued"/],
  "ClickHouse's words with status 200": [
    (to) => to.writeHead(200).end('Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\n'),
    /status 200, "Code: 241/,
  ],
  "ClickHouse's words with status 500, without its header": [
    (to) => to.writeHead(500).end('Code: 27. DB::Exception: Cannot parse. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)\n'),
    /status 500, "Code: 27/,
  ],
  'a redirection': [
    (to) => to.writeHead(302, { location: 'https://login.example/?to=secret' }).end(),
    /status 302, to login\.example, without a body/,
  ],
  'the answer to another query': [
    (to) => to.writeHead(200, { 'x-clickhouse-query-id': 'of-another' }).end(),
    /status 200, without a body/,
  ],
  'status 502': [(to) => to.writeHead(502).end('Bad Gateway'), /status 502, "Bad Gateway"/],
};

describe('who answers the ClickHouse sink', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let proxy: Server;
  let url: string;
  /** Undefined: ClickHouse itself. */
  let instead: { readonly when: RegExp; readonly answer: Answer } | undefined;
  let change: (headers: Record<string, string | string[] | undefined>) => void = () => undefined;

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });
  before(async () => {
    proxy = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const said = `${decodeURIComponent((request.url ?? '').replaceAll('+', ' '))} ${body.toString('latin1')}`;
        if (instead?.when.test(said) === true) return instead.answer(response);
        const { method = 'GET', headers } = request;
        const onward = forward(new URL(request.url ?? '/', clickhouse.url), { method, headers }, (answer) => {
          const answered = { ...answer.headers };
          change(answered);
          response.writeHead(answer.statusCode ?? 0, answered);
          answer.pipe(response);
        });
        onward.end(body);
      });
    });
    const port = await freePort();
    await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${port}`;
  });

  afterEach(() => {
    instead = undefined;
    change = () => undefined;
  });

  after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });

  let made = 0;
  async function open(columns = 'id UInt64') {
    const table = `t${++made}`;
    const windowed = 'ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000';
    await client.command({ query: `CREATE TABLE ${table} (${columns}) ${windowed}` });
    const connect = () => sink.connect(clickhouseSinkSpec.parse({ url, table }), sinkContext());
    const rows = async () => (await client.query({ query: `SELECT id FROM ${table}`, format: 'JSONEachRow' })).json();
    return { table, connect, rows };
  }

  for (const [who, [answer, told]] of Object.entries(foreign)) {
    it(`P1: ${who} does not store a batch, and leaves open whether it is stored`, async () => {
      const { connect, rows } = await open();
      const connected = await connect();
      const slot = await connected.open(slotId);
      instead = { when: /INSERT INTO/, answer };
      const end = await slot.write(rowsOf(slot, [{ id: 1 }]), batch(0, 1), undefined, noSignal);
      ok(end.kind === 'unknown');
      equal(end.error.code, 'MR_SINK_UNREACHABLE');
      match(end.error.sentence, told);
      instead = undefined;
      await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1));
      deepEqual(await rows(), [{ id: 1 }]);
      await connected.close();
    });

    for (const [what, when] of [
      ['a table', /system\.(tables|columns)/],
      ['settings', /system\.(merge_tree_)?settings/],
    ] as const) {
      it(`P1: ${who} is not believed about ${what}`, async () => {
        const { connect } = await open();
        instead = { when, answer };
        await rejects(connect(), (error) => {
          equal(error instanceof MillraceError && error.code, 'MR_SINK_UNREACHABLE');
          match(String(error), told);
          return true;
        });
      });
    }

    it(`P1: ${who} is not believed about what a table has taken in`, async () => {
      const { connect } = await open();
      const connected = await connect();
      const slot = await connected.open(slotId);
      instead = { when: /system\.parts/, answer };
      if (slot.positionIn === 'commitLog') await rejects(slot.mark(noSignal), told);
      await connected.close();
    });

    it(`P1: ${who} does not accept rows that are examined`, async () => {
      const { table, connect } = await open();
      await client.command({ query: `CREATE TABLE ${table}v AS ${table}` });
      await client.command({ query: `CREATE MATERIALIZED VIEW ${table}m TO ${table}v AS SELECT id FROM ${table}` });
      const connected = await connect();
      const slot = await connected.open(slotId);
      instead = { when: /INSERT INTO \S*millrace_check/, answer };
      const end = await slot.write(rowsOf(slot, [{ id: 1 }]), batch(0, 1), undefined, noSignal);
      equal(end.kind, 'nothing');
      instead = undefined;
      await slot.close();
      await connected.close();
    });
  }

  it('P1: a proxy for ClickHouse that gives queries ids of its own is ClickHouse', async () => {
    const { connect, rows } = await open();
    change = (headers) => {
      if (headers['x-clickhouse-query-id'] !== undefined) headers['x-clickhouse-query-id'] = 'of-the-proxy';
    };
    const connected = await connect();
    const slot = await connected.open(slotId);
    await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1));
    deepEqual(await rows(), [{ id: 1 }]);
    await connected.close();
  });

  it("P1: ClickHouse's headers in front of a text do not store a batch", async () => {
    const { connect } = await open();
    const connected = await connect();
    const slot = await connected.open(slotId);
    instead = {
      when: /INSERT INTO/,
      answer: (to) =>
        to.writeHead(200, { 'x-clickhouse-query-id': 'any', 'x-clickhouse-summary': '{}' }).end('Code: 241. DB::Exc'),
    };
    const end = await slot.write(rowsOf(slot, [{ id: 1 }]), batch(0, 1), undefined, noSignal);
    equal(end.kind, 'unknown');
    await connected.close();
  });
});
