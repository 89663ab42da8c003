import { doesNotMatch, equal, match, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { systemClock } from '../../../../stream/clock.ts';
import type { Admitted } from '../../../../workers/controller/webhook/admission.ts';
import { makeAuthority, makeLeaf } from '../../../../workers/controller/webhook/certificates/issue.ts';
import { listen, type KeyPair, type Listener } from '../../../../workers/controller/webhook/listener.ts';

const reviewPath = '/pipelines/x';
const now = Date.now();
const span = { from: now - 60_000, until: now + 3_600_000 };
const review = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u', kind: { group: '', kind: 'Pod' }, operation: 'CREATE' },
});

describe('the port of the webhook', () => {
  let authority: KeyPair;
  let listener: Listener;
  let told: string[];
  let asks: number[];
  let answers: () => Promise<Admitted>;

  before(async () => {
    authority = await makeAuthority(span);
  });
  beforeEach(async () => {
    told = [];
    asks = [];
    answers = () => Promise.resolve({ outcome: 'passed', review: { allowed: true } });
    listener = await listen(
      {
        ...{ listen: { host: '127.0.0.1', port: 0 }, clock: systemClock },
        takes: (path) => path === reviewPath,
        admit: (_, withinMs) => {
          asks.push(withinMs);
          return answers();
        },
        onAnswer: (outcome) => void told.push(outcome),
        onError: (problem) => void told.push(problem),
      },
      await makeLeaf(authority, ['127.0.0.1'], span),
    );
  });
  afterEach(() => listener.close());

  const ask = async (body: string, path = `${reviewPath}?timeout=3s`, more: RequestOptions = {}) => {
    const to = { host: '127.0.0.1', port: listener.port, path, method: 'POST', ca: authority.cert, agent: false };
    const sent = request({ ...to, ...more });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject);
    });
    sent.end(body);
    const response = await answered;
    let text = '';
    for await (const part of response) text += String(part);
    return { status: Number(response.statusCode), text };
  };

  const handshake = async (): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: authority.cert });
    await once(socket, 'secureConnect');
    return socket;
  };

  it('answers a review, and looks no longer than half of what the API server waits', async () => {
    equal((await ask(review)).text, '{"allowed":true}');
    await ask(review, `${reviewPath}?timeout=30s`);
    await ask(review, reviewPath);
    equal(asks.join(), '1500,2000,2000');
    equal(told.join(), 'passed,passed,passed');
  });

  for (const [what, status, body, path, more] of [
    ['another path', 404, review, '/pipelines', {}],
    ['another method', 405, '', reviewPath, { method: 'GET' }],
    ['what is no review', 400, '{}', reviewPath, {}],
  ] as const)
    it(`answers ${status} to ${what}`, async () => equal((await ask(body, path, more)).status, status));

  it('reads no more of a request than a review can have', async () => {
    // The rest is not read, so that the connection may break before the answer is seen.
    const sent = ask(' '.repeat(7 * 2 ** 20));
    await sent.then(
      ({ status }) => equal(status, 413),
      (error: unknown) => ok(error instanceof Error),
    );
    equal((await ask(review)).status, 200);
  });

  it('answers who asks elsewhere before anything is read of what is sent', async () => {
    const socket = await handshake();
    socket.write(`POST /pipelines HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n`);
    const answer = await once(socket, 'data');
    match(String(answer[0]), /^HTTP\/1\.1 404 Not Found/);
    doesNotMatch(String(answer[0]), /pipelines/);
    socket.destroy();
    equal(asks.length, 0);
  });

  it('answers 500 when the review fails, and says why', async () => {
    answers = () => Promise.reject(new Error('of no table'));
    equal((await ask(review)).status, 500);
    equal(told.join(), 'of no table,failed');
  });

  it('outlives who does not speak TLS', async () => {
    const plain = connectPlain(listener.port, '127.0.0.1');
    const closed = once(plain, 'close');
    plain.on('error', () => undefined).end('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await closed;
    equal((await ask(review)).status, 200);
  });

  it('says nothing about who goes before the question is asked', async () => {
    const socket = await handshake();
    socket.write(`POST ${reviewPath} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{`);
    socket.destroy();
    await once(socket, 'close');
    equal((await ask(review)).status, 200);
    equal(told.join(), 'passed');
  });

  it('P1: takes another certificate while connections are open, and those go on', async () => {
    const open = await handshake();
    const first = open.getPeerCertificate().fingerprint256;
    listener.use(await makeLeaf(authority, ['127.0.0.1'], span));
    const next = await handshake();
    ok(next.getPeerCertificate().fingerprint256 !== first);
    open.write(`POST ${reviewPath} HTTP/1.1\r\nhost: a\r\ncontent-length: ${review.length}\r\n\r\n${review}`);
    const answer = await once(open, 'data');
    match(String(answer[0]), /^HTTP\/1\.1 200 OK/);
    for (const socket of [open, next]) socket.destroy();
  });

  it('P3: answers what was asked before it ends, and takes nothing more', async () => {
    const late = Promise.withResolvers<Admitted>();
    const isAsked = Promise.withResolvers<undefined>();
    answers = () => {
      isAsked.resolve(undefined);
      return late.promise;
    };
    const answer = ask(review);
    await isAsked.promise;
    const closed = listener.close();
    late.resolve({ outcome: 'passed', review: {} });
    equal((await answer).status, 200);
    await closed;
    await rejects(ask(review), { code: 'ECONNREFUSED' });
  });
});
