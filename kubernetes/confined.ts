/**
 * Keeps a process to the namespaces that it watches, as its rights do.
 *
 * N1  No request about another namespace leaves the process: it is refused here, in a sentence, and not by a 403 that
 *     says nothing of `watchNamespaces`.
 * N2  What has no namespace is not concerned, and neither are leases: they are in the namespace of Millrace itself.
 * N3  A list or a watch of all namespaces is refused as well. `list` of `./kube.ts` asks in each instead.
 */
import { mr } from '../model/errors.ts';
import { askedOf } from './asked.ts';
import { kinds } from './objects.ts';
import type { KubeRequest, KubeTransport } from './transport.ts';

const namespaced: ReadonlySet<string> = new Set(
  Object.values(kinds).flatMap((kind) => (kind.namespaced && kind !== kinds.Lease ? [kind.plural] : [])),
);

/** `namespaces` empty: all of them, and nothing is refused. */
export function confined(transport: KubeTransport, namespaces: readonly string[]): KubeTransport {
  if (namespaces.length === 0) return transport;
  const allowed = (request: KubeRequest): KubeRequest => {
    const { resource, namespace } = askedOf(request);
    if (!namespaced.has(resource) || (namespace !== undefined && namespaces.includes(namespace))) return request;
    throw notWatched(namespace ?? '*', namespaces);
  };
  return {
    ...transport,
    onlyIn: namespaces,
    send: async (request) => transport.send(allowed(request)),
    open: async (request) => transport.open(allowed(request)),
  };
}

function notWatched(namespace: string, watched: readonly string[]) {
  return mr('MR_NAMESPACE_NOT_WATCHED', { namespace, watched: watched.join(', ') });
}
