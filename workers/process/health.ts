/** /health/alive, /health/ready and /metrics of a control-plane process. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HealthOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** undefined: ready; else what is waited for. */
  readonly waitingFor: () => string | undefined;
  /** A prom-client registry, or what answers like one. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startHealth(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/health/alive':
        return answer(response, 200, 'alive');
      case '/health/ready': {
        const waitingFor = options.waitingFor();
        return answer(response, waitingFor === undefined ? 200 : 503, waitingFor ?? 'ready');
      }
      case '/metrics':
        options.metrics.metrics().then(
          (text) => answer(response, 200, text, options.metrics.contentType),
          (error: unknown) => answer(response, 500, String(error)),
        );
        return;
      default:
        return answer(response, 404, 'there is /health/alive, /health/ready and /metrics');
    }
  });
  const [host, port] = splitListen(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: portOf(server.address()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type }).end(text);
}

function splitListen(listen: string): [host: string, port: number] {
  const at = listen.lastIndexOf(':');
  return [listen.slice(0, at), Number(listen.slice(at + 1))];
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return address.port;
}
