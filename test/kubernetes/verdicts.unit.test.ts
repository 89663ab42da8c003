import assert from 'node:assert/strict';
import { askedOf, type Asked } from '../../kubernetes/asked.ts';
import {
  networkError,
  parseAnswer,
  toMillraceError,
  type Answer,
  type KubeError,
} from '../../kubernetes/kube-error.ts';
import { verbs, verdicts, type Situation, type Verb } from '../../kubernetes/verdicts.ts';

/** The table once more, as a person reads it: rows are situations, columns are verbs. */
const expected = `
                 GET    LIST   WATCH  APPLY     CREATE    PATCH     DELETE
network          retry  retry  retry  retry     retry     retry     retry
foreign          retry  retry  retry  retry     retry     retry     retry
noRoute          retry  retry  retry  retry     retry     retry     retry
absent           gone   retry  retry  gone      retry     gone      gone
namespaceAbsent  retry  retry  retry  gone      gone      retry     retry
anotherObject    retry  retry  retry  conflict  conflict  conflict  conflict
400              retry  retry  retry  refuse    refuse    refuse    retry
401              retry  retry  retry  retry     retry     retry     retry
403              retry  retry  retry  retry     retry     retry     retry
notInThatName    retry  retry  retry  retry     retry     retry     retry
404              retry  retry  retry  retry     retry     retry     retry
405              retry  retry  retry  retry     retry     retry     retry
409              retry  retry  retry  conflict  conflict  conflict  conflict
410              retry  retry  retry  retry     retry     retry     retry
413              retry  retry  retry  refuse    refuse    refuse    retry
415              retry  retry  retry  retry     retry     retry     retry
422              retry  retry  retry  refuse    refuse    refuse    retry
429              retry  retry  retry  retry     retry     retry     retry
5xx              retry  retry  retry  retry     retry     retry     retry
other            retry  retry  retry  retry     retry     retry     retry
`;

const page = (status: number, body = '404 page not found\n'): Answer => ({ status, body });
const said = (status: number, reason: string, details?: object): Answer => ({
  status,
  body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message: reason, details }),
});

/** At least one real answer for each situation. */
const answers: Readonly<Record<Exclude<Situation, 'network'>, readonly Answer[]>> = {
  noRoute: [page(404), page(404, '404 page not found')],
  foreign: [
    page(404, '<html>Not Found</html>'),
    page(404, ''),
    page(404, '{"kind":"Pipeline","metadata":{"name":"orders"}}'),
    page(404, '{"reason":"NotFound","details":{"name":"orders","kind":"pipelines","group":"millrace.io"}}'),
    page(404, '[]'),
    page(302, ''),
    page(400, 'The plain HTTP request was sent to HTTPS port'),
    page(403, '<html>blocked</html>'),
    page(405, 'Method Not Allowed'),
    page(409, 'conflict'),
    page(410, 'gone'),
    page(413, '<html>413 Request Entity Too Large</html>'),
    page(422, 'unprocessable'),
  ],
  absent: [said(404, 'NotFound', { name: 'orders', group: 'millrace.io', kind: 'pipelines' })],
  namespaceAbsent: [said(404, 'NotFound', { name: 'shop', kind: 'namespaces' })],
  anotherObject: [said(422, 'Invalid', { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }] })],
  '400': [said(400, 'BadRequest')],
  '401': [said(401, 'Unauthorized')],
  '403': [said(403, 'Forbidden'), said(403, 'Forbidden', { name: 'orders', group: 'millrace.io', kind: 'pipelines' })],
  notInThatName: ['impersonate', 'impersonate:user-info', 'impersonate-on:user-info:patch'].map((verb) => ({
    status: 403,
    body: JSON.stringify({
      ...{ kind: 'Status', reason: 'Forbidden', details: { name: 'jane', kind: 'users' } },
      message: `users "jane" is forbidden: User "api" cannot ${verb} resource "users" in API group "" at the cluster scope`,
    }),
  })),
  '404': [
    said(404, 'NotFound'),
    said(404, 'NotFound', {}),
    said(404, 'NotFound', { name: '', group: 'millrace.io', kind: 'pipelines' }),
    said(404, 'NotFound', { name: 'others', group: 'millrace.io', kind: 'pipelines' }),
    said(404, 'NotFound', { name: 'orders', group: 'other.io', kind: 'pipelines' }),
    said(404, 'NotFound', { name: 'orders', group: 'millrace.io', kind: 'sinks' }),
    said(404, 'NotFound', { name: 'elsewhere', kind: 'namespaces' }),
    said(404, 'Unknown', { name: 'orders', group: 'millrace.io', kind: 'pipelines' }),
  ],
  '405': [said(405, 'MethodNotAllowed')],
  '409': [said(409, 'Conflict'), said(409, 'AlreadyExists')],
  '410': [said(410, 'Expired'), said(410, 'Gone'), said(400, 'Expired')],
  '413': [said(413, 'RequestEntityTooLarge')],
  '415': [said(415, 'UnsupportedMediaType')],
  '422': [said(422, 'Invalid', { causes: [{ reason: 'FieldValueInvalid', field: 'spec.replicas' }] })],
  '429': [said(429, 'TooManyRequests'), page(429)],
  '5xx': [
    said(500, 'InternalError'),
    page(502, '<html>Bad Gateway</html>'),
    said(503, 'ServiceUnavailable'),
    page(504),
  ],
  other: [said(406, 'NotAcceptable'), said(418, 'Unknown')],
};

