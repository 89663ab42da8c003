/**
 * The node's requests: those of `kubernetes/`, by path, because a node sends few kinds and knows their paths. The
 * meaning of a failure is also defined there.
 */
import type { IncomingMessage } from 'node:http';
import { KubeError } from '../../kubernetes/kube-error.ts';
import { createKube, type Kube as KubeByKind } from '../../kubernetes/kube.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { createTransport, type KubeRequest as AnyRequest } from '../../kubernetes/transport.ts';

/** Default: a GET, described by its path. */
export type KubeRequest = Partial<AnyRequest> & Pick<AnyRequest, 'path'>;

export interface Kube {
  /** The answer's JSON. Throws KubeError. */
  json(request: KubeRequest): Promise<unknown>;
  /** The answer's body as it arrives. Throws KubeError. */
  open(request: KubeRequest): Promise<IncomingMessage>;
  /** The same connection, for requests by kind. */
  readonly byKind: KubeByKind;
  close(): void;
}

export const mergePatch = 'application/merge-patch+json';
export const strategicMergePatch = 'application/strategic-merge-patch+json';

export function openKube(kubeconfigPath: string): Kube {
  const transport = createTransport(loadKubeconfig(kubeconfigPath).access());
  return {
    json: (request) => transport.send(complete(request)),
    open: (request) => transport.open(complete(request)),
    byKind: createKube(transport),
    close: () => transport.close(),
  };
}

function complete(request: KubeRequest): AnyRequest {
  const { method = 'GET', path, what = `${method} ${path}` } = request;
  return { ...request, method, what };
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.isProvenAbsent();
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.isConflict();
}

/** The API refused with this status. undefined: there was no answer, or it is another error. */
export function refusalOf(error: unknown): number | undefined {
  return error instanceof KubeError ? error.failure.status : undefined;
}
