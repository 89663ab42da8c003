/**
 * The Kubernetes API, as thin as possible: plain JSON in, plain JSON out.
 *
 * Objects are never converted to the client library's model classes, because those drop fields that they do not know.
 * Nothing is retried here: an activity is retried by Temporal, a controller key by its queue, both visibly.
 *
 * K1  `undefined` and `false` mean that the API server has said that this object does not exist (`./verdicts.ts`).
 *     Every other answer is an error.
 * K2  An answer about anything other than what was requested is an error, whatever its status (`./ask.ts`).
 * K3  Every writer has a name (fieldManager), so that `kubectl get --show-managed-fields` tells who wrote what.
 */
import { z } from 'zod';
import { ask, askObject, askToDelete, type Named } from './ask.ts';
import { applyType } from './asked.ts';
import { confined } from './confined.ts';
import { KubeError } from './kube-error.ts';
import { kinds, objectSchema, pathOf, type KindName, type KubeObject, type Manifest } from './objects.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { createTransport, type KubeRequest, type KubeTransport } from './transport.ts';

export interface WriteOptions {
  readonly fieldManager: string;
  readonly subresource?: 'status' | 'scale';
}

export interface ApplyOptions extends WriteOptions {
  /** Take over fields that another manager owns. Default false: a conflict is an error that names the other manager. */
  readonly force?: boolean;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Values that fields must have, by path: `spec.nodeName`. Kubernetes knows few such fields for each kind. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** Only metadata is sent: for following Secrets without ever seeing a value. */
  readonly metadataOnly?: boolean | undefined;
  /** Receives the objects page by page; the answer then contains none. */
  readonly onPage?: (objects: readonly KubeObject[]) => void;
}

/** The Accept header for whole objects or their metadata. */
export function acceptOf({ metadataOnly }: ListOptions, form: 'PartialObjectMetadata' | 'PartialObjectMetadataList') {
  return metadataOnly === true ? `application/json;as=${form};g=meta.k8s.io;v=v1` : undefined;
}

export interface Kube {
  readonly server: string;
  readonly transport: KubeTransport;
  /** undefined: proven to be absent (K1). */
  get(kind: KindName, name: string, namespace?: string): Promise<KubeObject | undefined>;
  /** Without a namespace: in all that it may be asked about; no version is one of several lists, and so it is empty then. */
  list(kind: KindName, options?: ListOptions): Promise<{ items: KubeObject[]; resourceVersion: string }>;
  /** Server-side apply of the whole object. */
  apply(manifest: Manifest, options: ApplyOptions): Promise<KubeObject>;
  create(manifest: Manifest, options: WriteOptions): Promise<KubeObject>;
  /** undefined: proven to be absent. A `resourceVersion` or `uid` in the patch that does not fit is a conflict. */
  patchMerge(
    kind: KindName,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    options: WriteOptions,
  ): Promise<KubeObject | undefined>;
  /** False when it does not exist, or another object has the name now (`uid`). A `resourceVersion` may conflict. */
  delete(
    kind: KindName,
    name: string,
    namespace: string | undefined,
    only?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
  ): Promise<boolean>;
  close(): void;
}

const pageSize = 500;
const listSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ resourceVersion: z.string().default(''), continue: z.string().optional() }),
  items: z.array(objectSchema).nullable(),
});

/** `namespaces`: the only ones that it may be asked about; empty: all (`./confined.ts`). */
export function connectKube(kubeconfig: string | undefined, namespaces: readonly string[] = []): Kube {
  return createKube(confined(createTransport(loadKubeconfig(kubeconfig).access()), namespaces));
}

