/**
 * The Kubernetes API, as thin as possible: plain JSON in, plain JSON out.
 *
 * Objects are never turned into the client library's model classes, because those drop fields that they do not know.
 * Nothing is retried here: an activity is retried by Temporal, a controller key by its queue, both visibly.
 */
import { z } from 'zod';
import { KubeError } from './kube-error.ts';
import { objectSchema, pathOf, type KindName, type KubeObject, type Manifest } from './objects.ts';
import { createTransport, loadKubeConfig, type KubeTransport } from './transport.ts';

export interface ApplyOptions {
  readonly fieldManager: string;
  /** Take fields that another manager owns. Default false: a conflict is an error that names the other one. */
  readonly force?: boolean;
  readonly subresource?: 'status' | 'scale';
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  /** Only metadata is sent: for following Secrets without ever seeing a value. */
  readonly metadataOnly?: boolean;
}

/** The Accept header for whole objects or their metadata. */
export function acceptOf({ metadataOnly }: ListOptions, form: 'PartialObjectMetadata' | 'PartialObjectMetadataList') {
  return metadataOnly === true ? `application/json;as=${form};g=meta.k8s.io;v=v1` : undefined;
}

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

export interface Kube {
  readonly server: string;
  readonly transport: KubeTransport;
  /** undefined when there is none. */
  get(kind: KindName, name: string, namespace?: string): Promise<KubeObject | undefined>;
  list(kind: KindName, options?: ListOptions): Promise<{ items: KubeObject[]; resourceVersion: string }>;
  /** Server-side apply of the whole object. */
  apply(manifest: Manifest, options: ApplyOptions): Promise<KubeObject>;
  create(manifest: Manifest): Promise<KubeObject>;
  patchJson(
    kind: KindName,
    name: string,
    namespace: string | undefined,
    patch: readonly JsonPatchOperation[],
  ): Promise<KubeObject>;
  patchMerge(kind: KindName, name: string, namespace: string | undefined, patch: unknown): Promise<KubeObject>;
  /** False when there was none, or another object has the name now (`uid`). */
  delete(
    kind: KindName,
    name: string,
    namespace: string | undefined,
    only?: { uid?: string | undefined },
  ): Promise<boolean>;
  close(): void;
}

const pageSize = 500;
const listSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().default(''), continue: z.string().optional() }),
  items: z.array(objectSchema).nullable(),
});

export function connectKube(kubeconfig: string | undefined): Kube {
  return createKube(createTransport(loadKubeConfig(kubeconfig)));
}

export function createKube(transport: KubeTransport): Kube {
  const parse = (answer: unknown): KubeObject => objectSchema.parse(answer);

  return {
    server: transport.server,
    transport,
    close: () => transport.close(),

    async get(kind, name, namespace) {
      const what = `get ${named(kind, name, namespace)}`;
      return unlessMissing(async () =>
        parse(await transport.send({ method: 'GET', path: pathOf(kind, { name, namespace }), what })),
      );
    },

    async list(kind, options = {}) {
      const items: KubeObject[] = [];
      for (let next: string | undefined; ;) {
        const page = listSchema.parse(
          await transport.send({
            method: 'GET',
            path: pathOf(kind, { namespace: options.namespace }),
            query: { limit: pageSize, labelSelector: selectorOf(options.labels), continue: next },
            accept: acceptOf(options, 'PartialObjectMetadataList'),
            what: `list ${kind}`,
          }),
        );
        items.push(...(page.items ?? []));
        const { resourceVersion, continue: more = '' } = page.metadata;
        if (more === '') return { items, resourceVersion };
        next = more;
      }
    },

    async apply(manifest, { fieldManager, force = false, subresource }) {
      const { name, namespace } = manifest.metadata;
      return parse(
        await transport.send({
          method: 'PATCH',
          path: pathOf(manifest.kind, { name, namespace, ...(subresource === undefined ? {} : { subresource }) }),
          query: { fieldManager, force, fieldValidation: 'Strict' },
          contentType: 'application/apply-patch+yaml',
          body: manifest,
          what: `apply ${named(manifest.kind, name, namespace)}`,
        }),
      );
    },

    async create(manifest) {
      const { name, namespace } = manifest.metadata;
      const what = `create ${named(manifest.kind, name, namespace)}`;
      return parse(
        await transport.send({ method: 'POST', path: pathOf(manifest.kind, { namespace }), body: manifest, what }),
      );
    },

    async patchJson(kind, name, namespace, patch) {
      return parse(await sendPatch(transport, kind, name, namespace, patch, 'application/json-patch+json'));
    },

    async patchMerge(kind, name, namespace, patch) {
      return parse(await sendPatch(transport, kind, name, namespace, patch, 'application/merge-patch+json'));
    },

    async delete(kind, name, namespace, only = {}) {
      try {
        await transport.send({
          method: 'DELETE',
          path: pathOf(kind, { name, namespace }),
          body: {
            propagationPolicy: 'Background',
            ...(only.uid === undefined ? {} : { preconditions: { uid: only.uid } }),
          },
          what: `delete ${named(kind, name, namespace)}`,
        });
        return true;
      } catch (error) {
        // 409: the name belongs to another object now, which is not ours to delete.
        if (error instanceof KubeError && (error.isNotFound || (error.isConflict && only.uid !== undefined)))
          return false;
        throw error;
      }
    },
  };
}

async function sendPatch(
  transport: KubeTransport,
  kind: KindName,
  name: string,
  namespace: string | undefined,
  body: unknown,
  contentType: string,
): Promise<unknown> {
  const what = `patch ${named(kind, name, namespace)}`;
  return transport.send({ method: 'PATCH', path: pathOf(kind, { name, namespace }), contentType, body, what });
}

export function selectorOf(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  return labels === undefined
    ? undefined
    : Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(',');
}

export async function unlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound) return undefined;
    throw error;
  }
}

function named(kind: string, name: string, namespace: string | undefined): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