describe('verdicts on answers of the Kubernetes API', () => {
  const [head = [], ...rows] = expected
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));

  it('the table has a row for each situation and a column for each verb', () => {
    assert.deepEqual(head, [...verbs]);
    assert.deepEqual(rows.map(([situation]) => situation).sort(), Object.keys(verdicts).sort());
  });

  for (const [situation = '', ...cells] of rows) {
    for (const [i, verdict] of cells.entries()) {
      const verb = verbs[i];
      if (verb === undefined) continue;
      it(`${situation} on ${verb}: ${verdict}`, () => {
        for (const error of errorsOf(situation, verb)) {
          assert.equal(error.failure.situation, situation, error.message);
          assert.equal(error.verdict, verdict, error.message);
        }
      });
    }
  }

  it('V1: only the absence of the very object that was asked for is proven', () => {
    const proven = Object.keys(answers).filter((situation) =>
      errorsOf(situation, 'GET').some((error) => error.isProvenAbsent()),
    );
    assert.deepEqual(proven, ['absent']);
  });

  it('H1: nothing but what was sent is a reason to give up', () => {
    for (const situation of [...Object.keys(answers), 'network']) {
      for (const verb of ['GET', 'LIST', 'WATCH', 'DELETE'] as const) {
        for (const error of errorsOf(situation, verb)) {
          if (error.verdict === 'gone') continue;
          assert.equal(toMillraceError(error).handling, 'retry', `${situation} on ${verb}`);
        }
      }
    }
  });

  it('a namespace on its way out is waited for', () => {
    const causes = [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }];
    const error = parseAnswer(said(403, 'Forbidden', { causes }), asked('CREATE'), 'create', 'server');
    assert.equal(toMillraceError(error).code, 'MR_NAMESPACE_BLOCKED');
  });

  it('K2: Retry-After is kept, of the header and of the Status', () => {
    const of = (answer: Answer) => parseAnswer(answer, asked('GET'), 'x', 'y').failure.retryAfterMs;
    assert.equal(of({ status: 429, body: '', retryAfter: '3' }), 3_000);
    assert.equal(of(said(429, 'TooManyRequests', { retryAfterSeconds: 2 })), 2_000);
    for (const retryAfter of ['86400', '1e300']) assert.equal(of({ status: 503, body: 'away', retryAfter }), 60_000);
    assert.equal(of({ status: 503, body: '', retryAfter: '-5' }), 0);
    assert.equal(of({ status: 503, body: '', retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }), undefined);
  });
});

describe('what a request asks for', () => {
  const rows: [method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, expected: Asked][] = [
    ['GET', '/api/v1/namespaces/kube-system', { verb: 'GET', group: '', resource: 'namespaces', name: 'kube-system' }],
    ['GET', '/api/v1/namespaces', { verb: 'LIST', group: '', resource: 'namespaces' }],
    ['GET', '/apis/apps/v1/deployments', { verb: 'LIST', group: 'apps', resource: 'deployments' }],
    [
      'GET',
      '/apis/apps/v1/namespaces/shop/deployments/a',
      { verb: 'GET', group: 'apps', resource: 'deployments', namespace: 'shop', name: 'a' },
    ],
    ['POST', '/api/v1/namespaces/shop/pods', { verb: 'CREATE', group: '', resource: 'pods', namespace: 'shop' }],
    [
      'PATCH',
      '/apis/millrace.io/v1alpha1/namespaces/shop/pipelines/orders/status',
      { verb: 'PATCH', group: 'millrace.io', resource: 'pipelines', namespace: 'shop', name: 'orders' },
    ],
    [
      'DELETE',
      '/api/v1/namespaces/shop/secrets/a%20b',
      { verb: 'DELETE', group: '', resource: 'secrets', namespace: 'shop', name: 'a b' },
    ],
  ];
  for (const [method, path, wanted] of rows) {
    it(`${method} ${path}`, () => assert.deepEqual(askedOf({ method, path }), wanted));
  }
});

function asked(verb: Verb): Asked {
  const hasName = verb !== 'LIST' && verb !== 'WATCH';
  const at = { verb, group: 'millrace.io', resource: 'pipelines', namespace: 'shop' } as const;
  return hasName ? { ...at, name: 'orders' } : at;
}

function isSituation(text: string): text is Exclude<Situation, 'network'> {
  return Object.hasOwn(answers, text);
}

/** With `absent` on LIST the server would name something that was not asked for: then it is the plain 404. */
function errorsOf(situation: string, verb: Verb): readonly KubeError[] {
  if (situation === 'network') return [networkError(new Error('ECONNRESET'), asked(verb), 'x', 'y')];
  assert.ok(isSituation(situation), situation);
  const at = situation === 'absent' ? { ...asked(verb), name: 'orders' } : asked(verb);
  return answers[situation].map((answer) => parseAnswer(answer, at, 'x', 'y'));
}
