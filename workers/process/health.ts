/**
 * The port for health and metrics of a process.
 *
 *   /health/alive   200 while the process works; Kubernetes restarts it when it does not
 *   /health/ready   200, or 503 with what is waited for
 *   /metrics        Prometheus
 *
 * H1  A process may add paths; every other path is a 404 that names the existing ones.
 */
import { createServer, type ServerResponse } from 'node:http';
import { listenOn, type ListenAddress, type Listening } from './listen.ts';

export interface HealthOptions {
  readonly listen: ListenAddress;
  /** Why it is not alive; undefined: alive. Default: a process that answers is alive. */
  readonly notAlive?: () => string | undefined;
  /** What it waits for; undefined: ready. */
  readonly notReady: () => string | undefined;
  /** A prom-client registry, or what answers like one. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  /** Further paths, each with the JSON that it answers. */
  readonly json?: Readonly<Record<string, () => unknown>>;
}

type Route = () => Answer | Promise<Answer>;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const text = 'text/plain; charset=utf-8';

export function serveHealth(options: HealthOptions): Promise<Listening> {
  const routes = routesOf(options);
  const nothing = { status: 404, type: text, body: `there is ${[...routes.keys()].join(', ')}\n` };
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    answerOf(routes.get(path) ?? (() => nothing)).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, { status: 500, type: text, body: `${String(error)}\n` }),
    );
  });
  return listenOn(server, options.listen);
}

function routesOf(options: HealthOptions): ReadonlyMap<string, Route> {
  const { notAlive = () => undefined, notReady, metrics, json = {} } = options;
  return new Map<string, Route>([
    ['/health/alive', () => verdict('alive', notAlive())],
    ['/health/ready', () => verdict('ready', notReady())],
    ['/metrics', async () => ({ status: 200, type: metrics.contentType, body: await metrics.metrics() })],
    ...Object.entries(json).map(
      ([path, read]) =>
        [path, () => ({ status: 200, type: 'application/json', body: JSON.stringify(read()) })] as const,
    ),
  ]);
}

/** async, so that a route that throws rejects as well. */
async function answerOf(route: Route): Promise<Answer> {
  return route();
}

function verdict(well: string, problem: string | undefined): Answer {
  return { status: problem === undefined ? 200 : 503, type: text, body: `${problem ?? well}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
