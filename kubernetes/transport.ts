/**
 * Requests to the API server of a kubeconfig. Connections are kept open.
 *
 * H1  A request ends with its signal, and by itself well before the attempt of an activity does (`workflows/activities.ts`):
 *     nothing is written on behalf of an attempt that was given up.
 * H2  A process that was frozen goes on where it stood. So `mayLeave` is asked at the last moment, when the bytes leave.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { problemOf } from '../model/errors.ts';
import { askedOf } from './asked.ts';
import { foreignAnswer, networkError, parseAnswer } from './kube-error.ts';
import type { KubeAccess } from './kubeconfig.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string | undefined;
  /** What a person calls it, for messages. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Throws when the request must not be sent any more (H2). */
  readonly mayLeave?: (() => void) | undefined;
}

export interface KubeTransport {
  readonly server: string;
  /** The parsed answer. Throws KubeError. */
  send(request: KubeRequest): Promise<unknown>;
  /** The body of a long answer, as it arrives. Throws KubeError. */
  open(request: KubeRequest): Promise<IncomingMessage>;
  close(): void;
}

/** Of a request with one answer. A page of a list is the slowest of these, and takes a second or two. */
export const requestTimeoutMs = 15_000;
export function createTransport(access: KubeAccess): KubeTransport {
  const base = new URL(access.server);
  const module = base.protocol === 'http:' ? http : https;
  const agent = new module.Agent({ keepAlive: true, maxSockets: 64 });
  // Each watch holds a connection for minutes: they must not use up those of the requests.
  const longAgent = new module.Agent({ keepAlive: true });

  async function start(request: KubeRequest, by: typeof agent): Promise<IncomingMessage> {
    const options = await access.options();
    if (!access.hasProxy) options.agent = by;
    const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = {
      ...toHeaders(options.headers),
      accept: request.accept ?? 'application/json',
      ...(payload === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': Buffer.byteLength(payload) }),
    };
    const url = urlOf(base, request);
    return new Promise((resolve, reject) => {
      const outgoing: ClientRequest = module.request(url, {
        ...options,
        method: request.method,
        headers,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => reject(networkError(error, askedOf(request), request.what, base.host)));
      request.mayLeave?.();
      outgoing.end(payload);
    });
  }

  async function open(request: KubeRequest, by = longAgent): Promise<IncomingMessage> {
    const response = await start(request, by);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await textOf(response, request, base.host);
    const retryAfter = response.headers['retry-after'];
    throw parseAnswer({ status, body, retryAfter }, askedOf(request), request.what, base.host);
  }

  return {
    server: base.host,
    open: (request) => open(request),
    async send(request) {
      const timeout = AbortSignal.timeout(requestTimeoutMs);
      const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
      const text = await textOf(await open({ ...request, signal }, agent), request, base.host);
      try {
        const answer: unknown = JSON.parse(text);
        return answer;
      } catch (error) {
        throw foreignAnswer(problemOf(error), askedOf(request), request.what, base.host);
      }
    },
    close() {
      agent.destroy();
      longAgent.destroy();
    },
  };
}

function urlOf(base: URL, request: KubeRequest): URL {
  const url = new URL(base.pathname.replace(/\/$/, '') + request.path, base);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** The library always makes an object of headers; its type also allows Node's list of names and values. */
function toHeaders(headers: https.RequestOptions['headers']): http.OutgoingHttpHeaders {
  return headers !== undefined && !('length' in headers) ? headers : {};
}

async function textOf(response: IncomingMessage, request: KubeRequest, server: string): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of response) text += String(chunk);
  } catch (error) {
    const problem = error instanceof Error ? error : new Error(String(error));
    throw networkError(problem, askedOf(request), request.what, server);
  }
  return text;
}
