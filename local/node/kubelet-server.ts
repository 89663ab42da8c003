/**
 * The kubelet port: what the API server requests from a node.
 *
 * `GET /healthz`, and `GET /containerLogs/<namespace>/<pod>/<container>` for `kubectl logs`. exec, attach and
 * port-forward are refused with a sentence that says what to do instead. The certificate is self-signed, as the API
 * server expects of a kubelet when it is given no authority; the port is on loopback, and whoever reaches it may read
 * logs.
 */
import { createServer, type Server } from 'node:https';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { mr, problemOf } from '../../model/errors.ts';
import { makeAuthority, makeLeaf } from '../parts/kubernetes/certificate.ts';
import { logStream, type LogQuery, type LogSource } from './log-stream.ts';
import { isSystemError } from '../../model/system-error.ts';

export type FindLog = (
  namespace: string,
  pod: string,
  container: string,
  previous: boolean,
) => { readonly found: LogSource } | { readonly status: number; readonly problem: string };

export interface KubeletServer {
  readonly port: number;
  close(): Promise<void>;
}

const notOffered = new Map([
  ['exec', 'exec'],
  ['attach', 'attach'],
  ['portForward', 'port-forward'],
  ['run', 'run'],
]);

export async function startKubeletServer(port: number, findLog: FindLog): Promise<KubeletServer> {
  const authority = makeAuthority({ commonName: 'millrace-local-node' }, new Date());
  const leaf = makeLeaf(
    authority,
    { subject: { commonName: 'millrace-local-node' }, usage: ['server'], names: ['127.0.0.1', 'localhost'] },
    new Date(),
  );
  const server = createServer({ key: leaf.key, cert: leaf.certificate }, (request, response) => {
    answer(request, response, findLog).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, problemOf(error));
    });
  });
  // kubectl exec asks for an upgrade of the connection.
  server.on('upgrade', (request, socket) => {
    const { status, problem } = refusalOf(request);
    // kubectl port-forward reads the answer as YAML of a Status and shows nothing of a sentence with a colon in it.
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Status',
      status: 'Failure',
      code: status,
      message: problem,
    });
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      // The server no longer closes an upgraded socket.
      () => socket.destroy(),
    );
  });
  await listen(server, port);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, findLog: FindLog): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://node');
  const [, first = '', namespace, pod, container] = url.pathname.split('/').map(decodeURIComponent);
  if (first === 'healthz') {
    response.end('ok');
    return;
  }
  if (first !== 'containerLogs' || namespace === undefined || pod === undefined || container === undefined) {
    const { status, problem } = refusalOf(request);
    refuse(response, status, problem);
    return;
  }
  const query = parseQuery(url.searchParams, Date.now());
  if (typeof query === 'string') {
    refuse(response, 400, query);
    return;
  }
  const log = findLog(namespace, pod, container, url.searchParams.get('previous') === 'true');
  if (!('found' in log)) {
    refuse(response, log.status, log.problem);
    return;
  }
  await send(response, log.found, query);
}

async function send(response: ServerResponse, source: LogSource, query: LogQuery): Promise<void> {
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  for await (const chunk of logStream(source, query, closed.signal)) {
    if (response.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      response.once('drain', resolve);
      response.once('close', resolve);
    });
  }
  response.end();
}

/** The query, or what is wrong with it. */
export function parseQuery(params: URLSearchParams, now: number): LogQuery | string {
  const problems: string[] = [];
  const count = (name: string) => {
    const text = params.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0) problems.push(`${name} must be a whole number, not "${text}"`);
    return value;
  };
  const sinceSeconds = count('sinceSeconds');
  const sinceTime = params.get('sinceTime');
  const sinceMs = sinceTime
    ? Date.parse(sinceTime)
    : sinceSeconds === undefined
      ? undefined
      : now - sinceSeconds * 1000;
  if (Number.isNaN(sinceMs)) problems.push(`sinceTime must be an RFC 3339 time, not "${sinceTime ?? ''}"`);
  const query = {
    follow: params.get('follow') === 'true',
    timestamps: params.get('timestamps') === 'true',
    tailLines: count('tailLines'),
    sinceMs,
    limitBytes: count('limitBytes'),
  };
  return problems.length > 0 ? problems.join('; ') : query;
}

function refusalOf(request: IncomingMessage): { status: number; problem: string } {
  const verb = (request.url ?? '/').split('/')[1]?.split('?')[0] ?? '';
  const name = notOffered.get(verb);
  if (name === undefined) return { status: 404, problem: `the local node does not serve ${request.url ?? '/'}` };
  const problem =
    `${name} is not supported by the local node: its containers are processes of this machine. ` +
    `Look at them with ps, or connect to the pod's address.`;
  return { status: 501, problem };
}

function refuse(response: ServerResponse, status: number, problem: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(problem);
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    if (!isSystemError(error, 'EADDRINUSE')) throw error;
    const params = { port, part: 'the local node', owner: 'another process', flag: '--kubelet-port' };
    throw mr('MR_PORT_IN_USE', params, { cause: error });
  }
}