export function createKube(transport: KubeTransport): Kube {
  const askFor = (request: KubeRequest, named: Named) => askObject(transport, request, objectSchema, named);

  async function listOnce(kind: KindName, options: ListOptions) {
    const items: KubeObject[] = [];
    for (let next: string | undefined; ;) {
      const request = {
        method: 'GET',
        path: pathOf(kind, { namespace: options.namespace }),
        query: {
          limit: pageSize,
          labelSelector: selectorOf(options.labels),
          fieldSelector: selectorOf(options.fields),
          continue: next,
        },
        accept: acceptOf(options, 'PartialObjectMetadataList'),
        what: `list ${kind}`,
      } as const;
      const wanted = options.metadataOnly === true ? 'PartialObjectMetadataList' : `${kind}List`;
      const page = await ask(transport, request, listSchema, (answer) => answer.kind === wanted);
      if (options.onPage === undefined) items.push(...(page.items ?? []));
      else options.onPage(page.items ?? []);
      const { resourceVersion, continue: more = '' } = page.metadata;
      if (more === '') return { items, resourceVersion };
      next = more;
    }
  }

  return {
    server: transport.server,
    transport,
    close: () => transport.close(),

    async get(kind, name, namespace) {
      const what = `get ${named(kind, name, namespace)}`;
      const request = { method: 'GET', path: pathOf(kind, { name, namespace }), what } as const;
      return unlessAbsent(askFor(request, { kind, name, namespace }));
    },

    async list(kind, options = {}) {
      const { onlyIn } = transport;
      if (onlyIn === undefined || options.namespace !== undefined || !kinds[kind].namespaced) {
        return listOnce(kind, options);
      }
      const items: KubeObject[] = [];
      // In turn, so that no more than one list is in memory.
      for (const namespace of onlyIn) items.push(...(await listOnce(kind, { ...options, namespace })).items);
      return { items, resourceVersion: '' };
    },

    async apply(manifest, { fieldManager, force = false, subresource }) {
      const { name, namespace } = manifest.metadata;
      const request = {
        method: 'PATCH',
        path: pathOf(manifest.kind, { name, namespace, ...(subresource === undefined ? {} : { subresource }) }),
        query: { fieldManager, force, fieldValidation: 'Strict' },
        contentType: applyType,
        body: manifest,
        what: `apply ${named(manifest.kind, name, namespace)}`,
      } as const;
      return askFor(request, { kind: manifest.kind, name, namespace });
    },

    async create(manifest, { fieldManager }) {
      const { name, namespace } = manifest.metadata;
      const what = `create ${named(manifest.kind, name, namespace)}`;
      const path = pathOf(manifest.kind, { namespace });
      const request = { method: 'POST', path, query: { fieldManager }, body: manifest, what } as const;
      return askFor(request, { kind: manifest.kind, name, namespace });
    },

    async patchMerge(kind, name, namespace, patch, { fieldManager, subresource }) {
      const request = {
        method: 'PATCH',
        path: pathOf(kind, { name, namespace, ...(subresource === undefined ? {} : { subresource }) }),
        query: { fieldManager },
        contentType: 'application/merge-patch+json',
        body: patch,
        what: `patch ${named(kind, name, namespace)}`,
      } as const;
      return unlessAbsent(askFor(request, { kind, name, namespace }));
    },

    async delete(kind, name, namespace, only = {}) {
      try {
        const request = {
          method: 'DELETE',
          path: pathOf(kind, { name, namespace }),
          body: {
            propagationPolicy: 'Background',
            ...(only.uid === undefined && only.resourceVersion === undefined ? {} : { preconditions: only }),
          },
          what: `delete ${named(kind, name, namespace)}`,
        } as const;
        await askToDelete(transport, request, { kind, name, namespace });
        return true;
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        // A conflict with a uid alone: the name belongs to another object now, which we must not delete.
        const isOther = only.uid !== undefined && only.resourceVersion === undefined && error.isConflict();
        if (isOther || error.isProvenAbsent()) return false;
        throw error;
      }
    },
  };
}

export function selectorOf(wanted: Readonly<Record<string, string>> | undefined): string | undefined {
  return wanted === undefined
    ? undefined
    : Object.entries(wanted)
        .map(([name, value]) => `${name}=${value}`)
        .join(',');
}

/** undefined when the object of the request is proven to be absent. */
export async function unlessAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof KubeError && error.isProvenAbsent()) return undefined;
    throw error;
  }
}

function named(kind: string, name: string, namespace: string | undefined): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
