import { deepEqual } from 'node:assert/strict';
import { Pipelines } from '../../client/pipelines.ts';
import { definePipeline } from '../../client/index.ts';

describe('a namespace that the program does not name', () => {
  const asked: string[] = [];
  /** Notes the path and gives no answer. */
  const pipelines = new Pipelines(({ path }) => {
    asked.push(path);
    return Promise.reject(new Error('asked'));
  });
  const at = { name: 'orders' };
  const orders = definePipeline({
    ...at,
    spec: {
      sources: [{ name: 'orders', generator: {} }],
      sinks: [{ name: 'warehouse', clickhouse: { url: 'http://127.0.0.1:8123', table: 'orders' } }],
    },
  });
  const own = '/v1/namespaces/default/pipelines';

  for (const [what, ask, path] of [
    ['list', () => pipelines.list().next(), own],
    ['list of all namespaces', () => pipelines.list({ allNamespaces: true }).next(), '/v1/pipelines'],
    ['list of another', () => pipelines.list({ namespace: 'shop' }).next(), '/v1/namespaces/shop/pipelines'],
    ['apply', () => pipelines.apply(orders), `${own}/orders`],
    ['get', () => pipelines.get(at), `${own}/orders`],
    ['pause', () => pipelines.pause(at), `${own}/orders/pause`],
    ['resume', () => pipelines.resume(at), `${own}/orders/resume`],
    ['stop', () => pipelines.stop(at), `${own}/orders/stop`],
    ['retry', () => pipelines.retry(at), `${own}/orders/retry`],
    ['decide', () => pipelines.decide(at, { token: 'records.1', choice: 'reread' }), `${own}/orders/decide`],
    ['delete', () => pipelines.delete(at), `${own}/orders`],
  ] as const) {
    it(`is \`default\`, as kubectl takes it: ${what}`, async () => {
      asked.length = 0;
      await ask().catch(() => undefined);
      deepEqual(asked, [path]);
    });
  }
});
