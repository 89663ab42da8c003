import assert from 'node:assert/strict';
import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import type { Streams } from '../../stream/connection.ts';
import { answers, classifyPublishFailure, type PublishFailure } from '../../stream/jetstream-errors.ts';
import type { StreamSettings } from '../../stream/jetstream-port.ts';
import { startTestServer, type TestServer, type TestServerOptions } from './support/server.ts';

/** Codes and texts as nats-server 2.15 writes them. */
const table: readonly (readonly [code: number, text: string, meaning: string])[] = [
  [10071, 'wrong last sequence: 5', 'wrongSequence'],
  [10164, 'wrong last sequence', 'inProcess'],
  [10158, 'duplicate message id is in process', 'inProcess'],
  [10077, 'maximum bytes exceeded', 'full stream'],
  [10077, 'maximum messages exceeded', 'full stream'],
  [10077, 'maximum messages per subject exceeded', 'full stream'],
  [10077, 'message too large', 'tooLarge'],
  [10077, 'store is closed', 'unknown'],
  [10077, 'write /data/1.blk: no space left on device', 'unknown'],
  [10023, 'insufficient resources', 'full store'],
  [10028, 'insufficient memory resources available', 'full store'],
  [10047, 'insufficient storage resources available', 'full store'],
  [10002, 'resource limits exceeded for account', 'full account'],
  [10120, 'no JetStream default or applicable tiered limit present', 'full account'],
  [10122, 'stream max bytes exceeds account limit max stream bytes', 'full account'],
  [10054, 'message size exceeds maximum allowed', 'tooLarge'],
  [10097, 'header size exceeds maximum allowed of 64k', 'tooLarge'],
  [10059, 'stream not found', 'missing'],
  [10008, 'JetStream system temporarily unavailable', 'unknown'],
  [10009, 'JetStream cluster can not handle request', 'unknown'],
  [10109, 'invalid operation on sealed stream', 'unknown'],
  [99_999, 'something that no server says today', 'unknown'],
];

describe('what a refused publish means', () => {
  for (const [code, text, meaning] of table) {
    it(`${code} ${text}: ${meaning}`, () => {
      const error = new JetStreamApiError({ code: 503, err_code: code, description: text });
      assert.equal(said(classifyPublishFailure(error)), meaning);
    });
  }

  it('each code that is known by number has a row', () => {
    const codes = new Set(table.map(([code]) => code));
    for (const code of Object.keys(answers)) assert(codes.has(Number(code)), code);
  });

  const clientErrors: readonly (readonly [Error, string])[] = [
    [new errors.TimeoutError(), 'unknown'],
    [new errors.ClosedConnectionError(), 'closed'],
    [new errors.DrainingConnectionError(), 'closed'],
    [new errors.ConnectionError('read ECONNRESET'), 'unknown'],
    [new errors.RequestError('no', { cause: new errors.NoRespondersError('mr.p.main.0.orders-0') }), 'missing'],
    [errors.InvalidArgumentError.format('payload', 'max_payload size exceeded'), 'tooLarge'],
    [errors.InvalidArgumentError.format('subject', 'is required'), 'unknown'],
    [new Error('anything else'), 'unknown'],
  ];
  for (const [error, meaning] of clientErrors) {
    it(`${error.name} ${error.message}: ${meaning}`, () => {
      assert.equal(said(classifyPublishFailure(error)), meaning);
    });
  }
});

describe('what nats-server and its client say when a publish is refused', () => {
  let server: TestServer;
  let streams: Streams;

  async function serve(options: TestServerOptions): Promise<void> {
    server = await startTestServer(options);
    streams = await server.connect();
  }
  afterEach(() => server.stop());

  const add = (more: Partial<StreamSettings> = {}) =>
    streams.addStream({ name: 's', subjects: ['s.>'], discard: 'new', ...more });
  const refusal = async (bytes: number, options = {}, subject = 's.a') => {
    const failed = await streams.publish(subject, Buffer.alloc(bytes), options).then(
      () => assert.fail('it was taken'),
      (error: unknown) => error,
    );
    return said(classifyPublishFailure(failed));
  };

  it('the stream is full', async () => {
    await serve({});
    await add({ max_bytes: 1_000 });
    assert.equal(await refusal(1_000), 'full stream');
  });

  it('the store is full', async () => {
    await serve({ maxFileBytes: 4_000 });
    await add();
    await streams.publish('s.a', Buffer.alloc(5_000));
    assert.equal(await refusal(10), 'full store');
    assert.equal(
      said(classifyPublishFailure(await failure(add({ name: 't', subjects: ['t'], max_bytes: 9_000 })))),
      'full store',
    );
  });

  it('the account is full', async () => {
    await serve({
      extra: 'accounts { A { jetstream { max_file: 4000 }, users [{user: a, password: a}] } }\nno_auth_user: a\n',
    });
    await add();
    await streams.publish('s.a', 'x');
    assert.equal(await refusal(5_000), 'full account');
  });

  it('a message is larger than the server takes, which the client knows', async () => {
    await serve({ maxPayloadBytes: 2_000 });
    await add();
    assert.equal(await refusal(3_000), 'tooLarge');
  });

  it('a message is larger than the stream takes', async () => {
    await serve({});
    await add({ max_msg_size: 100 });
    assert.equal(await refusal(3_000), 'tooLarge');
  });

  it('its headers are larger than a stream keeps', async () => {
    await serve({});
    await add();
    assert.equal(await refusal(1, { headers: { much: 'x'.repeat(70_000) } }), 'tooLarge');
  });

  it('another message is the last of the subject', async () => {
    await serve({});
    await add();
    assert.equal(await refusal(1, { expectLast: 7 }), 'wrongSequence');
  });

  it('nobody takes the subject', async () => {
    await serve({});
    assert.equal(await refusal(1), 'missing');
  });

  it('the server does not answer, and then the connection is closed', async () => {
    await serve({});
    await add();
    await server.crash();
    assert.equal(await refusal(1, { timeoutMs: 100 }), 'unknown');
    await streams.nc.close();
    assert.equal(await refusal(1), 'closed');
  });
});

function failure(done: Promise<unknown>): Promise<unknown> {
  return done.then(
    () => assert.fail('it was done'),
    (error: unknown) => error,
  );
}

function said(failure: PublishFailure): string {
  return failure.kind === 'full' ? `full ${failure.limit}` : failure.kind;
}
