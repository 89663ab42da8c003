/**
 * The server of a pod's HTTP source: how many may connect, and how long each may take to send.
 *
 * V1  At most {@link mostConnections} are served. Further clients are answered with 429 and their connections closed;
 *     beyond twice as many, connections are not even accepted.
 * V2  Headers must arrive within {@link headersTimeoutMs}, the whole request within {@link receiveTimeoutMs};
 *     otherwise the answer is 408, and the connection ends, which frees the memory that the request held.
 * V3  A sender that asks first (`Expect: 100-continue`) gets a refusal before it has sent its body.
 * V4  A request that is not HTTP gets an answer of the same form as every other refusal.
 */
import { randomUUID } from 'node:crypto';
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { problemAnswer, problemMediaType } from '../../model/problem.ts';
import type { ConnectorContext } from '../connector.ts';
import type { Door } from './door.ts';

export interface ServerBounds {
  readonly mostConnections: number;
  readonly headersTimeoutMs: number;
  readonly receiveTimeoutMs: number;
  /** How often connections are checked. */
  readonly lookMs: number;
}

export const usualBounds: ServerBounds = {
  mostConnections: 1_000,
  headersTimeoutMs: 10_000,
  receiveTimeoutMs: 30_000,
  lookMs: 1_000,
};

/** Longer than the idle time of usual load balancers, so that they close first. */
const keepAliveTimeoutMs = 75_000;
const headerBytes = 16 * 1024;

export interface Listening {
  readonly server: Server;
  /** V1. */
  readonly isCrowded: () => boolean;
}

/** Not listening yet. */
export function makeServer(
  source: string,
  bounds: ServerBounds,
  context: ConnectorContext,
): Listening & { serve(door: Door): void } {
  const open = new Set<Socket>();
  const server = createServer({ maxHeaderSize: headerBytes, connectionsCheckingInterval: bounds.lookMs });
  server.headersTimeout = bounds.headersTimeoutMs;
  server.requestTimeout = bounds.receiveTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.maxConnections = 2 * bounds.mostConnections;
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('clientError', (error: Error, socket: Socket) => refuseRaw(socket, rawRefusal(source, error, bounds)));
  return {
    server,
    isCrowded: () => open.size > bounds.mostConnections,
    serve(door) {
      const handle = (isAsking: boolean) => (request: IncomingMessage, response: ServerResponse) => {
        door.handle(request, response, isAsking).catch((error: unknown) => {
          context.log.error({ problem: problemOf(error) }, 'request failed');
          response.destroy();
        });
      };
      server.on('request', handle(false));
      server.on('checkContinue', handle(true));
    },
  };
}

export async function listen(server: Server, port: number, context: ConnectorContext): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, context.bindAddress, resolve);
    });
  } catch (error) {
    const where = `${context.bindAddress}:${port}`;
    throw mr(
      'MR_SOURCE_UNREACHABLE',
      { source: context.name, server: where, problem: problemOf(error) },
      { cause: error },
    );
  }
  server.on('error', (error) => context.log.error({ problem: problemOf(error) }, 'records server'));
}

/** V2, V4. */
function rawRefusal(source: string, error: Error, bounds: ServerBounds): MillraceError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return mr('MR_RECORDS_TOO_SLOW', { source, seconds: bounds.receiveTimeoutMs / 1_000 }, { cause: error });
  }
  const problem =
    code === 'HPE_HEADER_OVERFLOW' ? `its headers have more than ${headerBytes} bytes` : 'it is no HTTP/1.1';
  return mr('MR_RECORDS_INVALID', { problem }, { cause: error });
}

function refuseRaw(socket: Socket, error: MillraceError): void {
  // Part of an answer may already have been sent.
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const text = JSON.stringify(problemAnswer(error, randomUUID()));
  socket.end(
    `HTTP/1.1 ${error.http} ${STATUS_CODES[error.http] ?? ''}\r\nConnection: close\r\n` +
      `Content-Type: ${problemMediaType}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
