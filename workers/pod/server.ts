/**
 * The port `http` of a worker pod.
 *
 *   /health/alive   200 while the event loop turns and the leases are looked after
 *   /health/ready   200 once the stage has started and while nats-server is connected. Not whether the sink answers: an
 *                   outage outside must not restart or unready pods; conditions tell of it
 *   /metrics        Prometheus
 *   /positions      slots of this pod, with position and lag
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

export interface PodHealth {
  /** Undefined: well. Else why not. */
  readonly notAlive: () => string | undefined;
  readonly notReady: () => string | undefined;
  readonly positions: () => unknown;
  readonly registry: Registry;
}

export interface PodServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function servePod(host: string, port: number, health: PodHealth): Promise<PodServer> {
  const server = createServer((request, response) => {
    answer(request, health).then(
      (answered) => send(response, answered),
      (error: unknown) => send(response, { status: 500, type: 'text/plain', body: String(error) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(request: IncomingMessage, health: PodHealth): Promise<Answer> {
  switch ((request.url ?? '').split('?')[0]) {
    case '/health/alive':
      return check(health.notAlive());
    case '/health/ready':
      return check(health.notReady());
    case '/metrics':
      return { status: 200, type: health.registry.contentType, body: await health.registry.metrics() };
    case '/positions':
      return { status: 200, type: 'application/json', body: JSON.stringify(health.positions()) };
    default:
      return { status: 404, type: 'text/plain', body: 'not found\n' };
  }
}

function check(problem: string | undefined): Answer {
  return problem === undefined
    ? { status: 200, type: 'text/plain', body: 'ok\n' }
    : { status: 503, type: 'text/plain', body: `${problem}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
