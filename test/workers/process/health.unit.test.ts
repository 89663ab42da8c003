import assert from 'node:assert/strict';
import { serveHealth, type HealthOptions } from '../../../workers/process/health.ts';
import type { Listening } from '../../../workers/process/listen.ts';

describe('the health port', () => {
  let open: Listening | undefined;
  afterEach(() => open?.close());

  const serve = async (options: Partial<HealthOptions> = {}) => {
    const at = await serveHealth({
      listen: { host: '127.0.0.1', port: 0 },
      notReady: () => undefined,
      metrics: { contentType: 'text/plain; version=0.0.4', metrics: () => Promise.resolve('up 1\n') },
      ...options,
    });
    open = at;
    return async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${at.port}${path}`);
      return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
    };
  };

  it('says that a process which answers is alive, and ready when it waits for nothing', async () => {
    const get = await serve();
    assert.deepEqual([(await get('/health/alive')).status, (await get('/health/ready')).status], [200, 200]);
  });

  it('says what a process that is not ready waits for', async () => {
    const get = await serve({ notReady: () => 'Temporal' });
    const { status, body } = await get('/health/ready');
    assert.deepEqual([status, body], [503, 'Temporal\n']);
    assert.equal((await get('/health/alive')).status, 200);
  });

  it('says why a process is not alive', async () => {
    const get = await serve({ notAlive: () => 'leases were not looked after for 61 s' });
    const { status, body } = await get('/health/alive');
    assert.deepEqual([status, body], [503, 'leases were not looked after for 61 s\n']);
  });

  it('gives metrics with the type of their registry, whatever query a scraper adds', async () => {
    const get = await serve();
    const { type, body } = await get('/metrics?collect=all');
    assert.deepEqual([type, body], ['text/plain; version=0.0.4', 'up 1\n']);
  });

  it('answers 500 when metrics cannot be made, and goes on', async () => {
    const get = await serve({
      metrics: { contentType: 'text/plain', metrics: () => Promise.reject(new Error('no metric')) },
    });
    assert.equal((await get('/metrics')).status, 500);
    assert.equal((await get('/health/alive')).status, 200);
  });

  it('answers the paths that a process adds as JSON, and names all paths to who asks for another', async () => {
    const get = await serve({ json: { '/positions': () => ({ slots: [1] }) } });
    assert.deepEqual(JSON.parse((await get('/positions')).body), { slots: [1] });
    const { status, body } = await get('/healthz');
    assert.deepEqual([status, body], [404, 'there is /health/alive, /health/ready, /metrics, /positions\n']);
  });

  it('answers 500 when a path that a process adds throws, and goes on', async () => {
    const get = await serve({
      json: {
        '/positions': () => {
          throw new Error('no position');
        },
      },
    });
    assert.equal((await get('/positions')).status, 500);
    assert.equal((await get('/health/alive')).status, 200);
  });
});
