/** Metrics of the API: requests by route, and of the process. */
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Api } from './api.ts';

export function apiMetrics(server: Api, registry = new Registry()): Registry {
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: 'millrace_api_request_seconds',
    help: 'Time to answer, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  server.addHook('onResponse', async (request, reply) => {
    // The route's pattern, not the path: one series per route, however many pipelines exist.
    const route = request.routeOptions.url ?? 'none';
    seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
  return registry;
}
