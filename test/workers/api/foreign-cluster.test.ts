import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createKube } from '../../../kubernetes/kube.ts';
import { createTransport } from '../../../kubernetes/transport.ts';
import { listenOn } from '../../../workers/process/listen.ts';
import { apiOn } from './api.ts';

const kubernetes = { major: '1', minor: '36', gitVersion: 'v1.36.3' };

describe('readiness of the API', () => {
  const answers: readonly (readonly [what: string, status: number, type: string, body: string, ready: boolean])[] = [
    ['Kubernetes', 200, 'application/json', JSON.stringify(kubernetes), true],
    ['a page', 200, 'text/html', '<h1>Welcome</h1>', false],
    ['an empty answer', 200, 'application/json', '', false],
    ['no content', 204, 'application/json', '', false],
    ['another JSON', 200, 'application/json', '{"status":"ok"}', false],
    ['the version of something else', 200, 'application/json', '{"version":"1.2"}', false],
    ['JSON that is no object', 200, 'application/json', '"v1"', false],
  ];
  for (const [what, status, type, body, ready] of answers)
    it(`is ${ready ? 'there' : 'not there, and names the address,'} when ${what} is under the address of Kubernetes`, async () => {
      const server = createServer((_, response) => void response.writeHead(status, { 'content-type': type }).end(body));
      const { port, close } = await listenOn(server, { host: '127.0.0.1', port: 0 });
      const access = { server: `http://127.0.0.1:${port}`, hasProxy: false, options: () => Promise.resolve({}) };
      const kube = createKube(createTransport(access));
      const api = await apiOn(kube);
      const answer = await api.inject('/readyz');
      assert.equal(answer.statusCode, ready ? 200 : 503, answer.body);
      if (!ready) assert.match(answer.body, new RegExp(`127\\.0\\.0\\.1:${port}`));
      await api.close();
      kube.close();
      await close();
    });
});
