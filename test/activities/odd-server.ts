/**
 * A Kubernetes API in memory behind a real port, which answers some requests oddly: as a proxy, a wrong route or another
 * cluster would. What it is asked to change is recorded and not done, so that each request meets the same cluster.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { askedOf, type Asked } from '../../kubernetes/asked.ts';
import { createKube, type Kube } from '../../kubernetes/kube.ts';
import { kinds, pathOf, type KindName, type KubeObject } from '../../kubernetes/objects.ts';
import { createTransport } from '../../kubernetes/transport.ts';
import { listenOn } from '../../workers/process/listen.ts';

export interface OddAnswer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

/** Null: the request is answered as it should be. `drop`: the connection is cut. `hang`: there is no answer. */
export type Oddity = (asked: Asked) => OddAnswer | 'drop' | 'hang' | null;

export interface Change {
  readonly verb: Asked['verb'];
  readonly resource: string;
  readonly name: string;
  readonly body: string;
}

const kindNames = Object.keys(kinds).filter((each): each is KindName => each in kinds);

export class OddServer {
  readonly kube: Kube;
  readonly changes: Change[] = [];
  objects = new Map<string, KubeObject>();
  oddity: Oddity = () => null;
  readonly #close: () => Promise<void>;

  static async start(): Promise<OddServer> {
    const handler = { handle: (_: IncomingMessage, response: ServerResponse) => void response.end() };
    const server = createServer((request, response) => handler.handle(request, response));
    const listening = await listenOn(server, { host: '127.0.0.1', port: 0 });
    const odd = new OddServer(`http://127.0.0.1:${listening.port}`, () => listening.close());
    handler.handle = (request, response) => void odd.#answer(request, response);
    return odd;
  }

  private constructor(url: string, close: () => Promise<void>) {
    const access = { server: url, hasProxy: false, options: () => Promise.resolve({}) };
    this.kube = createKube(createTransport(access));
    this.#close = close;
  }

  put(kind: KindName, metadata: KubeObject['metadata'], more: object = {}): void {
    const { apiVersion } = kinds[kind];
    const path = pathOf(kind, metadata);
    this.objects.set(path, { apiVersion, kind, metadata: { resourceVersion: '1', ...metadata }, ...more });
  }

  async stop(): Promise<void> {
    this.kube.close();
    await this.#close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://odd');
    const asked = askedOf({ method: methodOf(request), path: pathname, contentType: request.headers['content-type'] });
    const body = await text(request);
    const odd = this.oddity(asked);
    const isChange = asked.verb !== 'GET' && asked.verb !== 'LIST';
    if (isChange) this.changes.push({ verb: asked.verb, resource: asked.resource, name: asked.name ?? '', body });
    if (odd === 'hang') return;
    if (odd === 'drop') return void request.socket.destroy();
    if (odd !== null) {
      response.writeHead(odd.status, { 'content-type': odd.type ?? 'text/html' }).end(odd.body);
      return;
    }
    const answer = isChange
      ? this.#changed(asked, pathname, body)
      : this.#read(asked, pathname, searchParams, request.headers.accept ?? '');
    const status = 'status' in answer && answer.status === 'Failure' ? 404 : 200;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #read(asked: Asked, path: string, query: URLSearchParams, accept: string): object {
    if (asked.name !== undefined) return this.objects.get(path) ?? notFound(asked);
    const kind = kindNames.find((each) => kinds[each].plural === asked.resource);
    const wanted = (query.get('labelSelector') ?? '').split(',').filter((part) => part !== '');
    const items = [...this.objects.values()].filter(
      (object) =>
        object.kind === kind &&
        (asked.namespace === undefined || object.metadata.namespace === asked.namespace) &&
        wanted.every((part) => {
          const [name = '', value = ''] = part.split('=');
          return object.metadata.labels?.[name] === value;
        }),
    );
    const isPartial = accept.includes('PartialObjectMetadataList');
    const listKind = isPartial ? 'PartialObjectMetadataList' : `${kind ?? ''}List`;
    return { kind: listKind, metadata: { resourceVersion: '1' }, items };
  }

  #changed(asked: Asked, path: string, body: string): object {
    const before = this.objects.get(path.replace(/\/status$/, ''));
    if (asked.verb === 'DELETE') return before ?? notFound(asked);
    if (asked.verb === 'PATCH') return before ?? notFound(asked);
    return before ?? (JSON.parse(body) as object);
  }
}

function notFound({ group, resource, name }: Asked): object {
  const details = { name, group, kind: resource };
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404, message: 'no', details };
}

function methodOf({ method }: IncomingMessage): 'GET' | 'POST' | 'PATCH' | 'DELETE' {
  if (method === 'GET' || method === 'POST' || method === 'PATCH' || method === 'DELETE') return method;
  throw new Error(`${method ?? ''} is not expected`);
}
