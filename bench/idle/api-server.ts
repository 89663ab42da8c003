/**
 * A model of an API server for watching clients: lists in pages, watches with a bookmark a minute, one Lease. It
 * changes nothing by itself, and counts requests.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { askedOf } from '../../kubernetes/asked.ts';
import { kinds, type KindName } from '../../kubernetes/objects.ts';
import { listenOn } from '../../workers/process/listen.ts';
import type { StoredObject } from './cluster.ts';

const bookmarkMs = 60_000;
const kindNames = Object.keys(kinds).filter((each): each is KindName => each in kinds);

export class ModelApiServer {
  /** `LIST deployments` → how often. */
  readonly asked = new Map<string, number>();
  readonly #byKind = new Map<KindName, StoredObject[]>();
  #lease: Record<string, unknown> | undefined;
  #version = 100;

  constructor(objects: readonly StoredObject[]) {
    for (const object of objects) {
      const same = this.#byKind.get(object.kind) ?? [];
      this.#byKind.set(object.kind, same);
      same.push(object);
    }
  }

  listen() {
    return listenOn(
      createServer((request, response) => void this.#answer(request, response)),
      {
        host: '127.0.0.1',
        port: 0,
      },
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://model');
    const method = (request.method ?? 'GET') as 'GET' | 'POST' | 'PATCH' | 'DELETE';
    const query = { watch: searchParams.get('watch') === 'true' };
    const asked = askedOf({ method, path: pathname, contentType: request.headers['content-type'], query });
    const what = `${asked.verb} ${asked.resource}`;
    this.asked.set(what, (this.asked.get(what) ?? 0) + 1);
    const kind = kindNames.find((each) => kinds[each].plural === asked.resource) ?? 'Namespace';
    const body = await text(request);
    if (asked.verb === 'WATCH') return this.#watch(kind, response);
    response.writeHead(200, { 'content-type': 'application/json' });
    if (kind === 'Lease') return void response.end(JSON.stringify(this.#leaseAfter(method, body)));
    if (asked.verb === 'LIST') return void response.end(this.#page(kind, asked.namespace, request, searchParams));
    const found = this.#byKind
      .get(kind)
      ?.find(({ metadata: { name, namespace } }) => name === asked.name && namespace === asked.namespace);
    response.end(JSON.stringify(found ?? JSON.parse(body === '' ? '{}' : body)));
  }

  #watch(kind: KindName, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const { apiVersion } = kinds[kind];
    const metadata = { resourceVersion: '100', creationTimestamp: null };
    const line = `${JSON.stringify({ type: 'BOOKMARK', object: { apiVersion, kind, metadata } })}\n`;
    const timer = setInterval(() => response.write(line), bookmarkMs);
    response.on('close', () => clearInterval(timer));
  }

  #page(kind: KindName, namespace: string | undefined, { headers }: IncomingMessage, query: URLSearchParams): string {
    const isPartial = (headers.accept ?? '').includes('PartialObjectMetadataList');
    const selector = query.get('labelSelector') ?? '';
    const all = (this.#byKind.get(kind) ?? []).filter(
      ({ metadata }) =>
        (namespace === undefined || metadata.namespace === namespace) && (selector === '' || 'labels' in metadata),
    );
    const from = Number(query.get('continue') ?? 0);
    const to = from + Number(query.get('limit') ?? 500);
    const items = all.slice(from, to);
    return JSON.stringify({
      kind: isPartial ? 'PartialObjectMetadataList' : `${kind}List`,
      metadata: { resourceVersion: '100', ...(to < all.length ? { continue: String(to) } : {}) },
      items: isPartial ? items.map(({ metadata }) => ({ metadata })) : items,
    });
  }

  #leaseAfter(method: string, body: string): object {
    const change = body === '' ? {} : (JSON.parse(body) as Record<string, object>);
    const before = this.#lease ?? { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {}, spec: {} };
    const metadata = { ...(before['metadata'] as object), ...change['metadata'], name: 'millrace-controller' };
    if (method !== 'GET') this.#version += 1;
    const named = { ...metadata, namespace: 'default', resourceVersion: String(this.#version) };
    this.#lease = { ...before, metadata: named, spec: { ...(before['spec'] as object), ...change['spec'] } };
    return this.#lease;
  }
}
