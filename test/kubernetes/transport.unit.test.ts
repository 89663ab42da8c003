import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { KubeError, toMillraceError } from '../../kubernetes/kube-error.ts';
import { createKube } from '../../kubernetes/kube.ts';
import type { KubeAccess } from '../../kubernetes/kubeconfig.ts';
import { createTransport, type KubeTransport } from '../../kubernetes/transport.ts';
import { listenOn } from '../../workers/process/listen.ts';

describe('requests to the Kubernetes API', () => {
  const bodies: string[] = [];
  let listening: Awaited<ReturnType<typeof listenOn>>;
  let transport: KubeTransport | undefined;
  before(async () => {
    const server = createServer((incoming, response) => {
      void text(incoming).then((body) => {
        bodies.push(body);
        response.end(incoming.method === 'DELETE' ? '{"kind":"Status","status":"Success"}' : '{}');
      });
    });
    listening = await listenOn(server, { host: '127.0.0.1', port: 0 });
  });
  beforeEach(() => (bodies.length = 0));
  afterEach(() => transport?.close());
  after(() => listening.close());

  const connect = (options: KubeAccess['options']) =>
    (transport = createTransport({ server: `http://127.0.0.1:${listening.port}`, hasProxy: false, options }));
  const request = { method: 'GET', path: '/api/v1/namespaces/shop/pods/a', what: 'get Pod shop/a' } as const;

  const failures: readonly [string, KubeAccess['options'], RegExp][] = [
    [
      'a token file that is not there',
      () => Promise.reject(new Error('ENOENT: token')),
      /no credentials: ENOENT: token$/,
    ],
    [
      'a plugin that failed',
      () => Promise.reject(new Error('log in first\nusage: …')),
      /no credentials: log in first$/,
    ],
    ['a plugin that said nothing', () => Promise.reject(new Error('')), /no credentials: it was not said why$/],
    [
      'a plugin that printed no JSON',
      () => Promise.resolve(JSON.parse('sesame') as object),
      /what was printed is no JSON$/,
    ],
    [
      'a token that is no header',
      () => Promise.resolve({ headers: { authorization: 'a\nb' } }),
      /[Ii]nvalid character/,
    ],
  ];
  for (const [what, options, message] of failures) {
    it(`H3: ${what} means that the API is not reached, and is tried again`, async () => {
      const error = await connect(async () => options())
        .send(request)
        .then(
          () => undefined,
          (problem: unknown) => problem,
        );
      ok(error instanceof KubeError, String(error));
      match(error.message, message);
      equal(toMillraceError(error).code, 'MR_KUBERNETES_UNAVAILABLE');
    });
  }

  it('H3: of what a plugin printed, nothing is said', async () => {
    const printed = async () => JSON.parse('sesame') as object;
    await rejects(
      connect(printed).send(request),
      (error) => error instanceof KubeError && !/sesame/.test(error.message),
    );
  });

  it('H3: a plugin that hangs is waited for no longer than the request may take', async () => {
    const end = new AbortController();
    const sent = connect(() => new Promise(() => undefined)).send({ ...request, signal: end.signal });
    end.abort(new Error('taken too long'));
    await rejects(sent, (error) => error instanceof KubeError && /taken too long/.test(error.message));
  });

  it('H2: requests that may not leave any more are not sent, and hold no connection', async () => {
    const refusal = new Error('given up');
    const mayLeave = () => {
      throw refusal;
    };
    const { send } = connect(() => Promise.resolve({}));
    // One after the other: as many as there are connections.
    for (let n = 0; n < 64; n++) await rejects(send({ ...request, mayLeave }), (error) => error === refusal);
    await send(request);
    equal(bodies.length, 1);
  });

  const deletions: readonly [string, object, object | undefined][] = [
    ['nothing', {}, undefined],
    ['nothing that is known', { uid: undefined, resourceVersion: undefined }, undefined],
    ['a uid', { uid: 'u1' }, { uid: 'u1' }],
    ['a version', { resourceVersion: '7' }, { resourceVersion: '7' }],
    ['a version and no uid', { uid: undefined, resourceVersion: '7' }, { resourceVersion: '7' }],
    ['both', { uid: 'u1', resourceVersion: '7' }, { uid: 'u1', resourceVersion: '7' }],
  ];
  for (const [what, only, preconditions] of deletions) {
    it(`a deletion that depends on ${what} says so to the API server`, async () => {
      await createKube(connect(() => Promise.resolve({}))).delete('ConfigMap', 'a', 'shop', only);
      const body = { propagationPolicy: 'Background', ...(preconditions === undefined ? {} : { preconditions }) };
      deepEqual(
        bodies.map((each) => JSON.parse(each) as unknown),
        [body],
      );
    });
  }
});
