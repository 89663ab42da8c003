import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { readConfig } from '../../../workers/api/config.ts';
import { parseControllerConfig } from '../../../workers/controller/config.ts';
import { parseLifecycleConfig } from '../../../workers/lifecycle/config.ts';
import { listenOn, parseListenAddress } from '../../../workers/process/listen.ts';

const addresses: readonly (readonly [text: string, host: string, port: number])[] = [
  ['127.0.0.1:9000', '127.0.0.1', 9000],
  ['localhost:0', 'localhost', 0],
  ['[::1]:9000', '::1', 9000],
  ['[::]:65535', '::', 65_535],
  ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1],
];
const refused = ['', '9000', ':9000', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1:9x']
  .concat(['::1:9000', '[::1]', '[::1:9000', '[127.0.0.1]:9000', 'a b:1', 'http://127.0.0.1:9000', '127.0.0.1:9000/'])
  .concat(['127.0.0.1:000009000']);

describe('an address to listen on', () => {
  for (const [text, host, port] of addresses) {
    it(`may be ${text}`, () => assert.deepEqual(parseListenAddress(text), { host, port }));
  }

  for (const text of refused) {
    it(`is not "${text}"`, () => assert.equal(parseListenAddress(text), undefined));
  }

  it('is read alike by every process that listens', () => {
    const expected = { host: '::1', port: 9000 };
    const health = { MILLRACE_HEALTH_LISTEN: '[::1]:9000' };
    assert.deepEqual(parseControllerConfig(health).healthListen, expected);
    assert.deepEqual(parseLifecycleConfig(health).healthListen, expected);
    const { host, port } = readConfig({ MILLRACE_API_LISTEN: '[::1]:9000' });
    assert.deepEqual({ host, port }, expected);
  });

  it('that cannot be used is refused by the name of its variable', () => {
    for (const parse of [parseControllerConfig, parseLifecycleConfig]) {
      assert.throws(() => parse({ MILLRACE_HEALTH_LISTEN: '9000' }), {
        code: 'MR_ENVIRONMENT_INVALID',
        message: /MILLRACE_HEALTH_LISTEN cannot be used: must be host:port/,
      });
    }
  });
});

describe('listening', () => {
  it('says which free port it took, and ends with a connection that stays open', async () => {
    const listening = await listenOn(createServer(), { host: '127.0.0.1', port: 0 });
    const open = connect(listening.port, '127.0.0.1');
    await new Promise((resolve) => open.once('connect', resolve));
    const closed = new Promise((resolve) => open.once('close', resolve));
    open.resume();
    await Promise.all([listening.close(), closed]);
  });

  it('rejects when the port is taken', async () => {
    const first = await listenOn(createServer(), { host: '127.0.0.1', port: 0 });
    await assert.rejects(listenOn(createServer(), { host: '127.0.0.1', port: first.port }), { code: 'EADDRINUSE' });
    await first.close();
  });
});
