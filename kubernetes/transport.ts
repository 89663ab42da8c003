/**
 * Requests to the API server of a kubeconfig. Connections are kept open.
 *
 * H1  A request ends with its signal, and by itself well before the attempt of an activity does
 *     (`workflows/activities.ts`): nothing is written on behalf of an attempt that has timed out.
 * H2  A frozen process continues where it stopped. So `mayLeave` is called at the last moment, when the bytes are sent.
 * H3  Credentials come from outside, too: a file that is being replaced, a plugin that hangs. Without them the API is
 *     unreachable, which is a {@link KubeError} like any other, and ends with the request's signal.
 */
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import { problemOf } from '../model/errors.ts';
import { cut } from '../model/text.ts';
import { askedOf } from './asked.ts';
import { foreignAnswer, networkError, parseAnswer, type KubeError } from './kube-error.ts';
import type { KubeAccess } from './kubeconfig.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string | undefined;
  /** In whose name it is sent (`./impersonated.ts`), as headers. Default: the name of the credentials. */
  readonly as?: OutgoingHttpHeaders | undefined;
  /** Name of the request for people, for messages. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Throws when the request must no longer be sent (H2). */
  readonly mayLeave?: (() => void) | undefined;
}

export interface KubeTransport {
  readonly server: string;
  /** The namespaces that it may be asked about (`./confined.ts`); undefined: all. */
  readonly onlyIn?: readonly string[] | undefined;
  /** The parsed answer. Throws KubeError. */
  send(request: KubeRequest): Promise<unknown>;
  /** The body of a long answer, as it arrives. Throws KubeError. */
  open(request: KubeRequest): Promise<IncomingMessage>;
  close(): void;
}

/** For a request with one answer. A page of a list is the slowest of these, and takes a second or two. */
export const requestTimeoutMs = 15_000;
export function createTransport(access: KubeAccess): KubeTransport {
  const base = new URL(access.server);
  const module = base.protocol === 'http:' ? http : https;
  const agent = new module.Agent({ keepAlive: true, maxSockets: 64 });
  // Each watch holds a connection for minutes: watches must not use up the connections of requests.
  const longAgent = new module.Agent({ keepAlive: true });

  async function start(request: KubeRequest, by: typeof agent): Promise<IncomingMessage> {
    const options = await credentials(request);
    if (!access.hasProxy) options.agent = by;
    // As bytes: Node writes a body of text together with the headers, and both as UTF-8, which the latter are already.
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const headers = {
      ...toHeaders(options.headers),
      ...request.as,
      accept: request.accept ?? 'application/json',
      ...(payload === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': payload.byteLength }),
    };
    const url = urlOf(base, request);
    const outgoing = prepare(request, url, { ...options, method: request.method, headers });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => reject(unreachable(error, request)));
    });
    try {
      request.mayLeave?.();
    } catch (refusal) {
      // An answer that never comes is handled elsewhere.
      answer.catch(() => undefined);
      outgoing.destroy();
      throw refusal;
    }
    outgoing.end(payload);
    return answer;
  }

  /** H3. */
  async function credentials(request: KubeRequest): Promise<RequestOptions> {
    try {
      return await unlessAborted(access.options(), request.signal);
    } catch (error) {
      throw unreachable(new Error(`there are no credentials: ${credentialProblem(error)}`, { cause: error }), request);
    }
  }

  /** Nothing was sent yet. Invalid certificates, or a token that is not a valid header, are found here (H3). */
  function prepare(request: KubeRequest, url: URL, options: RequestOptions): ClientRequest {
    try {
      return module.request(url, { ...options, ...(request.signal === undefined ? {} : { signal: request.signal }) });
    } catch (error) {
      throw unreachable(error, request);
    }
  }

  function unreachable(error: unknown, request: KubeRequest): KubeError {
    const problem = error instanceof Error ? error : new Error(String(error));
    return networkError(problem, askedOf(request), request.what, base.host);
  }

  async function textOf(response: IncomingMessage, request: KubeRequest): Promise<string> {
    response.setEncoding('utf8');
    let text = '';
    try {
      for await (const chunk of response) text += String(chunk);
    } catch (error) {
      throw unreachable(error, request);
    }
    return text;
  }

  async function open(request: KubeRequest, by = longAgent): Promise<IncomingMessage> {
    const response = await start(request, by);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await textOf(response, request);
    const retryAfter = response.headers['retry-after'];
    throw parseAnswer({ status, body, retryAfter }, askedOf(request), request.what, base.host);
  }

  return {
    server: base.host,
    open: (request) => open(request),
    async send(request) {
      const timeout = AbortSignal.timeout(requestTimeoutMs);
      const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
      const text = await textOf(await open({ ...request, signal }, agent), request);
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
function toHeaders(headers: RequestOptions['headers']): OutgoingHttpHeaders {
  return headers !== undefined && !('length' in headers) ? headers : {};
}

/** A plugin's output is a credential: if it is not JSON, nothing of it is repeated (`./kubeconfig.ts` C4). */
function credentialProblem(error: unknown): string {
  if (error instanceof SyntaxError) return 'what was printed is no JSON';
  const [line = ''] = problemOf(error).trim().split('\n');
  return line === '' ? 'it was not said why' : cut(line, 200);
}

/** Settles like `work`, or rejects with the signal's reason. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const give = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', give, { once: true });
  if (signal.aborted) give();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', give);
  }
}
