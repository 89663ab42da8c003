/**
 * 405 with `Allow` when the path exists and the method does not: after a 404, people would look for a typo in the path.
 */
import type { HTTPMethods } from 'fastify';
import { mr } from '../../model/errors.ts';
import type { Api } from './api.ts';

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Call it before the first route, and the returned function after the last one. */
export function otherMethods(server: Api): () => void {
  const known = new Map<string, Set<string>>();
  let isDone = false;
  server.addHook('onRoute', ({ url, method }) => {
    if (isDone) return;
    const taken = known.get(url) ?? new Set();
    known.set(url, taken);
    for (const one of [method].flat()) taken.add(one);
  });
  return () => {
    isDone = true;
    for (const [url, taken] of known) refuse(server, url, taken);
  };
}

function refuse(server: Api, url: string, taken: ReadonlySet<string>): void {
  const allowed = methods.filter((method) => taken.has(method)).join(', ');
  server.route({
    url,
    method: methods.filter((method) => !taken.has(method)),
    schema: { hide: true },
    config: { needs: [] },
    // Before the body is read: the method is wrong, not the body.
    onRequest: async (request, reply) => {
      reply.header('allow', allowed);
      const [path = ''] = request.url.split('?');
      throw mr('MR_METHOD_NOT_ALLOWED', { method: request.method, path, allowed });
    },
    handler: () => undefined,
  });
}
