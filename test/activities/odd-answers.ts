/** Answers of what is taken for the Kubernetes API. */
import { KubeError } from '../../kubernetes/kube-error.ts';
import { MillraceError } from '../../model/errors.ts';
import type { OddAnswer } from './odd-server.ts';

/** A Status object. */
export const status = (code: number, reason: string, details?: object): OddAnswer => ({
  status: code,
  type: 'application/json',
  body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message: reason, details }),
});

/** What stands between us and the API server, or in its place, may say. None of it says that an object is gone. */
export const oddAnswers: Readonly<Record<string, OddAnswer | 'drop'>> = {
  'the page of a wrong route': { status: 404, type: 'text/plain', body: '404 page not found\n' },
  'the page of a proxy': { status: 404, body: '<html><h1>Not Found</h1></html>' },
  'an empty 404': { status: 404, body: '' },
  'a 404 in JSON': { status: 404, type: 'application/json', body: '{"error":"not found"}' },
  'a NotFound without a name': status(404, 'NotFound', {}),
  'a NotFound of the type': status(404, 'NotFound', { group: 'millrace.io', kind: 'pipelines' }),
  'a NotFound of another object': status(404, 'NotFound', { group: 'millrace.io', kind: 'pipelines', name: 'others' }),
  'a NotFound of another type': status(404, 'NotFound', { group: 'other.io', kind: 'pipelines', name: 'orders' }),
  'a NotFound of the namespace': status(404, 'NotFound', { kind: 'namespaces', name: 'shop' }),
  'a NotFound of a namespace elsewhere': status(404, 'NotFound', { kind: 'namespaces', name: 'elsewhere' }),
  'a redirection to a login': { status: 302, body: '' },
  'the page of a login': { status: 200, body: '<html>Sign in</html>' },
  'an empty page': { status: 200, body: '' },
  'an empty object': { status: 200, type: 'application/json', body: '{}' },
  null: { status: 200, type: 'application/json', body: 'null' },
  'a list without a kind': { status: 200, type: 'application/json', body: '{"metadata":{},"items":[]}' },
  'an object of another kind': {
    status: 200,
    type: 'application/json',
    body: '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"orders","uid":"x"}}',
  },
  'a bad request': status(400, 'BadRequest'),
  'an expired token': status(401, 'Unauthorized'),
  'a refusal by RBAC': status(403, 'Forbidden'),
  'a method that is not allowed': { status: 405, body: 'Method Not Allowed' },
  'a conflict': status(409, 'Conflict'),
  'an expired list': status(410, 'Expired'),
  'a page that is gone': { status: 410, body: 'Gone' },
  'too many requests': status(429, 'TooManyRequests'),
  'an internal error': status(500, 'InternalError'),
  'a bad gateway': { status: 502, body: '<html>Bad Gateway</html>' },
  'no answer': 'drop',
};

/** Whether a failure is about such an answer, and not one of the code that got it. */
export const isOfKubernetes = (failure: unknown): boolean =>
  failure instanceof KubeError || (failure instanceof MillraceError && failure.code.startsWith('MR_KUBERNETES_'));
