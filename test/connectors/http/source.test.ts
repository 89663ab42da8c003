import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { z } from 'zod';
import type { Source, SourceReader } from '../../../connectors/connector.ts';
import { httpSource } from '../../../connectors/http/index.ts';
import { usualBounds, type ServerBounds } from '../../../connectors/http/server.ts';
import { httpSourceSpec } from '../../../connectors/http/spec.ts';
import { mr } from '../../../model/errors.ts';
import { freePort } from '../../../local/ports.ts';
import type { RecordBatch } from '../../../stream/record-batch.ts';
import { eventually, hangMs } from '../../support/eventually.ts';
import { sourceContext, undecided } from '../source-context.ts';

const answerShape = z.looseObject({
  accepted: z.number().optional(),
  ids: z.array(z.string()).optional(),
  lastId: z.string().optional(),
  duplicate: z.boolean().optional(),
  code: z.string().optional(),
  status: z.number().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  instance: z.string().optional(),
});

interface Answer extends z.infer<typeof answerShape> {
  readonly http: number;
  readonly retryAfter: string | null;
  readonly type: string | null;
}

describe('http source', () => {
  let port: number;
  let source: Source;
  /** What the pod knows of its slots. */
  let waitsFor: string | undefined;
  beforeEach(() => (waitsFor = undefined));

  async function start(
    spec: Record<string, unknown> = {},
    signal?: AbortSignal,
    bounds: Partial<ServerBounds> = {},
  ): Promise<void> {
    port = await freePort();
    const context = {
      ...sourceContext({ slots: 2 }),
      waitsFor: () => waitsFor,
      ...(signal === undefined ? {} : { signal }),
    };
    source = await httpSource(port, { ...usualBounds, ...bounds }).connect(httpSourceSpec.parse(spec), context);
  }

  /** What the server says to these bytes until it closes the connection. */
  async function raw(text: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.write(text);
    await once(socket, 'close');
    return Buffer.concat(pieces).toString();
  }

  const requestLine = 'POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

  afterEach(() => source.close());

  async function post(body: string, headers: Record<string, string> = {}, path = '/records'): Promise<Answer> {
    const all = { 'content-type': 'application/json', ...headers };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers: all });
    return {
      ...answerShape.parse(await response.json()),
      http: response.status,
      retryAfter: response.headers.get('retry-after'),
      type: response.headers.get('content-type'),
    };
  }

  const valuesOf = (batch: RecordBatch) =>
    Array.from({ length: batch.count }, (_, i) =>
      Buffer.from(batch.bytes.subarray(batch.valueStart[i], batch.valueEnd[i])).toString(),
    );

  async function next(reader: SourceReader): Promise<RecordBatch> {
    const batch = await reader.read(AbortSignal.timeout(hangMs));
    assert.ok(batch);
    return batch;
  }

  it('H1: answers 202 with an id for each record, and only after they are stored', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    let isAnswered = false;
    const answer = post('[{"a":1},{"a":2.50}]').finally(() => {
      isAnswered = true;
    });
    const batch = await next(reader);
    assert.deepEqual(valuesOf(batch), ['{"a":1}', '{"a":2.50}']);
    reader.acknowledge(batch.positionAfter(0));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isAnswered, false);
    reader.acknowledge(batch.position);
    const { http, accepted, ids } = await answer;
    assert.deepEqual({ http, accepted, ids }, { http: 202, accepted: 2, ids: ids0(1, 2) });
  });

  it('H2: continues its positions and ids from the stored one', async () => {
    await start();
    const reader = await source.open(1, 41, undecided);
    const answer = post('{}');
    const batch = await next(reader);
    assert.equal(batch.position, 42);
    reader.acknowledge(batch.position);
    assert.deepEqual((await answer).ids, ['shop-abc123/orders/1/42']);
  });

  it('takes lines, and answers an empty array at once', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const answer = post('{"a":1}\n{"a":2}\n', { 'content-type': 'application/x-ndjson' });
    const batch = await next(reader);
    assert.deepEqual(valuesOf(batch), ['{"a":1}', '{"a":2}']);
    reader.acknowledge(batch.position);
    assert.equal((await answer).accepted, 2);
    assert.equal((await post('[]')).accepted, 0);
  });

  it('gives requests to its open slots in turn, past one that is blocked', async () => {
    await start();
    const readers = [await source.open(0, undefined, undecided), await source.open(1, undefined, undecided)];
    const answers = [post('{}'), post('{}')];
    for (const reader of readers) reader.acknowledge((await next(reader)).position);
    await Promise.all(answers);
    readers[0]?.setBlocked?.(true);
    for (let times = 0; times < 3; times++) {
      const answer = post('{}');
      const batch = await next(readers[1]!);
      readers[1]?.acknowledge(batch.position);
      assert.equal((await answer).http, 202);
    }
  });

  it('H4: answers 429 with Retry-After while every slot is blocked, and takes records again afterwards', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    reader.setBlocked?.(true);
    const { http, retryAfter, code } = await post('{}');
    assert.deepEqual({ http, retryAfter, code }, { http: 429, retryAfter: '1', code: 'MR_RECORDS_BUSY' });
    reader.setBlocked?.(false);
    const answer = post('{}');
    reader.acknowledge((await next(reader)).position);
    assert.equal((await answer).http, 202);
  });

  it('H4: answers 429 when the bodies that wait to be stored fill its memory', async () => {
    await start({ maxBodyBytes: '32Mi' });
    const reader = await source.open(0, undefined, undecided);
    const large = JSON.stringify(Array.from({ length: 5 }, () => ({ text: 'x'.repeat(6 * 2 ** 20) })));
    const first = [post(large), post(large)];
    const batches = [await next(reader), await next(reader)];
    assert.equal((await post(large)).http, 429);
    for (const { position } of batches) reader.acknowledge(position);
    assert.deepEqual(
      (await Promise.all(first)).map(({ http }) => http),
      [202, 202],
    );
    const again = post(large);
    reader.acknowledge((await next(reader)).position);
    assert.equal((await again).http, 202);
  });

  it('H4: answers 429 at once to what waits in a slot that becomes blocked', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const waiting = post('{}');
    await eventually(() => reader.lag() === 1);
    reader.setBlocked?.(true);
    const { http, retryAfter, code } = await waiting;
    assert.deepEqual({ http, retryAfter, code }, { http: 429, retryAfter: '1', code: 'MR_RECORDS_BUSY' });
  });

  it('H3: answers 413 to a record that is too large to be kept whole, names it, and takes nothing of the request', async () => {
    await start({ maxBodyBytes: '16Mi' });
    const reader = await source.open(0, undefined, undecided);
    const { http, code, detail } = await post(`[{"a":1},{"text":"${'x'.repeat(8 * 2 ** 20)}"}]`);
    assert.deepEqual({ http, code }, { http: 413, code: 'MR_RECORDS_RECORD_TOO_LARGE' });
    assert.match(detail ?? '', /Record 1 .* 8388608 can be stored/);
    assert.equal(reader.lag(), 0);
  });

  it('names the first of many records and the last, so that an answer is not larger than its request', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const answer = post('{}\n'.repeat(100_000), { 'content-type': 'application/x-ndjson' });
    reader.acknowledge((await next(reader)).position);
    const { accepted, ids, lastId } = await answer;
    assert.equal(accepted, 100_000);
    assert.equal(ids?.length, 1_000);
    assert.equal(lastId, 'shop-abc123/orders/0/100000');
  });

  it('answers 503 with Retry-After when the pod owns no slot', async () => {
    await start();
    const { http, retryAfter, code } = await post('{}');
    assert.deepEqual({ http, retryAfter, code }, { http: 503, retryAfter: '1', code: 'MR_RECORDS_NO_SLOT' });
  });

  const lost = mr('MR_EDGE_LOST', {
    ...{ stream: 'mr-shop-abc123-records', created: 'then', found: 'it is gone' },
    ...{ pipeline: 'shop -n test', token: 'records.lost' },
  });
  /** Whatever refuses a request for the state of the pod says what that state is. */
  const refusals: readonly {
    readonly what: string;
    readonly knows?: string;
    readonly slots: 'none' | 'open' | 'blocked' | 'given up' | 'stopping';
    readonly http: number;
    readonly code: string;
    readonly says: RegExp;
  }[] = [
    { what: 'no slot has come', slots: 'none', http: 503, code: 'MR_RECORDS_NO_SLOT', says: /no slot is open here\./ },
    {
      what: 'a person must decide about its edge',
      knows: lost.sentence,
      slots: 'none',
      http: 503,
      code: 'MR_RECORDS_NO_SLOT',
      says: /mr-shop-abc123-records.*millrace decide shop -n test records\.lost/,
    },
    {
      what: 'NATS does not answer',
      knows: 'JetStream does not answer: timeout.',
      slots: 'none',
      http: 503,
      code: 'MR_RECORDS_NO_SLOT',
      says: /at this pod: JetStream does not answer: timeout\. Send/,
    },
    {
      what: 'its slot is given up',
      slots: 'given up',
      http: 503,
      code: 'MR_RECORDS_NO_SLOT',
      says: /was given up before/,
    },
    { what: 'the pod stops', slots: 'stopping', http: 503, code: 'MR_RECORDS_NO_SLOT', says: /it is stopping/ },
    {
      what: 'the edge is full',
      slots: 'blocked',
      http: 429,
      code: 'MR_RECORDS_BUSY',
      says: /the edge behind it is full/,
    },
    {
      what: 'the store is full',
      knows: 'NATS has no room.',
      slots: 'blocked',
      http: 429,
      code: 'MR_RECORDS_BUSY',
      says: /now: NATS has no room\. Send/,
    },
  ];
  for (const { what, knows, slots, http, code, says } of refusals) {
    it(`H8: ${http} says that ${what}`, async () => {
      const end = new AbortController();
      await start({ auth: { token: 'tok-123' } }, end.signal);
      waitsFor = knows;
      const reader = slots === 'none' ? undefined : await source.open(0, undefined, undecided);
      if (slots === 'blocked') reader?.setBlocked?.(true);
      if (slots === 'stopping') end.abort();
      const answer = post('{}', { authorization: 'Bearer tok-123' });
      if (slots === 'given up') {
        await eventually(() => reader?.lag() === 1);
        await reader?.close();
      }
      const refused = await answer;
      assert.deepEqual({ http: refused.http, code: refused.code }, { http, code });
      assert.match(refused.detail ?? '', says);
    });
  }

  for (const slots of ['none', 'blocked']) {
    for (const auth of [undefined, { token: 'tok-123' }])
      it(`H8: nobody who has not shown ${auth === undefined ? 'a' : 'the'} token is told what stands behind it (slots ${slots})`, async () => {
        const inner = [
          'nats://nats.millrace:4222',
          'pipeline-shop-abc123',
          '$(secret:door/token)',
          'mr-shop-abc123-main',
        ];
        await start(auth === undefined ? {} : { auth });
        waitsFor = `Something is not there: ${inner.join(', ')}.`;
        if (slots === 'blocked') (await source.open(0, undefined, undecided)).setBlocked?.(true);
        const answers = [
          await post('{}'),
          await post('{}', {}, '/elsewhere'),
          await post('no json', { authorization: 'x' }),
        ];
        const told = JSON.stringify(answers);
        for (const fact of inner) assert.ok(!told.includes(fact), told);
        const [first] = answers;
        if (auth === undefined) assert.match(first?.detail ?? '', /the condition SourceConnected or Flowing/);
        else assert.equal(first?.code, 'MR_RECORDS_UNAUTHORIZED');
      });
  }

  it('H3: answers 503 to what is not stored when its slot goes away', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const answers = [post('{"read":true}'), post('{"read":false}')];
    await next(reader);
    await eventually(() => reader.lag() === 1);
    await reader.close();
    assert.deepEqual(
      (await Promise.all(answers)).map(({ http }) => http),
      [503, 503],
    );
  });

  it('H5: takes nothing new once the pod stops, and answers what it took', async () => {
    const stop = new AbortController();
    await start({}, stop.signal);
    const reader = await source.open(0, undefined, undecided);
    const taken = post('{}');
    const batch = await next(reader);
    stop.abort();
    assert.equal((await post('{}')).http, 503);
    reader.acknowledge(batch.position);
    assert.equal((await taken).http, 202);
  });

  async function sendKeyed(reader: SourceReader, body = '{}', headers: Record<string, string> = {}) {
    const answer = post(body, { 'idempotency-key': 'order-17', ...headers });
    const batch = await next(reader);
    const { once } = batch;
    assert.ok(once);
    return { answer, batch, once };
  }

  it('K2: a request with Idempotency-Key is to be stored once, under a key that does not show the one sent', async () => {
    await start({ idempotencyWindow: '2m' });
    const reader = await source.open(0, undefined, undecided);
    const first = await sendKeyed(reader);
    assert.match(first.once.key, /^[\w-]{43}$/);
    assert.equal(first.once.forSeconds, 120);
    reader.acknowledge(first.batch.position);
    assert.equal((await first.answer).duplicate, undefined);
    const second = await sendKeyed(reader);
    assert.equal(second.once.key, first.once.key);
    reader.duplicate?.(second.batch.position, first.once.note);
    reader.acknowledge(second.batch.position);
    const { http, accepted, duplicate, ids } = await second.answer;
    assert.deepEqual({ http, accepted, duplicate, ids }, { http: 202, accepted: 1, duplicate: true, ids: ids0(1) });
  });

  it('K3: when no other key is kept, a request with one is 429 and says why, and one without is taken', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const refused = await sendKeyed(reader);
    reader.keysFull?.(refused.batch.position, 4_096);
    reader.acknowledge(refused.batch.position);
    const { http, code, detail, retryAfter } = await refused.answer;
    assert.deepEqual({ http, code }, { http: 429, code: 'MR_RECORDS_KEYS_FULL' });
    assert.match(detail ?? '', /it already keeps 4096 keys/);
    assert.notEqual(retryAfter, null);
    const plain = post('{}');
    const batch = await next(reader);
    reader.acknowledge(batch.position);
    assert.equal((await plain).http, 202);
  });

  it('K1: the same key with another body is 422, also in another form; the same body packed otherwise is the same', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const first = await sendKeyed(reader, '{"a":1}');
    reader.acknowledge(first.batch.position);
    await first.answer;
    const asLines = { 'content-type': 'application/x-ndjson' };
    for (const [body, headers] of [['{"a":2}'], ['{"a":1} '], ['{"a":1}', asLines]] as const) {
      const other = await sendKeyed(reader, body, headers);
      reader.duplicate?.(other.batch.position, first.once.note);
      reader.acknowledge(other.batch.position);
      const { http, code } = await other.answer;
      assert.deepEqual({ http, code }, { http: 422, code: 'MR_RECORDS_KEY_REUSED' });
    }
    const response = fetch(`http://127.0.0.1:${port}/records`, {
      method: 'POST',
      body: gzipSync('{"a":1}'),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', 'idempotency-key': 'order-17' },
    });
    const packed = await next(reader);
    reader.duplicate?.(packed.position, first.once.note);
    reader.acknowledge(packed.position);
    assert.equal((await response).status, 202);
  });

  it('J2: answers 400 to bad JSON with where it is, and takes no record of it', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const { http, type, code, detail } = await post('[{"a":1},{"a":x}]');
    assert.deepEqual({ http, type, code }, { http: 400, type: 'application/problem+json', code: 'MR_RECORDS_INVALID' });
    assert.match(detail ?? '', /byte 14/);
    assert.equal(reader.lag(), 0);
  });

  it('refuses with a problem of the same form as the API', async () => {
    await start({ auth: { token: 's3cret' } });
    await source.open(0, undefined, undecided);
    const { title, instance } = await post('{}');
    assert.equal(title, 'Records unauthorized');
    assert.match(instance ?? '', /^urn:millrace:request:[0-9a-f-]{36}$/);
  });

  it('answers 413 to a body above the limit, with and without a length, and above one frame with a key', async () => {
    await start({ maxBodyBytes: '1Mi' });
    await source.open(0, undefined, undecided);
    const large = JSON.stringify({ text: 'x'.repeat(2 ** 20) });
    assert.equal((await post(large)).http, 413);
    assert.equal(await chunked(large), 413);
    const together = sourceContext().maxTogetherBytes(1);
    await source.close();
    await start({ maxBodyBytes: '32Mi' });
    await source.open(0, undefined, undecided);
    for (const body of [`"${'x'.repeat(together)}"`, '{}\n'.repeat(together / 3 + 1)]) {
      const type = { 'content-type': 'application/x-ndjson' };
      const keyed = await post(body, { ...type, 'idempotency-key': 'k' });
      assert.deepEqual([keyed.http, keyed.code], [413, 'MR_RECORDS_TOO_LARGE']);
    }
  });

  it('answers 415 to other media types and encodings, and names those that it takes', async () => {
    await start();
    await source.open(0, undefined, undecided);
    assert.equal((await post('{}', { 'content-type': 'text/plain' })).http, 415);
    const refused = await post('{}', { 'content-encoding': 'br' });
    assert.equal(refused.http, 415);
    assert.match(refused.detail ?? '', /encoded as br/);
    const response = await fetch(`http://127.0.0.1:${port}/records`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'content-encoding': 'br' },
    });
    assert.equal(response.headers.get('accept-encoding'), 'gzip, deflate, zstd');
  });

  const packers: readonly [encoding: string, pack: (text: string) => Uint8Array][] = [
    ['gzip', (text) => gzipSync(text)],
    ['x-gzip', (text) => Buffer.concat([gzipSync(text.slice(0, 5)), gzipSync(text.slice(5))])],
    ['deflate', (text) => deflateSync(text)],
    ['deflate', (text) => deflateRawSync(text)],
    ['ZSTD', (text) => Buffer.concat([zstdCompressSync(text.slice(0, 5)), zstdCompressSync(text.slice(5))])],
  ];
  for (const [encoding, pack] of packers) {
    it(`takes a body in ${encoding}, whole, and bounds what it is inflated to`, async () => {
      await start({ maxBodyBytes: '16Ki' });
      const reader = await source.open(0, undefined, undecided);
      const send = (body: Uint8Array) =>
        fetch(`http://127.0.0.1:${port}/records`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json', 'content-encoding': encoding },
        });
      const answered = send(pack('[{"a":1},{"b":2}]'));
      const batch = await next(reader);
      assert.deepEqual(valuesOf(batch), ['{"a":1}', '{"b":2}']);
      reader.acknowledge(batch.position);
      assert.equal((await answered).status, 202);
      const bomb = await send(pack(`{"a":"${'x'.repeat(1_000_000)}"}`));
      assert.deepEqual([bomb.status, answerShape.parse(await bomb.json()).code], [413, 'MR_RECORDS_TOO_LARGE']);
      const whole = pack('[{"a":1},{"b":2}]');
      const cut = await send(whole.subarray(0, whole.length - 3));
      assert.deepEqual([cut.status, answerShape.parse(await cut.json()).code], [400, 'MR_RECORDS_INVALID']);
      const followed = await send(Buffer.concat([whole, Buffer.from('\0{"c":3}')]));
      assert.deepEqual([followed.status, answerShape.parse(await followed.json()).code], [400, 'MR_RECORDS_INVALID']);
    });
  }

  it('H6: a refusal reaches a sender who goes on sending, and the connection is used again', async () => {
    await start({ maxBodyBytes: '1Ki' });
    await source.open(0, undefined, undecided);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let times = 0; times < 10; times++) {
      const outgoing = httpRequest({
        agent,
        port,
        path: '/records',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 8 * 2 ** 20 },
      });
      const status = new Promise<number | undefined>((resolve, reject) => {
        outgoing.once('error', reject).once('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        });
      });
      for (let piece = 0; piece < 8; piece++) outgoing.write(Buffer.alloc(2 ** 20, ' '));
      outgoing.end();
      assert.equal(await status, 413);
    }
    agent.destroy();
  });

  const slow: readonly [what: string, text: string][] = [
    ['nothing but the beginning of its headers', 'POST /records HTTP/1.1\r\nHost:'],
    ['its headers and no body', `${requestLine}Content-Length: 10\r\n\r\n`],
    ['a part of its body', `${requestLine}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`],
  ];
  for (const [what, text] of slow) {
    it(`V2: a client that sends ${what} is answered 408, and its connection ends`, async () => {
      await start({}, undefined, { headersTimeoutMs: 100, receiveTimeoutMs: 200, lookMs: 20 });
      await source.open(0, undefined, undecided);
      const answer = await raw(text);
      assert.match(answer, /^HTTP\/1\.1 408 /);
      assert.match(answer, /"code":"MR_RECORDS_TOO_SLOW"/);
    });
  }

  it('V4: what is no HTTP, and headers that are too long, are answered by a problem', async () => {
    await start();
    for (const text of ['nonsense\r\n\r\n', `${requestLine}X: ${'x'.repeat(20_000)}\r\n\r\n`]) {
      assert.match(await raw(text), /^HTTP\/1\.1 400 [^]*"code":"MR_RECORDS_INVALID"/);
    }
  });

  it('V3: who asks before sending a body hears a refusal instead of being asked for it', async () => {
    await start({ auth: { token: 's3cret' } });
    await source.open(0, undefined, undecided);
    const answer = await raw(`${requestLine}Content-Length: 4000000\r\nExpect: 100-continue\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 401 [^]*MR_RECORDS_UNAUTHORIZED/);
    assert.doesNotMatch(answer, /100 Continue/);
  });

  it('V3: who asks and is not refused is asked for the body', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const headers = { 'content-type': 'application/json', expect: '100-continue' };
    const asking = httpRequest({ port, path: '/records', method: 'POST', headers });
    const answered = once(asking, 'response');
    asking.once('continue', () => asking.end('{"a":1}'));
    asking.flushHeaders();
    reader.acknowledge((await next(reader)).position);
    const [response] = z.tuple([z.custom<IncomingMessage>()]).parse(await answered);
    response.resume();
    assert.equal(response.statusCode, 202);
  });

  it('V1: who comes beyond the connections that are served is answered 429; when others have gone, it is served', async () => {
    await start({}, undefined, { mostConnections: 2 });
    const reader = await source.open(0, undefined, undecided);
    const idle = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    const crowded = await raw(`${requestLine}Content-Length: 2\r\n\r\n{}`);
    assert.match(crowded, /^HTTP\/1\.1 429 [^]*Retry-After/i);
    for (const socket of idle) socket.destroy();
    const taken = eventually(async () => {
      const answer = post('{}');
      const outcome = await Promise.race([answer.then(({ http }) => http), next(reader)]);
      if (typeof outcome === 'number') return false;
      reader.acknowledge(outcome.position);
      return (await answer).http === 202;
    });
    await taken;
  });

  it('H4: a body of many small records counts with what its tables take', async () => {
    await start({ maxBodyBytes: '32Mi' });
    await source.open(0, undefined, undecided);
    const lines = { 'content-type': 'application/x-ndjson' };
    const { http, code } = await post('{}\n'.repeat(3_000_000), lines);
    assert.deepEqual([http, code], [413, 'MR_RECORDS_TOO_LARGE']);
  });

  it('H4: a body that comes byte by byte is taken whole', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const request = httpRequest({ port, path: '/records', method: 'POST', headers });
    const answered = once(request, 'response');
    const text = JSON.stringify({ text: 'x'.repeat(5_000) });
    for (const byte of text) request.write(byte);
    request.end();
    const batch = await next(reader);
    assert.deepEqual(valuesOf(batch), [text]);
    reader.acknowledge(batch.position);
    const [response] = z.tuple([z.custom<IncomingMessage>()]).parse(await answered);
    response.resume();
    assert.equal(response.statusCode, 202);
  });

  it('answers 401 to a wrong token and to none, and takes records with the right one', async () => {
    await start({ auth: { token: 's3cret' } });
    const reader = await source.open(0, undefined, undecided);
    assert.equal((await post('{}')).http, 401);
    assert.equal((await post('{}', { authorization: 'Bearer nope' })).http, 401);
    const answer = post('{}', { authorization: 'Bearer s3cret' });
    reader.acknowledge((await next(reader)).position);
    assert.equal((await answer).http, 202);
  });

  it('answers 404 at another path and to another method', async () => {
    await start({ path: '/in' });
    await source.open(0, undefined, undecided);
    assert.equal((await post('{}')).http, 404);
    assert.equal((await fetch(`http://127.0.0.1:${port}/in`)).status, 404);
  });

  it('goes on after a client that leaves in the middle of its body', async () => {
    await start();
    const reader = await source.open(0, undefined, undecided);
    await new Promise<void>((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': '100' };
      const leaving = httpRequest({ port, path: '/records', method: 'POST', headers });
      leaving.on('error', () => resolve());
      leaving.write('{"a":', () => leaving.destroy(new Error('left')));
    });
    const answer = post('{}');
    const batch = await next(reader);
    reader.acknowledge(batch.position);
    assert.deepEqual([(await answer).http, valuesOf(batch)], [202, ['{}']]);
  });

  it('says that its port is in use', async () => {
    await start();
    const config = httpSourceSpec.parse({});
    await assert.rejects(httpSource(port).connect(config, sourceContext()), { code: 'MR_SOURCE_UNREACHABLE' });
  });

  function chunked(body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      const request = httpRequest({ port, path: '/records', method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on('error', reject);
      request.end(body);
    });
  }
});

function ids0(...numbers: number[]): string[] {
  return numbers.map((number) => `shop-abc123/orders/0/${number}`);
}
