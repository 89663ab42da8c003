import assert from 'node:assert/strict';
import { readConfig } from '../../../workers/api/config.ts';

describe('where the API listens', () => {
  it('is loopback unless told otherwise', () => {
    const { host, port } = readConfig({});
    assert.deepEqual([host, port], ['127.0.0.1', 8088]);
  });

  for (const listen of ['127.0.0.1:1', 'localhost:1', '[::1]:1', '127.3.2.1:1']) {
    it(`may be ${listen}`, () => assert.equal(readConfig({ MILLRACE_API_LISTEN: listen }).port, 1));
  }

  for (const listen of ['0.0.0.0:8088', '[::]:8088', '10.0.0.1:8088', 'api.example:8088', '127.evil.example:8088']) {
    it(`is not ${listen} where the API asks nobody who they are, whatever else is said`, () => {
      for (const env of [{}, { MILLRACE_API_AUTH_MODE: 'none' }, { MILLRACE_API_ALLOW_REMOTE: 'true' }]) {
        assert.throws(() => readConfig({ ...env, MILLRACE_API_LISTEN: listen }), /is not a loopback address/);
      }
      const known = { MILLRACE_API_AUTH_MODE: 'kubernetes', MILLRACE_API_LISTEN: listen };
      assert.equal(readConfig(known).port, 8088);
    });
  }

  it('must be host:port', () => assert.throws(() => readConfig({ MILLRACE_API_LISTEN: '8088' }), /must be host:port/));
});
